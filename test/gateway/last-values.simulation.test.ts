import { describe, expect, test } from 'vitest';
import type { Faults } from '../support/faulty-wire.js';
import { forSeeds } from '../support/seeds.js';
import { EngineDevice, Simulation } from '../support/simulation.js';

/** Three devices on links as bad as the seed makes them, all connected. */
function start(seed: number) {
  const simulation = new Simulation(seed);
  const { random, clock } = simulation;
  const faults = (): Faults => ({
    loss: random.next() * 0.2,
    duplicate: random.next() * 0.2,
    corrupt: random.next() * 0.1,
    delay: 1 + random.next() * 40,
    jitter: random.next() * 60,
  });
  const kind = () => (random.chance(0.5) ? ('udp' as const) : ('serial' as const));
  const connect = (device: EngineDevice) => simulation.connect(kind(), device, faults());
  const devices = ['a', 'b', 'c'].map((name) => new EngineDevice(simulation, name)) as [
    EngineDevice,
    EngineDevice,
    EngineDevice,
  ];
  const links = devices.map(connect);
  const ready = () =>
    clock.until(
      () => devices.every(({ session }) => session.state === 'ready'),
      300_000,
      'all are connected',
    );
  /** Until everything reliable is through, both ways. */
  const quiet = () => {
    clock.until(
      () =>
        devices.every(({ session }) => session.engine.pending === 0) &&
        [...simulation.hub.sessions.values()].every(({ engine }) => engine.pending === 0),
      600_000,
      'all is through',
    );
    clock.advance(1000);
  };
  ready();
  return { simulation, random, clock, devices, links, connect, ready, quiet };
}

describe('last values on lossy links (PROTOCOL.md §6.5)', () => {
  test('after a resume come the last values that changed meanwhile, each once, and those only', () => {
    forSeeds(100, (seed) => {
      const { devices, links, connect, ready, quiet, clock, random } = start(seed);
      const [a, b] = devices;
      for (const channel of ['v/0', 'v/1', 'v/2']) a.emit(channel, 'before', 1, true);
      b.subscribe('v/#', 1);
      quiet();
      links[1]?.cut();
      const known = b.received.length;
      // What is emitted at QoS 0 is not held for the absent: only the last value tells of it.
      const values: [string, string][] = [
        ['v/1', 'after'],
        ['v/2', ''],
        ['v/3', 'new'],
        ['v/3', 'newest'],
      ];
      // One by one, each until it is through: at QoS 0 it could be lost on its way.
      for (const [channel, text] of values) {
        a.emit(channel, text, 1, true);
        clock.until(() => a.session.engine.pending === 0, 300_000, 'the value is set');
      }
      clock.advance(random.below(5000));
      connect(b);
      ready();
      quiet();
      const since = b.received.slice(known);
      const held = since.filter(({ retained }) => !retained).map(({ channel, text }) => [channel, text]);
      expect(held).toEqual(values);
      // Told already by what was held, or by the last value: nobody is left with an old one.
      const last = new Map(since.map(({ channel, text }) => [channel, text]));
      expect(Object.fromEntries(last)).toEqual({ 'v/1': 'after', 'v/2': '', 'v/3': 'newest' });
    });
  });

  test('what was only said at QoS 0 meanwhile is told by its last value', () => {
    forSeeds(100, (seed) => {
      const { devices, links, connect, ready, quiet, clock, simulation } = start(seed);
      const [a, b] = devices;
      b.subscribe('v/#', 1);
      a.emit('v/0', 'unchanged', 1, true);
      quiet();
      links[1]?.cut();
      const known = b.received.length;
      // Until it got through: a last value of QoS 0 can be lost on its way to the gateway like anything of QoS 0.
      for (let i = 0; simulation.router.sizes.lastValues < 2; i++) {
        if (i > 100) throw new Error('nothing of QoS 0 gets through');
        a.emit('v/1', 'meanwhile', 0, true);
        clock.advance(500);
      }
      clock.advance(2000);
      // A value of QoS 0 is delivered at QoS 0: over and over, until one arrives.
      for (let i = 0; b.received.length === known; i++) {
        if (i > 100) throw new Error('the last value never arrives');
        const link = connect(b);
        ready();
        quiet();
        if (b.received.length === known) {
          link.cut();
          a.emit('v/1', 'meanwhile', 0, true);
          clock.advance(2000);
        }
      }
      const since = b.received.slice(known);
      for (const { channel, text, retained } of since)
        expect([channel, text, retained]).toEqual(['v/1', 'meanwhile', true]);
    });
  });
});
