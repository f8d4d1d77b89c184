import { describe, expect, test } from 'vitest';
import type { Qos } from '../../src/wire/messages.js';
import { BridgedGateway, type BridgeSetup } from '../support/bridged-gateway.js';
import { Disk } from '../support/memory-backend.js';
import { forSeedsInTurn } from '../support/seeds.js';
import { type BrokerOptions, SimulatedBroker } from '../support/simulated-broker/broker.js';
import { advance, until } from '../support/turns.js';
import { VirtualClock } from '../support/virtual-clock.js';

const RULES = [
  { pattern: 'up/#', direction: 'out', qos: 2 },
  { pattern: 'down/#', direction: 'in', qos: 2 },
] as const;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

interface Setup extends Partial<Omit<BridgeSetup, 'broker'>> {
  readonly seed?: number;
  readonly broker?: BrokerOptions;
}

function scene({ seed = 1, broker: options = {}, ...bridge }: Setup = {}) {
  const clock = new VirtualClock();
  const broker = new SimulatedBroker(clock, seed, options);
  const gateway = new BridgedGateway({
    clock,
    seed,
    disk: new Disk(),
    bridges: [{ broker, rules: RULES, ...bridge }],
  });
  const said = (part: string) => gateway.log.filter(({ msg }) => msg.includes(part)).map(({ msg }) => msg);
  const texts = () => broker.taken.map(({ text }) => text);
  const emit = (name: string, text: string, qos: Qos = 1) =>
    expect(
      gateway.simulation.router.emit(`up/${name}`, Buffer.from(text), { qos, retain: false }),
    ).toBeUndefined();
  const held = () => gateway.bridge.report().queue.messages;
  const dropped = () => gateway.count('drop.cut_off');
  return { clock, broker, gateway, said, texts, emit, held, dropped };
}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `${from + n}`);

describe('a broker that closes the connection for a message', () => {
  test('holds nothing up for long: that message is dropped, counted and named; the others go, in order', () =>
    forSeedsInTurn(20, async (seed) => {
      const { clock, broker, gateway, said, texts, emit, held, dropped } = scene({ seed });
      broker.minds = ({ payload }) => payload.length > 1000;
      await advance(clock, 1000);
      const before = broker.random.below(30);
      for (const text of numbers(before)) emit('small', text, 2);
      emit('camera', 'x'.repeat(5000), (1 + (seed % 2)) as Qos);
      for (const text of numbers(30, before)) emit(broker.random.chance(0.5) ? 'small' : 'camera', text);
      await until(clock, () => held() === 0, 4 * MINUTE_MS, 'the queue is empty');
      expect(texts()).toEqual(numbers(before + 30));
      expect(dropped()).toBe(1);
      expect(gateway.bridge.report()).toMatchObject({ state: 'up', drops: { cut_off: 1 } });
      expect(gateway.bridge.report().held_up).toBeUndefined();
      // Of those before it the acknowledgements may have been lost.
      expect(said('is sent alone now').length).toBeGreaterThan(0);
      expect(said('is dropped')).toEqual([
        expect.stringContaining('a message of 5000 bytes on "up/camera" was sent alone, and not for others'),
      ]);
      expect(broker.violations).toEqual([]);
    }));

  test('is told of in the statistics, with the message that is suspected', async () => {
    const { clock, broker, gateway, emit } = scene();
    broker.minds = ({ name }) => name === 'up/forbidden';
    await advance(clock, 1000);
    emit('forbidden', 'alarm');
    emit('other', 'x');
    await advance(clock, 10_000);
    expect(gateway.bridge.report()).toMatchObject({
      held_up: { name: 'up/forbidden', bytes: 5, cuts: 3 },
      queue: { messages: 2 },
    });
    gateway.bridge.publish();
    const stats = JSON.parse(gateway.lastValue('$slipway/bridges/up/stats') ?? '');
    expect(stats.held_up.name).toBe('up/forbidden');
  });

  test('for all on some names: these are dropped one by one, and each other one arrives, once and in order', () =>
    forSeedsInTurn(10, async (seed) => {
      const { clock, broker, texts, emit, held, dropped } = scene({ seed });
      broker.minds = ({ name }) => name.startsWith('up/no');
      await advance(clock, 1000);
      const sent = numbers(40);
      const kept: string[] = [];
      for (const text of sent) {
        const forbidden = Number(text) % 4 === 1;
        emit(forbidden ? `no/${broker.random.below(3)}` : 'yes', text, (1 + broker.random.below(2)) as Qos);
        if (!forbidden) kept.push(text);
      }
      for (const text of numbers(10, 40)) {
        await advance(clock, 5 * MINUTE_MS);
        emit('yes', text);
        kept.push(text);
      }
      await until(clock, () => held() === 0, HOUR_MS, 'the queue is empty');
      expect(dropped()).toBe(10);
      expect(texts()).toEqual(kept);
      expect(broker.violations).toEqual([]);
    }));

  test('keeps a message that nothing waits behind, until something does', async () => {
    const { clock, broker, emit, held, dropped, texts } = scene();
    broker.minds = ({ name }) => name === 'up/no';
    await advance(clock, 1000);
    emit('no', 'alone');
    await advance(clock, HOUR_MS);
    expect([held(), dropped()]).toEqual([1, 0]);
    const { length } = texts();
    for (let n = 0; n < 1000; n++) {
      emit('live', 'x', 0);
      await advance(clock, 1000);
    }
    expect(texts().length - length).toBeGreaterThan(900);
    broker.taken.length = 0;
    for (const text of numbers(10)) emit('yes', text);
    await until(clock, () => held() === 0, 3 * MINUTE_MS, 'the queue is empty');
    expect(dropped()).toBe(1);
    expect(texts()).toEqual(numbers(10));
  });

  test('and takes it after all, once it was allowed there: it arrives', () =>
    forSeedsInTurn(20, async (seed) => {
      const { clock, broker, emit, held, dropped, texts } = scene({ seed });
      broker.minds = ({ name }) => name === 'up/no';
      await advance(clock, 1000);
      emit('no', 'alarm');
      for (const text of numbers(30)) emit('yes', text);
      // Long before it would be dropped, or shortly.
      await advance(clock, broker.random.below(85_000));
      broker.minds = () => false;
      await until(clock, () => held() === 0, 2 * MINUTE_MS, 'the queue is empty');
      expect(dropped()).toBe(0);
      expect([...texts()].sort()).toEqual([...numbers(30), 'alarm'].sort());
      expect(broker.violations).toEqual([]);
    }));

  test('for one of QoS 0 or a subscription, or for how long it stands: no message is dropped for that', () =>
    forSeedsInTurn(10, async (seed) => {
      const { clock, broker, emit, gateway, dropped, texts } = scene({ seed });
      await advance(clock, 1000);
      const device = gateway.device('device');
      broker.interestRefusal = () => {
        broker.cut();
        return 'no right to it';
      };
      for (let n = 0; n < 400; n++) {
        emit('yes', `${n}`, (1 + (n % 2)) as Qos);
        if (broker.random.chance(0.3)) broker.cut();
        if (n === 100) device.subscribe('down/#', 1);
        await advance(clock, broker.random.below(2000));
      }
      broker.interestRefusal = () => undefined;
      await advance(clock, 5 * MINUTE_MS);
      expect(dropped()).toBe(0);
      expect(texts()).toEqual(numbers(400));
    }));
});

