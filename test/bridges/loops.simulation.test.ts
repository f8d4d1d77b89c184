import { describe, expect, test } from 'vitest';
import type { Qos } from '../../src/wire/messages.js';
import { BridgedGateway, type BridgeSetup } from '../support/bridged-gateway.js';
import { Random } from '../support/random.js';
import { forSeedsInTurn } from '../support/seeds.js';
import { SimulatedBroker } from '../support/simulated-broker/broker.js';
import type { EngineDevice } from '../support/simulation.js';
import { advance } from '../support/turns.js';
import { VirtualClock } from '../support/virtual-clock.js';

interface Site {
  readonly gateway: BridgedGateway;
  /** Subscribed to everything, and the only one who emits. */
  readonly device: EngineDevice;
}

/** What one device heard, as `channel=text`. */
function heard({ device }: Site): string[] {
  return device.received.map(({ channel, text }) => `${channel}=${text}`);
}

/** Gateways by name, with these bridges each, and a device on each. */
async function sites(
  seed: number,
  clock: VirtualClock,
  setups: Record<string, readonly BridgeSetup[]>,
): Promise<Record<string, Site>> {
  const found: Record<string, Site> = {};
  for (const [name, bridges] of Object.entries(setups)) {
    const gateway = new BridgedGateway({ clock, seed: seed + name.length, name, bridges });
    const device = gateway.device(`${name}-device`);
    device.subscribe('#', 2);
    found[name] = { gateway, device };
  }
  await advance(clock, 1000);
  return found;
}

/** Whether a client of the broker hears itself is one of the things that differ between real ones. */
function broker(clock: VirtualClock, seed: number): SimulatedBroker {
  return new SimulatedBroker(clock, seed, { echo: seed % 2 === 0, faults: { jitter: 20 } });
}

const both = (pattern: string, remote = pattern) => ({
  pattern,
  direction: 'both' as const,
  qos: 2 as Qos,
  remote,
});

/** Every site emits so many messages of any QoS at any time. */
async function emitAll(
  random: Random,
  clock: VirtualClock,
  all: readonly Site[],
  channel: string,
): Promise<void> {
  for (let n = 0; n < 10; n++) {
    for (const { gateway, device } of all) {
      device.emit(channel, `${gateway.name}${n}`, random.below(3) as Qos, random.chance(0.3));
      await advance(clock, random.below(100));
    }
  }
  await advance(clock, 30_000);
}

const texts = (name: string, channel = 'x/y') =>
  Array.from({ length: 10 }, (_, n) => `${channel}=${name}${n}`);

