import { describe, expect, test } from 'vitest';
import type { Qos } from '../../src/wire/messages.js';
import type { Faults } from '../support/faulty-wire.js';
import { Disk } from '../support/memory-backend.js';
import { forSeeds } from '../support/seeds.js';
import { EngineDevice, Simulation } from '../support/simulation.js';

const MESSAGES = 40;

/** Two devices on bad links, and a gateway that is killed again and again and restarted from its disk. */
function run(seed: number): void {
  const simulation = new Simulation(seed);
  const { random, clock } = simulation;
  const disk = new Disk();
  const maxCommitMs = random.chance(0.5) ? 20 : 1000;
  simulation.startGateway(disk, maxCommitMs);
  const faults = (): Faults => ({
    loss: random.next() * 0.1,
    duplicate: random.next() * 0.1,
    corrupt: random.next() * 0.1,
    delay: 1 + random.next() * 20,
    jitter: random.next() * 30,
  });
  const sender = new EngineDevice(simulation, 'sender');
  const receiver = new EngineDevice(simulation, 'receiver', { limits: { window: 1 + random.below(16) } });
  const kind = () => (random.chance(0.5) ? ('udp' as const) : ('serial' as const));
  const connect = () => [sender, receiver].map((device) => simulation.connect(kind(), device, faults()));
  let links = connect();
  receiver.subscribe('x/#', 2);
  const settled = () => simulation.router.sizes.subscriptions === 1 && receiver.session.engine.pending === 0;
  clock.until(settled, 120_000, 'the subscription stands');

  const texts = Array.from({ length: MESSAGES }, (_, n) => `${n}`);
  const kill = () => {
    for (const link of links) link.cut();
    simulation.startGateway(disk, maxCommitMs);
    if (random.chance(0.3)) clock.advance(random.below(2000));
    links = connect();
  };
  for (const text of texts) {
    sender.emit(`x/${random.below(6)}`, text, (1 + random.below(2)) as Qos);
    if (random.chance(0.7)) clock.advance(random.below(120));
    if (random.chance(0.15)) {
      for (const link of links) link.cut();
      links = connect();
      clock.advance(random.below(500));
    }
    if (random.chance(0.15)) kill();
  }
  clock.until(() => sender.outcomes.length === MESSAGES, 300_000, 'the sender has its acknowledgements');
  // What is acknowledged is safe from here on, wherever it is.
  kill();
  clock.until(() => receiver.received.length >= MESSAGES, 300_000, 'all is delivered');
  // The last acknowledgements may be lost a few times, and the resend timer has doubled with each.
  const atRest = () => simulation.hub.sessions.get('receiver')?.engine.pending === 0;
  clock.until(atRest, 120_000, 'all is acknowledged');
  clock.advance(20_000);
  expect(sender.outcomes).toEqual(texts.map((text) => `${text} ok`));
  expect(receiver.received.map(({ text }) => text)).toEqual(texts);
  // Both the gateway and its disk come to rest with nothing left over.
  const [kept] = disk.read().sessions.filter(({ identity }) => identity === 'receiver');
  expect(kept?.messages).toEqual([]);
  expect(simulation.router.sizes.subscriptions).toBe(1);
}

describe('a gateway with a store (PROTOCOL.md §5.1)', () => {
  test(
    'is killed at any moment, and delivers what it acknowledged exactly once, in order',
    () => forSeeds(100, run),
    300_000,
  );
});