describe('a broker that closes the connection for reasons of its own', () => {
  const weather = { delay: 200, jitter: 300, ackDelay: 500, loss: 0, notice: 2000 };

  test('never has a message dropped, however often that happens, and at whatever moment', async () => {
    let suspected = 0;
    await forSeedsInTurn(15, async (seed) => {
      const { clock, broker, gateway, said, emit, held, dropped, texts } = scene({
        seed,
        in_flight: 1 + (seed % 20),
        broker: { faults: { ...weather, loss: 0.01 + (seed % 5) * 0.05 }, nodes: 3 },
      });
      const { random } = broker;
      const sent = numbers(300);
      for (const text of sent) {
        emit(`${random.below(4)}`, text, (1 + random.below(2)) as Qos);
        if (random.chance(0.1)) broker.cut();
        if (random.chance(0.03)) broker.stop(broker.nodes[random.below(3)]);
        if (random.chance(0.05)) broker.start();
        await advance(clock, 500 + random.below(2500));
        if (random.chance(0.02)) gateway.restart();
      }
      broker.start();
      await until(clock, () => held() === 0, 24 * HOUR_MS, 'the queue is empty');
      expect(dropped()).toBe(0);
      suspected += said('is sent alone now').length;
      expect([...new Set(texts())].sort()).toEqual([...sent].sort());
      expect(broker.violations).toEqual([]);
    });
    expect(suspected).toBeGreaterThan(5);
  }, 120_000);

  test.each([
    ['closes it for all that is sent', () => () => true],
    [
      'closes it for all that is sent to one of its nodes',
      ({ nodes }: SimulatedBroker) =>
        (_: unknown, node: unknown) =>
          node === nodes[0],
    ],
    [
      'closes it for every other one',
      ({ random }: SimulatedBroker) =>
        () =>
          random.chance(0.3),
    ],
  ])('and that %s: nothing is dropped, and all goes when that is over', async (_what, minds) => {
    await forSeedsInTurn(20, async (seed) => {
      const { clock, broker, emit, held, dropped, texts } = scene({ seed, broker: { nodes: 2 } });
      broker.minds = minds(broker);
      await advance(clock, 1000);
      const sent = numbers(60);
      for (const text of sent) {
        emit(`${broker.random.below(20)}`, text, (1 + broker.random.below(2)) as Qos);
        await advance(clock, broker.random.below(60_000));
      }
      broker.minds = () => false;
      await until(clock, () => held() === 0, 10 * MINUTE_MS, 'the queue is empty');
      expect(dropped()).toBe(0);
      expect([...texts()].sort()).toEqual([...sent].sort());
      expect(broker.violations).toEqual([]);
    });
  });

  test('that closes it for all says so, once', async () => {
    const { clock, broker, emit, said, dropped } = scene();
    broker.minds = () => true;
    for (const text of numbers(100)) emit(text, text);
    await advance(clock, HOUR_MS);
    expect(dropped()).toBe(0);
    expect(said('for all that is sent')).toHaveLength(1);
  });
});