describe('no message comes back to the gateway that it left by', () => {
  test('two and three gateways that carry the same channels both ways: each message reaches each gateway once', () =>
    forSeedsInTurn(20, async (seed) => {
      const clock = new VirtualClock();
      const random = new Random(seed);
      const hub = broker(clock, seed);
      const names = seed % 3 === 0 ? ['a', 'bb'] : ['a', 'bb', 'ccc'];
      const setups = Object.fromEntries(names.map((name) => [name, [{ broker: hub, rules: [both('#')] }]]));
      const all = await sites(seed, clock, setups);
      await emitAll(random, clock, Object.values(all), 'x/y');
      for (const site of Object.values(all))
        expect(heard(site).sort()).toEqual(names.flatMap((name) => texts(name)).sort());
      expect(hub.taken).toHaveLength(10 * names.length);
      expect(hub.violations).toEqual([]);
    }));

  test('two bridges of one gateway to one broker', () =>
    forSeedsInTurn(20, async (seed) => {
      const clock = new VirtualClock();
      const hub = broker(clock, seed);
      const all = await sites(seed, clock, {
        a: [
          { broker: hub, name: 'one', rules: [both('#')] },
          { broker: hub, name: 'two', rules: [both('#')] },
        ],
        bb: [{ broker: hub, rules: [both('#')] }],
      });
      await emitAll(new Random(seed), clock, Object.values(all), 'x/y');
      const { a, bb } = all as { a: Site; bb: Site };
      expect(
        heard(a)
          .filter((one) => one.includes('=a'))
          .sort(),
      ).toEqual(texts('a'));
      expect(
        heard(bb)
          .filter((one) => one.includes('=b'))
          .sort(),
      ).toEqual(texts('bb'));
      // By each bridge once, there and back, and no more often.
      expect(hub.taken.filter(({ text }) => text.startsWith('a'))).toHaveLength(20);
      expect(heard(bb).filter((one) => one.includes('=a'))).toHaveLength(20);
      expect(hub.violations).toEqual([]);
    }));

  test('a triangle of gateways over two brokers, also when names are mapped', () =>
    forSeedsInTurn(20, async (seed) => {
      const clock = new VirtualClock();
      const [left, right] = [broker(clock, seed), broker(clock, seed + 1000)];
      const mapped = seed % 2 === 0 ? 'site/#' : '#';
      const ends = (name: string, one: SimulatedBroker) => ({
        broker: one,
        name,
        rules: [both('#', mapped)],
      });
      const all = await sites(seed, clock, {
        a: [ends('left', left)],
        bb: [ends('left', left), ends('right', right)],
        ccc: [ends('left', left), ends('right', right)],
      });
      await emitAll(new Random(seed), clock, Object.values(all), 'x/y');
      for (const [name, site] of Object.entries(all)) {
        // What it emitted itself it heard once, and what others emitted at least once: there may be two ways.
        expect(
          heard(site)
            .filter((one) => one.startsWith(`x/y=${name}`))
            .sort(),
        ).toEqual(texts(name));
        const others = Object.keys(all).filter((other) => other !== name);
        expect([...new Set(heard(site))].sort()).toEqual(
          [...others, name].flatMap((one) => texts(one)).sort(),
        );
        expect(heard(site).length).toBeLessThanOrEqual(10 + 2 * 3 * 10);
      }
      for (const one of [left, right]) expect(one.violations).toEqual([]);
    }));

  test('names that are mapped into themselves do not grow with every round', () =>
    forSeedsInTurn(20, async (seed) => {
      const clock = new VirtualClock();
      const hub = broker(clock, seed);
      // What one calls x/… is called x/x/… there, and comes back as x/… to the other.
      const all = await sites(seed, clock, {
        a: [{ broker: hub, rules: [both('x/#', 'x/x/#')] }],
        bb: [{ broker: hub, rules: [both('#', 'x/#')] }],
      });
      await emitAll(new Random(seed), clock, Object.values(all), 'x/y');
      const { a, bb } = all as { a: Site; bb: Site };
      expect(heard(a).sort()).toEqual([...texts('a'), ...texts('bb')].sort());
      expect(heard(bb).sort()).toEqual([...texts('a'), ...texts('bb')].sort());
      expect(new Set(hub.taken.map(({ name }) => name))).toEqual(new Set(['x/x/y']));
      expect(hub.taken).toHaveLength(20);
    }));

  test('one gateway between two brokers carries from one to the other, once', () =>
    forSeedsInTurn(20, async (seed) => {
      const clock = new VirtualClock();
      const [left, right] = [broker(clock, seed), broker(clock, seed + 1000)];
      const all = await sites(seed, clock, {
        a: [{ broker: left, rules: [both('#')] }],
        bb: [
          { broker: left, name: 'left', rules: [both('#')] },
          { broker: right, name: 'right', rules: [both('#')] },
        ],
        ccc: [{ broker: right, rules: [both('#')] }],
      });
      await emitAll(new Random(seed), clock, Object.values(all), 'x/y');
      const everything = ['a', 'bb', 'ccc'].flatMap((name) => texts(name)).sort();
      for (const site of Object.values(all)) expect(heard(site).sort()).toEqual(everything);
    }));
});
