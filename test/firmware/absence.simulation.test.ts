import { expect, it } from 'vitest';
import { CDevice } from '../support/c-device.js';
import { type Faults, NO_FAULTS } from '../support/faulty-wire.js';
import { forSeeds } from '../support/seeds.js';
import { EngineDevice, type SimulatedLink, Simulation } from '../support/simulation.js';
import { describeWithTools } from '../support/tools.js';

/** How long the gateway waits for a word of the C client, unless that sleeps (PROTOCOL.md §4.5). */
const UNTIL_LOST_MS = 1.5 * 15_000;
const SLEEP_MS = 10 * UNTIL_LOST_MS;
const MESSAGES = ['0', '1', '2', '3', '4'];

/** A gateway; a board with the C client, which hears `down` and leaves a will on `words`; a program that hears `words`. */
class System {
  readonly simulation: Simulation;
  readonly kind: 'udp' | 'serial';
  readonly program: EngineDevice;
  board: CDevice;
  link: SimulatedLink;

  constructor(seed: number, bad: boolean) {
    this.simulation = new Simulation(seed);
    const { random, clock } = this.simulation;
    this.kind = random.chance(0.5) ? 'udp' : 'serial';
    this.program = new EngineDevice(this.simulation, 'program');
    this.program.subscribe('words', 2);
    this.simulation.connect('udp', this.program, NO_FAULTS);
    this.board = this.boot();
    this.link = this.simulation.connect(this.kind, this.board, bad ? this.badFaults() : NO_FAULTS);
    this.untilReady();
    clock.until(() => this.simulation.router.sizes.subscriptions === 2, 120_000, 'both are subscribed');
    clock.until(() => this.board.client.pending === 0, 120_000, 'the will is left');
  }

  /** A board that has just been switched on: it knows its identity, and nothing else. */
  boot(): CDevice {
    const board = new CDevice(this.simulation, 'board', this.kind);
    board.client.subscribe('down', 2);
    board.client.will(board.client.declare('words'), 'lost', { qos: 1 });
    return board;
  }

  badFaults(): Faults {
    const { random } = this.simulation;
    return {
      loss: random.next() * 0.2,
      duplicate: random.next() * 0.2,
      corrupt: random.next() * 0.1,
      delay: 1 + random.next() * 40,
      jitter: random.next() * 60,
    };
  }

  untilReady(): void {
    const ready = () => this.board.client.connected && this.program.session.state === 'ready';
    this.simulation.clock.until(ready, 300_000, 'both are connected');
  }

  fallAsleep(): void {
    this.board.client.sleep((2 * SLEEP_MS) / 1000);
    this.simulation.clock.until(() => this.board.client.asleep, 300_000, 'it sleeps');
    for (const text of MESSAGES) this.program.emit('down', text, 2);
    this.simulation.clock.advance(SLEEP_MS);
    expect(this.state).toBe('asleep');
    expect(texts(this.board.client)).toEqual([]);
  }

  untilHeard(board: CDevice): void {
    const all = () => texts(board.client).length >= MESSAGES.length;
    this.simulation.clock.until(all, 300_000, 'what was kept arrives');
    this.simulation.clock.advance(5 * UNTIL_LOST_MS);
    expect(texts(board.client)).toEqual(MESSAGES);
  }

  get state() {
    return this.simulation.hub.stateOf('board');
  }
}

const texts = ({ received }: { received: readonly { text: string }[] }) => received.map(({ text }) => text);

describeWithTools(['clang', 'wasm-ld'], 'the C client, away from its gateway', () => {
  it('sleeps undisturbed, and gets what was kept when it wakes', () => {
    forSeeds(100, (seed) => {
      const system = new System(seed, seed % 2 === 0);
      const { board } = system;
      system.fallAsleep();
      board.client.events.splice(0);
      board.client.wake();
      system.untilHeard(board);
      system.untilReady();
      expect(system.state).toBe('online');
      expect(texts(system.program)).toEqual([]);
      // On a good link nothing was lost, so it was never anything but connected.
      if (seed % 2 === 1) expect(board.client.events).toEqual([]);
    });
  }, 120_000);

  it('sleeps so deeply that it loses its RAM, and boots to what was kept', () => {
    forSeeds(100, (seed) => {
      const system = new System(seed, seed % 2 === 0);
      system.fallAsleep();
      system.board.stop();
      system.board = system.boot();
      system.link.restart(system.board);
      system.untilHeard(system.board);
      system.untilReady();
      expect(system.state).toBe('online');
      expect(texts(system.program)).toEqual([]);
    });
  }, 120_000);

  it('is missed, and its will is emitted once, unless it has taken it back or left', () => {
    forSeeds(100, (seed) => {
      const system = new System(seed, seed % 2 === 0);
      const { clock, random } = system.simulation;
      const ending = random.below(3);
      const { client } = system.board;
      if (ending === 1) client.will(0, '');
      if (ending === 2) client.leave();
      clock.advance(10_000);
      system.board.stop();
      clock.advance(10 * UNTIL_LOST_MS);
      expect(system.state).toBe('offline');
      // The BYE of one that left may be lost: then it is missed as any.
      if (ending < 2 || seed % 2 === 1) expect(texts(system.program)).toEqual(ending === 0 ? ['lost'] : []);
    });
  }, 120_000);

  it('knows the time within its uncertainty on a bad link, and within 2 ms on a good one', () => {
    forSeeds(100, (seed) => {
      const system = new System(seed, seed % 2 === 0);
      const { clock, random } = system.simulation;
      const { client } = system.board;
      for (let n = 0; n < 5; n++) {
        client.events.splice(0);
        client.askTime();
        clock.until(() => client.events.some(({ event }) => event === 'time'), 300_000, 'it is told');
        const time = client.time(Math.floor(clock.now()));
        const error = Math.abs((time?.ms ?? 0) - clock.wallTime());
        expect(error).toBeLessThanOrEqual(time?.uncertainty ?? 0);
        if (seed % 2 === 1) expect(error).toBeLessThanOrEqual(2);
        clock.advance(random.below(20_000));
      }
    });
  }, 120_000);
});
