import { describe, expect, test } from 'vitest';
import type { Faults } from '../support/faulty-wire.js';
import { forSeeds } from '../support/seeds.js';
import { EngineDevice, Simulation } from '../support/simulation.js';

const MESSAGES = 40;

/** One run: two senders, one receiver, every link as bad as the seed makes it. Returns what went wrong, if anything. */
function run(seed: number): void {
  const simulation = new Simulation(seed);
  const { random, clock } = simulation;
  const faults = (): Faults => ({
    loss: random.next() * 0.2,
    duplicate: random.next() * 0.3,
    corrupt: random.next() * 0.2,
    delay: 1 + random.next() * 50,
    jitter: random.next() * 100,
  });
  const window = () => 1 + random.below(32);
  const senders = ['a', 'b'].map(
    (name) => new EngineDevice(simulation, name, { limits: { window: window(), inFlight: window() } }),
  );
  const receiver = new EngineDevice(simulation, 'r', {
    limits: { window: window(), buffer: random.chance(0.5) ? 64 : 0 },
  });
  receiver.subscribe('data/+', 2);
  const devices = [...senders, receiver];
  const kinds = devices.map(() => (random.chance(0.5) ? ('udp' as const) : ('serial' as const)));
  for (const [i, device] of devices.entries())
    simulation.connect(kinds[i] as 'udp' | 'serial', device, faults());
  clock.until(
    () => devices.every((device) => device.session.state === 'ready'),
    120_000,
    'all are connected',
  );
  clock.until(() => receiver.session.engine.pending === 0, 60_000, 'the subscription is made');

  const sent = new Map<string, string[]>();
  for (const [i, sender] of senders.entries()) {
    const texts = Array.from({ length: MESSAGES }, (_, n) => `${i}-${n}-${'x'.repeat(random.below(20))}`);
    sent.set(`data/${i}`, texts);
    for (const text of texts) {
      sender.emit(`data/${i}`, text, random.chance(0.5) ? 1 : 2);
    }
  }
  const before = simulation.packets;
  clock.until(
    () => senders.every((sender) => sender.outcomes.length === MESSAGES),
    600_000,
    'all is acknowledged',
  );
  clock.until(
    () => simulation.hub.sessions.get('r')?.engine.pending === 0 && receiver.received.length >= 2 * MESSAGES,
    600_000,
    'all is delivered',
  );
  clock.advance(30_000);
  for (const [channel, texts] of sent) {
    expect(
      receiver.received.filter((message) => message.channel === channel).map((message) => message.text),
    ).toEqual(texts);
  }
  for (const sender of senders)
    expect(sender.outcomes.every((outcome) => outcome.endsWith(' ok'))).toBe(true);
  expect(simulation.packets - before).toBeLessThan(6000);
}

describe('a system on lossy links', () => {
  test('delivers what it acknowledged, once and in order', () => forSeeds(1000, run), 300_000);
});
