import { describe, expect, test } from 'vitest';
import type { Qos } from '../../src/wire/messages.js';
import { BridgedGateway } from '../support/bridged-gateway.js';
import { Disk } from '../support/memory-backend.js';
import type { Random } from '../support/random.js';
import { forSeedsInTurn } from '../support/seeds.js';
import { type BrokerFaults, SimulatedBroker } from '../support/simulated-broker/broker.js';
import { advance, until } from '../support/turns.js';
import { VirtualClock } from '../support/virtual-clock.js';

const MESSAGES = 40;
const HOUR_MS = 3_600_000;

function faults(random: Random): BrokerFaults {
  return {
    delay: 1 + random.next() * 20,
    jitter: random.next() * 30,
    ackDelay: random.next() * 100,
    loss: random.next() * 0.05,
    notice: random.next() * 500,
  };
}

interface Scene {
  readonly clock: VirtualClock;
  readonly broker: SimulatedBroker;
  readonly gateway: BridgedGateway;
  readonly random: Random;
  /** Something breaks, or is well again. */
  trouble: () => Promise<void>;
  /** Nothing is broken any more. */
  mend: () => void;
}

/** A gateway with a disk and a cluster of three, of which anything may break at any moment. */
function scene(seed: number, exactlyOnce: boolean): Scene {
  const clock = new VirtualClock();
  const broker = new SimulatedBroker(clock, seed, { nodes: 3, exactlyOnce, echo: seed % 2 === 0 });
  const { random } = broker;
  broker.faults = faults(random);
  const gateway = new BridgedGateway({
    clock,
    seed,
    disk: new Disk(),
    maxCommitMs: random.chance(0.5) ? 20 : 500,
    bridges: [
      {
        broker,
        rules: [
          { pattern: 'up/#', direction: 'out', qos: 2, remote: 'all/up/#' },
          { pattern: 'down/#', direction: 'in', qos: 2, remote: 'all/down/#' },
        ],
        in_flight: 1 + random.below(20),
      },
    ],
  });
  const mend = () => {
    broker.start();
    for (const node of broker.nodes) broker.heal(node);
  };
  const trouble = async () => {
    const node = broker.nodes[random.below(broker.nodes.length)];
    if (random.chance(0.1)) gateway.restart();
    if (random.chance(0.05)) await gateway.restartGently();
    if (random.chance(0.1)) broker.cut();
    if (random.chance(0.05)) broker.stop(random.chance(0.3) ? undefined : node);
    if (node && random.chance(0.05)) broker.isolate(node);
    if (random.chance(0.2)) mend();
    if (random.chance(0.7)) await advance(clock, random.below(120));
    if (random.chance(0.03)) await advance(clock, random.below(20_000));
  };
  return { clock, broker, gateway, random, trouble, mend };
}

/** What came for the first time, in that order; and all that came at QoS 2. */
function accounts(messages: readonly { text: string; qos: Qos }[]): { first: string[]; qos2: string[] } {
  return {
    first: [...new Set(messages.map(({ text }) => text))],
    qos2: messages.filter(({ qos }) => qos === 2).map(({ text }) => text),
  };
}

function numbered(random: Random): { text: string; qos: 1 | 2 }[] {
  return Array.from({ length: MESSAGES }, (_, n) => ({ text: `${n}`, qos: random.chance(0.5) ? 1 : 2 }));
}

async function out(seed: number, exactlyOnce: boolean): Promise<number> {
  const { clock, broker, gateway, random, trouble, mend } = scene(seed, exactlyOnce);
  const sender = gateway.device('sender');
  const sent = numbered(random);
  for (const { text, qos } of sent) {
    sender.emit(`up/${random.below(4)}`, text, qos);
    await trouble();
  }
  await until(
    clock,
    () => sender.outcomes.length === MESSAGES,
    HOUR_MS,
    'the sender has its acknowledgements',
  );
  expect(sender.outcomes).toEqual(sent.map(({ text }) => `${text} ok`));
  // What is acknowledged is safe from here on, wherever it is.
  gateway.restart();
  mend();
  await until(clock, () => gateway.bridge.report().queue.messages === 0, HOUR_MS, 'the queue is empty');
  await advance(clock, 10_000);
  expect(broker.violations).toEqual([]);
  const { first, qos2 } = accounts(broker.taken);
  expect(first).toEqual(sent.map(({ text }) => text));
  expect(qos2).toEqual(sent.filter(({ qos }) => qos === 2).map(({ text }) => text));
  expect(broker.taken.every(({ name }) => name.startsWith('all/up/'))).toBe(true);
  return broker.taken.length - MESSAGES;
}

