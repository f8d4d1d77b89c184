import { expect, test } from 'vitest';
import { CDevice } from '../support/c-device.js';
import type { Faults } from '../support/faulty-wire.js';
import { forSeeds } from '../support/seeds.js';
import { EngineDevice, Simulation } from '../support/simulation.js';
import { describeWithTools } from '../support/tools.js';

const ROUNDS = 5;
const A_ROUND = 3;

/** A sensor that sleeps again and again with its chip off, asks the time, and is lost in the end. */
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
  const board = new CDevice(simulation, 'board', kind, { loopMs: 1 + random.below(4) });
  const { client } = board;
  client.subscribe('down/+', 1);
  expect(client.will(client.declare('gone'), 'board', { qos: 1 })).toBe('ok');
  const program = new EngineDevice(simulation, 'program');
  program.subscribe('gone', 2);
  simulation.connect(kind, board, faults());
  simulation.connect('udp', program, faults());
  clock.until(() => simulation.router.sizes.subscriptions === 2, 240_000, 'both are subscribed');
  const states = () => simulation.presence.filter((text) => text.startsWith('board'));

  const texts: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    client.sleep(120);
    clock.until(() => client.asleep, 120_000, 'the board may power down');
    expect(simulation.hub.stateOf('board')).toBe('asleep');
    board.stop();
    for (let n = 0; n < A_ROUND; n++) {
      texts.push(`${round}-${n}`);
      program.emit('down/x', `${round}-${n}`, 1);
    }
    clock.advance(60_000 + random.below(60_000));
    expect(client.received).toHaveLength(round * A_ROUND);
    board.resume();
    client.wake();
    clock.until(() => client.received.length === texts.length, 300_000, 'what was held is delivered');
    const timed = () => client.events.filter(({ event }) => event === 'time').length;
    const before = timed();
    client.askTime();
    clock.until(() => timed() > before, 120_000, 'the board knows the time');
    const time = client.time(Math.floor(clock.now()));
    const error = Math.abs((time?.ms ?? 0) - clock.wallTime());
    expect(error).toBeLessThanOrEqual((time?.uncertainty ?? 0) + 1);
  }
  expect(client.received.map(({ text }) => text)).toEqual(texts);
  // It never was away, and so its will not due.
  expect(states().filter((text) => text.endsWith('offline'))).toEqual([]);
  clock.advance(20_000);
  expect(program.received).toEqual([]);
  board.stop();
  clock.until(() => program.received.length > 0, 120_000, 'it is missed');
  expect(program.received.map(({ text }) => text)).toEqual(['board']);
  expect(states().at(-1)).toBe('board offline');
}

describeWithTools(['clang', 'wasm-ld'], 'the C client and the gateway (PROTOCOL.md §4.7)', () => {
  test('agree on sleep, time and will on lossy links', () => forSeeds(150, run), 300_000);
});
