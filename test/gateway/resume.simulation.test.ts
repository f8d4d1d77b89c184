import { describe, expect, test } from 'vitest';
import type { Faults } from '../support/faulty-wire.js';
import type { Random } from '../support/random.js';
import { forSeeds } from '../support/seeds.js';
import { EngineDevice, type SimulatedLink, Simulation } from '../support/simulation.js';

const MESSAGES = 30;

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

/** A device with a link that can be pulled out and put in elsewhere. */
class Plugged {
  readonly device: EngineDevice;
  readonly #simulation: Simulation;
  #link: SimulatedLink | undefined;

  constructor(simulation: Simulation, device: EngineDevice) {
    this.#simulation = simulation;
    this.device = device;
    this.plugIn();
  }

  plugIn(): void {
    const { random } = this.#simulation;
    const kind = random.chance(0.5) ? 'udp' : 'serial';
    this.#link = this.#simulation.connect(kind, this.device, badFaults(random));
  }

  pull(): void {
    this.#link?.cut();
    this.#link = undefined;
  }

  /** The next device takes over the same cable or address. */
  restart(): void {
    this.#link?.restart();
  }
}

function start(seed: number, receiverLimits: { window?: number; buffer?: number } = {}) {
  const simulation = new Simulation(seed);
  const { random, clock } = simulation;
  const senders = ['a', 'b'].map(
    (name) => new EngineDevice(simulation, name, { limits: { window: 1 + random.below(16) } }),
  );
  const receiver = new EngineDevice(simulation, 'r', {
    limits: { window: 1 + random.below(32), buffer: random.chance(0.5) ? 64 : 0, ...receiverLimits },
  });
  receiver.subscribe('data/+', 2);
  const plugged = [...senders, receiver].map((device) => new Plugged(simulation, device));
  const allReady = () => plugged.every(({ device }) => device.session.state === 'ready');
  const settle = (what: string) => {
    clock.until(allReady, 300_000, `${what}: all are connected`);
    clock.until(() => receiver.session.engine.pending === 0, 120_000, `${what}: the subscription is made`);
  };
  settle('at first');
  return { simulation, random, clock, senders, receiver, plugged, settle };
}

type System = ReturnType<typeof start>;

function emitBatch({ senders, random }: System, batch: number): Map<string, string[]> {
  const sent = new Map<string, string[]>();
  for (const [i, sender] of senders.entries()) {
    const texts = Array.from({ length: MESSAGES }, (_, n) => `${batch}-${n}-${'x'.repeat(random.below(20))}`);
    for (const text of texts) sender.emit(`data/${i}`, text, random.chance(0.5) ? 1 : 2);
    sent.set(`data/${i}`, texts);
  }
  return sent;
}

function untilDelivered({ clock, senders, simulation, random }: System, outcomes: number): void {
  clock.until(
    () => senders.every((sender) => sender.outcomes.length >= outcomes),
    900_000,
    'all is acknowledged',
  );
  clock.until(() => simulation.hub.sessions.get('r')?.engine.pending === 0, 900_000, 'all is delivered');
  // Whatever is late comes now, and must change nothing.
  clock.advance(30_000 + random.below(1000));
}

const textsOn = (device: EngineDevice, channel: string) =>
  device.received.filter((message) => message.channel === channel).map(({ text }) => text);

describe('sessions outlive their links', () => {
  test('exactly once and in order through cuts, moves and restarts of the handshake', () => {
    forSeeds(200, (seed) => {
      const system = start(seed);
      const { simulation, random, clock, receiver, plugged, senders } = system;
      const session = simulation.hub.sessions.get('r');
      const sent = emitBatch(system, 0);
      for (let i = 0; i < 8; i++) {
        clock.advance(random.below(800));
        const victim = plugged[random.below(3)] as Plugged;
        if (random.chance(0.3)) victim.restart();
        else {
          victim.pull();
          clock.advance(random.below(500));
          victim.plugIn();
        }
      }
      system.settle('after the cuts');
      untilDelivered(system, MESSAGES);
      for (const [channel, texts] of sent) expect(textsOn(receiver, channel)).toEqual(texts);
      for (const sender of senders)
        expect(sender.outcomes.filter((outcome) => outcome.endsWith(' ok'))).toHaveLength(MESSAGES);
      for (const sender of senders) expect(sender.outcomes).toHaveLength(MESSAGES);
      // The same session all along, its subscription made once.
      expect(simulation.hub.sessions.get('r')).toBe(session);
    });
  }, 120_000);

  test('what was held for a board is delivered to its next boot', () => {
    forSeeds(100, (seed) => {
      const system = start(seed);
      const { simulation, random, clock, receiver, plugged } = system;
      const sent = emitBatch(system, 0);
      clock.advance(random.below(1000));
      plugged[2]?.pull();
      // The second boot knows nothing: neither its numbers nor what it received.
      const reborn = new EngineDevice(simulation, 'r', { limits: { window: 1 + random.below(32) } });
      clock.advance(random.below(1000));
      const again = new Plugged(simulation, reborn);
      clock.until(() => reborn.session.state === 'ready', 300_000, 'the board is back');
      untilDelivered(system, MESSAGES);
      again.pull();
      for (const [channel, texts] of sent) {
        const [before, after] = [textsOn(receiver, channel), textsOn(reborn, channel)];
        // Each boot got a stretch of what was sent, in order and without a gap; together they got all.
        expect(before).toEqual(texts.slice(0, before.length));
        expect(after).toEqual(texts.slice(texts.length - after.length));
        expect(before.length + after.length).toBeGreaterThanOrEqual(texts.length);
      }
    });
  }, 120_000);

  test('a gateway that forgot everything is found again, and nothing stays half done', () => {
    forSeeds(100, (seed) => {
      const system = start(seed);
      const { simulation, random, clock, receiver, plugged, senders } = system;
      const first = emitBatch(system, 0);
      clock.advance(random.below(1500));
      for (const one of plugged) one.pull();
      simulation.startGateway();
      for (const one of plugged) one.plugIn();
      system.settle('after the restart');
      // Those that have subscribed themselves again get all of what is sent from now on.
      clock.until(() => simulation.router.sizes.subscriptions === 1, 60_000, 'subscribed again');
      const second = emitBatch(system, 1);
      untilDelivered(system, 2 * MESSAGES);
      for (const sender of senders) {
        expect(sender.outcomes).toHaveLength(2 * MESSAGES);
        expect(sender.outcomes.every((outcome) => outcome.endsWith(' ok'))).toBe(true);
      }
      for (const [channel, texts] of second) {
        const received = textsOn(receiver, channel);
        expect(received.slice(-MESSAGES)).toEqual(texts);
        // Before that, at most two runs in order: what the old gateway passed on, and what the new one did.
        const places = received.slice(0, -MESSAGES).map((text) => first.get(channel)?.indexOf(text) ?? -1);
        expect(places).not.toContain(-1);
        const breaks = places.filter((place, i) => i > 0 && place <= (places[i - 1] as number));
        expect(breaks.length).toBeLessThanOrEqual(1);
      }
    });
  }, 120_000);
});

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
  }, 60_000);
});
