import { describe, expect, test } from 'vitest';
import type { Faults } from '../support/faulty-wire.js';
import type { Random } from '../support/random.js';
import { forSeeds } from '../support/seeds.js';
import {
  EngineDevice,
  type SimulatedLink,
  Simulation,
  type SimulationLimits,
  say,
} from '../support/simulation.js';

const NO_FAULTS: Faults = { loss: 0, duplicate: 0, corrupt: 0, delay: 5, jitter: 0 };
const KEEP_ALIVE_S = 10;
const GRACE_MS = 1.5 * KEEP_ALIVE_S * 1000;

const badFaults = (random: Random): Faults => ({
  loss: random.next() * 0.2,
  duplicate: random.next() * 0.2,
  corrupt: random.next() * 0.1,
  delay: 1 + random.next() * 40,
  jitter: random.next() * 60,
});

interface System {
  readonly simulation: Simulation;
  readonly sleeper: EngineDevice;
  readonly sender: EngineDevice;
  readonly link: SimulatedLink;
}

function start(
  kind: 'udp' | 'serial',
  seed = 1,
  faults: (random: Random) => Faults = () => NO_FAULTS,
  limits: SimulationLimits['hub'] = {},
): System {
  const simulation = new Simulation(seed, { hub: limits });
  const { clock, random } = simulation;
  const [sleeper, sender] = ['sleeper', 'sender'].map(
    (name) => new EngineDevice(simulation, name, { keepAlive: KEEP_ALIVE_S }),
  ) as [EngineDevice, EngineDevice];
  sleeper.subscribe('data/#', 2);
  const link = simulation.connect(kind, sleeper, faults(random));
  simulation.connect('udp', sender, faults(random));
  const ready = () => sleeper.session.state === 'ready' && sender.session.state === 'ready';
  clock.until(ready, 120_000, 'both are connected');
  clock.until(() => sleeper.session.engine.pending === 0, 60_000, 'subscribed');
  return { simulation, sleeper, sender, link };
}

function fallAsleep({ simulation, sleeper }: System, seconds: number): void {
  sleeper.sleep(seconds);
  simulation.clock.until(() => sleeper.asleep, 60_000, 'asleep');
}

const heard = ({ sleeper }: System) => sleeper.received.map(({ text }) => text);
const presence = ({ simulation }: System) =>
  simulation.presence.filter((text) => text.startsWith('sleeper')).map((text) => text.split(' ')[1]);

describe.each(['udp', 'serial'] as const)('a device that sleeps (PROTOCOL.md §4.7), on %s', (kind) => {
  test('gets what was held for it when it wakes, and nothing before', () => {
    const system = start(kind);
    const { simulation, sleeper, sender } = system;
    fallAsleep(system, 3600);
    expect(simulation.hub.stateOf('sleeper')).toBe('asleep');
    for (let n = 0; n < 5; n++) {
      sender.emit('data/reliable', `r${n}`, 1);
      sender.emit('data/unreliable', `u${n}`, 0);
      simulation.router.broadcast(Buffer.from(`b${n}`), { qos: 1, retain: false });
    }
    simulation.clock.advance(3_000_000);
    expect(sender.outcomes).toEqual(Array.from({ length: 5 }, (_, n) => `r${n} ok`));
    expect([sleeper.unheard, heard(system)]).toEqual([0, []]);
    sleeper.wake();
    simulation.clock.advance(1000);
    const [texts, fives] = [heard(system), Array.from({ length: 5 }, (_, n) => n)];
    expect(texts.filter((text) => text.startsWith('r'))).toEqual(fives.map((n) => `r${n}`));
    expect(texts.filter((text) => text.startsWith('b'))).toEqual(fives.map((n) => `b${n}`));
    expect(texts.filter((text) => text.startsWith('u'))).toEqual(['u4']);
    expect([sleeper.lost, presence(system)]).toEqual([0, ['online', 'asleep', 'online']]);
  });

  test('wakes by itself when its time is over', () => {
    const system = start(kind);
    fallAsleep(system, 600);
    system.simulation.clock.advance(599_000);
    expect(presence(system)).toEqual(['online', 'asleep']);
    system.simulation.clock.advance(5000);
    expect(presence(system)).toEqual(['online', 'asleep', 'online']);
    expect(system.sleeper.lost).toBe(0);
  });

  test('that does not wake is offline one and a half keep-alives after its time', () => {
    const system = start(kind);
    const { simulation, sleeper } = system;
    fallAsleep(system, 600);
    sleeper.die();
    simulation.clock.advance(600_000 + GRACE_MS - 2000);
    expect(presence(system)).toEqual(['online', 'asleep']);
    simulation.clock.advance(4000);
    expect(presence(system)).toEqual(['online', 'asleep', 'offline']);
  });

  test('is asleep whatever becomes of its link, until its time is over', () => {
    const system = start(kind);
    const { simulation, sender, link, sleeper } = system;
    fallAsleep(system, 600);
    link.cut();
    sleeper.die();
    sender.emit('data/held', 'reliable', 1);
    sender.emit('data/kept', 'first', 0);
    sender.emit('data/kept', 'last', 0);
    simulation.clock.advance(600_000 + GRACE_MS - 2000);
    expect(presence(system)).toEqual(['online', 'asleep']);
    simulation.clock.advance(4000);
    expect(presence(system)).toEqual(['online', 'asleep', 'offline']);
  });

  test('that boots when it wakes gets all that was held for it', () => {
    const system = start(kind);
    const { simulation, sender, link } = system;
    fallAsleep(system, 600);
    link.cut();
    sender.emit('data/held', 'reliable', 1);
    sender.emit('data/kept', 'first', 0);
    sender.emit('data/kept', 'last', 0, true);
    simulation.clock.advance(1000);
    simulation.router.broadcast(Buffer.from('to all'), { qos: 1, retain: false });
    simulation.clock.advance(300_000);
    const reborn = new EngineDevice(simulation, 'sleeper', { keepAlive: KEEP_ALIVE_S });
    simulation.connect('udp', reborn, NO_FAULTS);
    simulation.clock.advance(2000);
    // Each once: the retained one comes as what was kept, and not as a last value besides.
    expect(reborn.received.map(({ text, retained }) => [text, retained])).toEqual([
      ['reliable', false],
      ['to all', false],
      ['last', false],
    ]);
    expect(presence(system)).toEqual(['online', 'asleep', 'online']);
  });

  test('and boots at another address is not mistaken for a second board', () => {
    const system = start(kind);
    const { simulation } = system;
    fallAsleep(system, 600);
    const reborn = new EngineDevice(simulation, 'sleeper', { keepAlive: KEEP_ALIVE_S });
    simulation.connect('udp', reborn, NO_FAULTS);
    simulation.clock.until(() => reborn.session.state === 'ready', 500, 'it is let in at once');
    expect(simulation.counters.get('session.identity_collisions')).toBe(0);
    expect(system.sleeper.unheard).toBe(0);
  });
});

