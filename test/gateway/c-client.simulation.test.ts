import { expect, test } from 'vitest';
import { CDevice } from '../support/c-device.js';
import type { Faults } from '../support/faulty-wire.js';
import { forSeeds } from '../support/seeds.js';
import { EngineDevice, Simulation } from '../support/simulation.js';
import { describeWithTools } from '../support/tools.js';

const MESSAGES = 20;

/** The C client emits and is emitted to, on a link as bad as the seed makes it. */
function run(seed: number): void {
  const simulation = new Simulation(seed);
  const { random, clock } = simulation;
  const faults = (): Faults => ({
    loss: random.next() * 0.2,
    duplicate: random.next() * 0.2,
    corrupt: random.next() * 0.2,
    delay: 1 + random.next() * 30,
    jitter: random.next() * 50,
  });
  const kind = random.chance(0.5) ? 'udp' : 'serial';
  const board = new CDevice(simulation, 'board', kind, {
    loopMs: 1 + random.below(4),
    slots: 2 + random.below(5),
  });
  const up = board.client.declare('up');
  board.client.subscribe('down/+', 1);
  const program = new EngineDevice(simulation, 'program');
  program.subscribe('up', 2);
  simulation.connect(kind, board, faults());
  simulation.connect('udp', program, faults());
  clock.until(
    () => board.client.connected && program.session.state === 'ready',
    120_000,
    'both are connected',
  );
  clock.until(() => simulation.router.sizes.subscriptions === 2, 120_000, 'both are subscribed');

  const texts = Array.from({ length: MESSAGES }, (_, n) => `${n}${'.'.repeat(random.below(20))}`);
  for (const text of texts) program.emit('down/x', text, 1);
  for (const text of texts) {
    clock.until(
      () => board.client.emit(up, text, { qos: 1 + random.below(2) }) === 'ok',
      300_000,
      'the window has room again',
    );
  }
  clock.until(() => program.outcomes.length === MESSAGES, 300_000, 'the program has its acknowledgements');
  clock.until(
    () => program.received.length >= MESSAGES && board.client.received.length >= MESSAGES,
    600_000,
    'all is delivered',
  );
  clock.advance(20_000);
  expect(program.received.map(({ text }) => text)).toEqual(texts);
  expect(board.client.received.map(({ text }) => text)).toEqual(texts);
}

describeWithTools(['clang', 'wasm-ld'], 'the C client and the gateway', () => {
  test('agree on lossy links, both ways', () => forSeeds(1000, run), 300_000);
});