async function into(seed: number, exactlyOnce: boolean): Promise<number> {
  const { clock, broker, gateway, random, trouble, mend } = scene(seed, exactlyOnce);
  const receiver = gateway.device('receiver');
  receiver.subscribe('down/#', 2);
  const asked = () => Object.keys(broker.interestsOf('site-up')).length > 0;
  await until(clock, asked, HOUR_MS, 'upstream is asked');
  // What was asked for by a gateway that has not written it down yet may be forgotten.
  await advance(clock, 5000);
  const sent = numbered(random);
  for (const { text, qos } of sent) {
    broker.publish(`all/down/${random.below(4)}`, text, { qos });
    await trouble();
  }
  mend();
  await until(clock, () => broker.session('site-up').held.length === 0, HOUR_MS, 'all is taken');
  gateway.restart();
  const all = () => new Set(receiver.received.map(({ text }) => text)).size === MESSAGES;
  await until(clock, all, HOUR_MS, 'all is delivered');
  await advance(clock, 10_000);
  expect(broker.violations).toEqual([]);
  const { first, qos2 } = accounts(receiver.received);
  expect(first).toEqual(sent.map(({ text }) => text));
  expect(qos2).toEqual(sent.filter(({ qos }) => qos === 2).map(({ text }) => text));
  expect(gateway.count('drop.offline')).toBe(0);
  return receiver.received.length - MESSAGES;
}

/** Devices of two gateways emit to each other, both of which are killed again and again. */
async function across(seed: number, exactlyOnce: boolean): Promise<void> {
  const clock = new VirtualClock();
  const broker = new SimulatedBroker(clock, seed, { nodes: 3, exactlyOnce, echo: seed % 2 === 0 });
  const { random } = broker;
  broker.faults = faults(random);
  const rules = [{ pattern: 'x/#', direction: 'both', qos: 2 }] as const;
  const sites = ['left', 'right'].map((name, n) => {
    const bridges = [{ broker, rules, in_flight: 1 + random.below(20) }];
    const gateway = new BridgedGateway({ clock, seed: seed + n, name, disk: new Disk(), bridges });
    const device = gateway.device(`${name}-device`);
    device.subscribe('x/#', 2, { noLocal: true });
    return { name, gateway, device, sent: numbered(random) };
  });
  const asked = () => sites.every(({ name }) => 'x/#' in broker.interestsOf(`${name}-up`));
  await until(clock, asked, HOUR_MS, 'upstream is asked');
  await advance(clock, 5000);
  for (let n = 0; n < MESSAGES; n++) {
    for (const { gateway, device, sent } of sites) {
      const { text, qos } = sent[n] ?? { text: '', qos: 1 };
      device.emit(`x/${random.below(3)}`, text, qos);
      if (random.chance(0.1)) gateway.restart();
      if (random.chance(0.5)) await advance(clock, random.below(200));
    }
    if (random.chance(0.1)) broker.stop(broker.nodes[random.below(4)]);
    if (random.chance(0.2)) broker.start();
  }
  broker.start();
  const acknowledged = () => sites.every(({ device }) => device.outcomes.length === MESSAGES);
  await until(clock, acknowledged, HOUR_MS, 'all is acknowledged');
  for (const { gateway } of sites) gateway.restart();
  const done = () =>
    sites.every(({ device }) => new Set(device.received.map(({ text }) => text)).size === MESSAGES);
  await until(clock, done, HOUR_MS, 'all is delivered');
  await advance(clock, 30_000);
  expect(broker.violations).toEqual([]);
  for (const [n, { device }] of sites.entries()) {
    const sent = sites[1 - n]?.sent ?? [];
    const { first, qos2 } = accounts(device.received);
    expect(first).toEqual(sent.map(({ text }) => text));
    expect(qos2).toEqual(sent.filter(({ qos }) => qos === 2).map(({ text }) => text));
    if (exactlyOnce) expect(device.received).toHaveLength(MESSAGES);
  }
}

describe('a bridge, whatever breaks', () => {
  test('carries out what was acknowledged: none is lost, nor one of QoS 2 repeated, and in order', async () => {
    let repeated = 0;
    await forSeedsInTurn(40, async (seed) => {
      const exactlyOnce = seed % 3 > 0;
      const more = await out(seed, exactlyOnce);
      if (exactlyOnce) expect(more).toBe(0);
      repeated += more;
    });
    // What QoS 1 may do: if it never did, connections broke at no bad moment.
    expect(repeated).toBeGreaterThan(0);
  }, 300_000);

  test('carries in what upstream holds: none is lost, nor one of QoS 2 repeated, and in order', async () => {
    let repeated = 0;
    await forSeedsInTurn(40, async (seed) => {
      const exactlyOnce = seed % 3 > 0;
      const more = await into(seed, exactlyOnce);
      if (exactlyOnce) expect(more).toBe(0);
      repeated += more;
    });
    expect(repeated).toBeGreaterThan(0);
  }, 300_000);

  test(
    'carries from the devices of one gateway to those of another, and back',
    () => forSeedsInTurn(25, (seed) => across(seed, seed % 3 > 0)),
    300_000,
  );
});