test('a goodbye ends the sleep', () => {
  const system = start('udp');
  fallAsleep(system, 600);
  const { session } = system.sleeper;
  session.close('normal');
  system.link.cut();
  expect(presence(system)).toEqual(['online', 'asleep']);
  const other = start('udp');
  fallAsleep(other, 600);
  const hub = other.simulation.hub.sessions.get('sleeper');
  say(hub, { type: 'bye', reason: 'normal' });
  expect(presence(other)).toEqual(['online', 'asleep', 'offline']);
});

describe('a sleeper whose session the gateway ends is lost', () => {
  function asleep(limits: SimulationLimits['hub']): System {
    const system = start('udp', 1, () => NO_FAULTS, limits);
    system.sender.subscribe('gone', 1);
    system.sleeper.will('gone', 'sleeper', 1);
    fallAsleep(system, 600);
    return system;
  }

  function expectLost(system: System): void {
    const { simulation, sender } = system;
    expect(presence(system)).toEqual(['online', 'asleep', 'offline']);
    expect(simulation.hub.sessions.has('sleeper')).toBe(false);
    simulation.clock.advance(1000);
    expect(sender.received.map(({ text }) => text)).toEqual(['sleeper']);
    simulation.clock.advance(3_600_000);
    expect(sender.received).toHaveLength(1);
  }

  test.each(['with', 'without'])('because its queue is full, %s a link', (having) => {
    const system = asleep({ queue: { messages: 3, bytes: 1_000_000 }, endFull: true });
    const { simulation, sender, link } = system;
    if (having === 'without') link.cut();
    for (let n = 0; n < 4; n++) sender.emit('data/x', `${n}`, 1);
    simulation.clock.until(() => sender.outcomes.length === 4, 10_000, 'all are answered');
    expect(simulation.counters.get('session.ended_full')).toBe(1);
    expectLost(system);
  });

  test('because another needs its place', () => {
    const system = asleep({ sessions: 2 });
    const { simulation, link } = system;
    link.cut();
    const other = new EngineDevice(simulation, 'other');
    simulation.connect('udp', other, NO_FAULTS);
    simulation.clock.until(() => other.session.state === 'ready', 10_000, 'it has its place');
    expectLost(system);
  });
});

test('a sleep longer than sessions.expiry is taken as that long, and counted', () => {
  const system = start('udp');
  const { simulation, sleeper } = system;
  const expiryS = 3600;
  fallAsleep(system, 10 * expiryS);
  sleeper.die();
  simulation.clock.advance(expiryS * 1000 + GRACE_MS + 2000);
  expect(presence(system)).toEqual(['online', 'asleep', 'offline']);
  expect(simulation.counters.get('session.refused.sleep_too_long')).toBe(1);
});

test('sleepers on lossy links get every reliable message, once and in order, and hear nothing while they sleep', () => {
  forSeeds(100, (seed) => {
    const kind = seed % 2 === 0 ? 'udp' : 'serial';
    const system = start(kind, seed, badFaults);
    const { simulation, sleeper, sender } = system;
    const { clock, random } = simulation;
    const texts: string[] = [];
    for (let round = 0; round < 6; round++) {
      sleeper.sleep(5 + random.below(60));
      for (let n = 0; n < 5; n++) {
        const text = `${round}-${n}`;
        texts.push(text);
        sender.emit('data/x', text, random.chance(0.5) ? 1 : 2);
        clock.advance(random.below(4000));
      }
      clock.until(() => !sleeper.asleep, 200_000, 'it wakes');
      if (random.chance(0.5)) clock.advance(random.below(3000));
    }
    clock.until(() => heard(system).length >= texts.length, 300_000, 'all is delivered');
    clock.advance(20_000);
    // Only what was under way when it fell asleep.
    expect(sleeper.unheard).toBeLessThan(30);
    expect(heard(system)).toEqual(texts);
    expect(sender.outcomes).toEqual(texts.map((text) => `${text} ok`));
    clock.until(() => simulation.hub.stateOf('sleeper') === 'online', 60_000, 'online at last');
  });
}, 120_000);
