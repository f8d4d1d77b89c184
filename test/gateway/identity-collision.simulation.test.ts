import { describe, expect, test } from 'vitest';
import type { Faults } from '../support/faulty-wire.js';
import type { Random } from '../support/random.js';
import { forSeeds } from '../support/seeds.js';
import { EngineDevice, Simulation } from '../support/simulation.js';

function badFaults(random: Random): Faults {
  return {
    loss: random.next() * 0.2,
    duplicate: random.next() * 0.2,
    corrupt: random.next() * 0.1,
    delay: 1 + random.next() * 40,
    jitter: random.next() * 60,
    late: random.next() * 0.2,
  };
}

describe('two boards with one identity (PROTOCOL.md §4.4)', () => {
  test('the newcomer is refused and the old one left alone, until that is gone', () => {
    forSeeds(60, (seed) => {
      const simulation = new Simulation(seed);
      const { random, clock } = simulation;
      // No loss here: a PING that is lost on its way makes a live board look like a dead one.
      const faults = () => ({ ...badFaults(random), loss: 0, corrupt: 0 });
      const [old, newcomer, sender] = ['twin', 'twin', 's'].map(
        (name) => new EngineDevice(simulation, name),
      ) as [EngineDevice, EngineDevice, EngineDevice];
      old.subscribe('data/+', 1);
      const link = simulation.connect(random.chance(0.5) ? 'udp' : 'serial', old, faults());
      simulation.connect('udp', sender, faults());
      clock.until(
        () => old.session.state === 'ready' && sender.session.state === 'ready',
        60_000,
        'both are up',
      );
      clock.until(() => old.session.engine.pending === 0, 60_000, 'subscribed');
      simulation.connect(random.chance(0.5) ? 'udp' : 'serial', newcomer, faults());
      for (let n = 0; n < 30; n++) {
        sender.emit('data/x', `${n}`, 1);
        clock.advance(1000);
      }
      expect(newcomer.session.state).toBe('greeting');
      expect(newcomer.refusals.map(({ reason }) => reason)).toContain('identity_in_use');
      expect(new Set(newcomer.refusals.map(({ reason }) => reason)).size).toBe(1);
      expect([old.lost, old.readies]).toEqual([0, 1]);
      clock.until(() => old.received.length === 30, 10_000, 'the old one gets everything');
      expect(old.received.map(({ text }) => text)).toEqual(Array.from({ length: 30 }, (_, n) => `${n}`));
      expect(simulation.counters.get('session.identity_collisions')).toBeGreaterThan(0);
      link.cut();
      // A refusal that was delayed on its way puts its next try off once more.
      clock.until(() => newcomer.session.state === 'ready', 60_000, 'the newcomer gets in');
      expect(newcomer.received).toEqual([]);
    });
  });
});
