import { expect, it } from 'vitest';
import { CDevice } from '../support/c-device.js';
import { type Faults, NO_FAULTS } from '../support/faulty-wire.js';
import { forSeeds } from '../support/seeds.js';
import { EngineDevice, type SimulatedLink, Simulation } from '../support/simulation.js';
import { describeWithTools } from '../support/tools.js';

const MESSAGES = 30;

describeWithTools(['clang', 'wasm-ld'], 'a session of the C client outlives its links', () => {
  it('exactly once and in order through cuts, moves and restarts of the handshake', () => {
    forSeeds(200, (seed) => {
      const simulation = new Simulation(seed);
      const { random, clock } = simulation;
      const faults = (): Faults => ({
        loss: random.next() * 0.2,
        duplicate: random.next() * 0.2,
        corrupt: random.next() * 0.1,
        delay: 1 + random.next() * 40,
        jitter: random.next() * 60,
        late: random.next() * 0.2,
      });
      const kind = random.chance(0.5) ? 'udp' : 'serial';
      const board = new CDevice(simulation, 'board', kind, { slots: 2 + random.below(5) });
      const up = board.client.declare('up');
      board.client.subscribe('down', 2);
      const program = new EngineDevice(simulation, 'program');
      program.subscribe('up', 2);
      simulation.connect('udp', program, NO_FAULTS);
      let link: SimulatedLink = simulation.connect(kind, board, faults());
      const ready = () => board.client.connected && program.session.state === 'ready';
      clock.until(ready, 300_000, 'both are connected');
      clock.until(() => simulation.router.sizes.subscriptions === 2, 120_000, 'both are subscribed');

      const texts = Array.from({ length: MESSAGES }, (_, n) => `${n}${'.'.repeat(random.below(20))}`);
      const waiting = [...texts];
      for (const text of texts) program.emit('down', text, 2);
      for (let cuts = 0; cuts < 8 || waiting.length > 0; cuts++) {
        const until = clock.now() + random.below(800);
        while (clock.now() < until) {
          while (waiting[0] !== undefined && board.client.emit(up, waiting[0], { qos: 2 }) === 'ok')
            waiting.shift();
          clock.advance(5);
        }
        if (cuts >= 8) continue;
        if (random.chance(0.3)) link.restart();
        else {
          link.cut();
          clock.advance(random.below(500));
          // Neither a serial line nor a datagram tells that it is gone: only the keep-alive or the gateway does.
          link = simulation.connect(kind, board, faults());
        }
      }
      clock.until(ready, 300_000, 'the board is back');
      clock.until(() => board.client.pending === 0, 600_000, 'all is acknowledged');
      clock.until(() => board.client.received.length >= MESSAGES, 600_000, 'all is delivered');
      // Whatever is late comes now, and must change nothing.
      clock.advance(30_000);
      expect(board.client.received.map(({ text }) => text)).toEqual(texts);
      expect(program.received.map(({ text }) => text)).toEqual(texts);
    });
  }, 120_000);
});
