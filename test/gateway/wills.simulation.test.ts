import { describe, expect, test } from 'vitest';
import type { Channel } from '../../src/router/channel.js';
import type { Subscriber } from '../../src/router/subscriber.js';
import type { Faults } from '../support/faulty-wire.js';
import { Disk } from '../support/memory-backend.js';
import { forSeeds } from '../support/seeds.js';
import { EngineDevice, type SimulatedLink, Simulation, say } from '../support/simulation.js';

const NO_FAULTS: Faults = { loss: 0, duplicate: 0, corrupt: 0, delay: 5, jitter: 0 };

/** What subscribers to everything get, with what the gateway would say to the emits. */
class Watcher implements Subscriber {
  readonly seen: string[] = [];
  full = false;

  hasRoom(): boolean {
    return !this.full;
  }

  deliver({ name }: Channel, payload: Uint8Array, qos: number): undefined {
    this.seen.push(`${name}=${Buffer.from(payload).toString()}@${qos}`);
  }
}

interface System {
  readonly simulation: Simulation;
  readonly watcher: Watcher;
  readonly device: EngineDevice;
  link: SimulatedLink;
}

/** A device with a will of QoS 1 on `gone`, and somebody who waits for it. */
function start(options: ConstructorParameters<typeof EngineDevice>[2] = {}, disk?: Disk): System {
  const simulation = new Simulation(1);
  simulation.startGateway(disk);
  const watcher = new Watcher();
  simulation.router.subscribe(watcher, '#', { qos: 2, noLocal: false, noLastValue: false });
  const device = new EngineDevice(simulation, 'uno', options);
  device.will('gone', 'uno', 1);
  const link = simulation.connect('udp', device, NO_FAULTS);
  simulation.clock.until(() => device.outcomes.includes('will ok'), 10_000, 'the will is left');
  return { simulation, watcher, device, link };
}

function comeBack(system: System, device: EngineDevice = system.device): void {
  system.link = system.simulation.connect('udp', device, NO_FAULTS);
  system.simulation.clock.until(() => device.session.state === 'ready', 10_000, 'it is back');
}

describe('a will (PROTOCOL.md §4.7)', () => {
  test('is emitted when the link is lost and the session not resumed within 5 s', () => {
    const { simulation, watcher, link } = start();
    link.cut();
    simulation.clock.advance(4900);
    expect(watcher.seen).toEqual([]);
    simulation.clock.advance(200);
    expect(watcher.seen).toEqual(['gone=uno@1']);
    simulation.clock.advance(100_000);
    expect(watcher.seen).toHaveLength(1);
  });

  test('is emitted when the peer falls silent', () => {
    const { simulation, watcher, device } = start();
    device.die();
    simulation.clock.advance(21_000);
    expect(watcher.seen).toEqual(['gone=uno@1']);
  });

  test('is not emitted when the session resumes in time; stands, and is emitted once a loss', () => {
    const system = start();
    const { simulation, watcher } = system;
    for (let n = 0; n < 3; n++) {
      system.link.cut();
      simulation.clock.advance(3000);
      comeBack(system);
    }
    simulation.clock.advance(20_000);
    expect(watcher.seen).toEqual([]);
    for (let n = 0; n < 2; n++) {
      system.link.cut();
      simulation.clock.advance(10_000);
      comeBack(system);
    }
    expect(watcher.seen).toEqual(['gone=uno@1', 'gone=uno@1']);
  });

  test('is not emitted when the peer says goodbye, and still stands afterwards', () => {
    const system = start();
    const { simulation, watcher, link } = system;
    const session = simulation.hub.sessions.get('uno');
    say(session, { type: 'bye', reason: 'normal' });
    simulation.clock.advance(10_000);
    expect(watcher.seen).toEqual([]);
    link.cut();
    comeBack(system);
    system.link.cut();
    simulation.clock.advance(6000);
    expect(watcher.seen).toEqual(['gone=uno@1']);
  });

  test('is not emitted when the gateway stops, but then at once for those who are lost already', () => {
    const { simulation, watcher } = start();
    simulation.stop();
    expect(watcher.seen).toEqual([]);
    const lost = start();
    lost.link.cut();
    lost.simulation.stop();
    expect(lost.watcher.seen).toEqual(['gone=uno@0']);
  });

  test('that waits for room is emitted when a gateway with a store stops, if no session is left to remember it', () => {
    const { simulation, watcher, link } = start({ expiry: 1 }, new Disk());
    watcher.full = true;
    link.cut();
    simulation.clock.advance(2000);
    expect([simulation.hub.sessions.size, watcher.seen]).toEqual([0, []]);
    simulation.stop();
    expect(watcher.seen).toEqual(['gone=uno@0']);
  });

  test('is gone when it is taken back, and when the peer ends its session', () => {
    const { simulation, watcher, device, link } = start();
    device.will('', '', 0);
    simulation.clock.advance(100);
    link.cut();
    simulation.clock.advance(10_000);
    expect(watcher.seen).toEqual([]);
    const other = start();
    say(other.simulation.hub.sessions.get('uno'), { type: 'bye', reason: 'end_session' });
    other.link.cut();
    other.simulation.clock.advance(10_000);
    expect(other.watcher.seen).toEqual([]);
  });

  test('of a session that does not outlive its link is emitted at once', () => {
    const { simulation, watcher, link } = start({ expiry: 0 });
    link.cut();
    expect(watcher.seen).toEqual(['gone=uno@1']);
    expect(simulation.hub.sessions.size).toBe(0);
  });

  test('of a board that boots and forgets everything is emitted: that session was lost', () => {
    const system = start();
    const reborn = new EngineDevice(system.simulation, 'uno', { clean: true });
    system.link.restart(reborn);
    system.simulation.clock.until(() => reborn.session.state === 'ready', 10_000, 'booted');
    expect(system.watcher.seen).toEqual(['gone=uno@1']);
    system.link.cut();
    system.simulation.clock.advance(10_000);
    // The new session has none.
    expect(system.watcher.seen).toHaveLength(1);
  });

  test('outlives a boot that resumes the session, unless the new firmware drops what it did not set', () => {
    const system = start();
    const reborn = new EngineDevice(system.simulation, 'uno');
    system.link.restart(reborn);
    system.simulation.clock.until(() => reborn.session.state === 'ready', 10_000, 'booted');
    system.link.cut();
    system.simulation.clock.advance(10_000);
    expect(system.watcher.seen).toEqual(['gone=uno@1']);
    const third = new EngineDevice(system.simulation, 'uno');
    comeBack(system, third);
    third.session.engine.control({ type: 'unsubscribe', pattern: '' });
    system.simulation.clock.advance(1000);
    system.link.cut();
    system.simulation.clock.advance(10_000);
    expect(system.watcher.seen).toHaveLength(1);
  });

  test('of a sleeper waits for the end of its sleep', () => {
    const { simulation, watcher, device, link } = start();
    device.sleep(600);
    simulation.clock.until(() => device.asleep, 10_000, 'asleep');
    link.cut();
    device.die();
    simulation.clock.advance(614_000);
    expect(watcher.seen).toEqual([]);
    simulation.clock.advance(8000);
    expect(watcher.seen).toEqual(['gone=uno@1']);
  });

  test('goes to everyone, and as a last value, if it says so', () => {
    const { simulation, watcher, device, link } = start();
    device.will('status', 'gone', 2, true);
    simulation.clock.advance(100);
    link.cut();
    simulation.clock.advance(6000);
    expect(watcher.seen).toEqual(['status=gone@2']);
    const late = new Watcher();
    simulation.router.subscribe(late, 'status', { qos: 1, noLocal: false, noLastValue: false });
    expect(late.seen).toEqual(['status=gone@1']);
  });

  test('may be a broadcast, which is not retained', () => {
    const { simulation, device, link } = start();
    const other = new EngineDevice(simulation, 'other');
    simulation.connect('serial', other, NO_FAULTS);
    device.will('$slipway/broadcast', 'uno is gone', 1);
    device.will('$slipway/broadcast', 'for ever', 1, true);
    simulation.clock.advance(1000);
    expect(device.outcomes).toEqual(['will ok', 'will ok', 'will not_allowed']);
    link.cut();
    simulation.clock.advance(6000);
    expect(other.received.map(({ text }) => text)).toEqual(['uno is gone']);
  });
});

describe('a will that cannot be emitted', () => {
  test('is tried again while a subscriber has no room', () => {
    const { simulation, watcher, link } = start();
    watcher.full = true;
    link.cut();
    simulation.clock.advance(8000);
    expect(watcher.seen).toEqual([]);
    watcher.full = false;
    simulation.clock.advance(5000);
    expect(watcher.seen).toEqual(['gone=uno@1']);
  });

  test('reaches those who have room at QoS 0 in the end', () => {
    const { simulation, watcher, link } = start();
    watcher.full = true;
    const other = new Watcher();
    simulation.router.subscribe(other, 'gone', { qos: 1, noLocal: false, noLastValue: false });
    link.cut();
    simulation.clock.advance(70_000);
    expect([watcher.seen, other.seen]).toEqual([['gone=uno@0'], ['gone=uno@0']]);
  });

  test('is given up, and counted, when the peer is back before', () => {
    const system = start();
    const { simulation, watcher } = system;
    watcher.full = true;
    system.link.cut();
    simulation.clock.advance(8000);
    comeBack(system);
    watcher.full = false;
    simulation.clock.advance(100_000);
    expect(watcher.seen).toEqual([]);
    expect(simulation.counters.get('session.drop.will')).toBe(1);
  });

  test('is given up when the peer is back, also with a new session', () => {
    const system = start({ expiry: 1 });
    const { simulation, watcher } = system;
    watcher.full = true;
    system.link.cut();
    simulation.clock.advance(3000);
    expect(simulation.hub.sessions.size).toBe(0);
    comeBack(system);
    watcher.full = false;
    simulation.clock.advance(100_000);
    expect(watcher.seen).toEqual([]);
    expect(simulation.counters.get('session.drop.will')).toBe(1);
  });

  test('is given up when its peer has begun anew in place of that session', () => {
    const system = start();
    const { simulation, watcher } = system;
    watcher.full = true;
    const reborn = new EngineDevice(simulation, 'uno', { clean: true });
    reborn.will('gone', 'anew', 1);
    system.link.restart(reborn);
    simulation.clock.until(() => reborn.outcomes.includes('will ok'), 10_000, 'booted');
    expect(simulation.counters.get('session.drop.will')).toBe(1);
    watcher.full = false;
    system.link.cut();
    simulation.clock.advance(100_000);
    expect(watcher.seen).toEqual(['gone=anew@1']);
  });

  test.each([
    ['not_allowed', '$slipway/stats', 'x'],
    ['bad_channel', 'a/+', 'x'],
    ['limit_reached', 'much', 'x'.repeat(300)],
  ])('is refused when it is left: %s', (reason, channel, text) => {
    const { simulation, device, watcher, link } = start();
    for (let n = 0; n < 50; n++) {
      const other = new EngineDevice(simulation, `other-${n}`);
      other.will('other', 'y'.repeat(190), 0);
      simulation.connect('udp', other, NO_FAULTS);
    }
    simulation.clock.advance(2000);
    device.will(channel, text, 1);
    simulation.clock.advance(1000);
    expect(device.outcomes).toEqual(['will ok', `will ${reason}`]);
    // The one before stands.
    link.cut();
    simulation.clock.advance(6000);
    expect(watcher.seen).toEqual(['gone=uno@1']);
  });
});

test('on lossy links no will of a board that is there is emitted, and each of one that is gone', () => {
  forSeeds(60, (seed) => {
    const simulation = new Simulation(seed);
    const { clock, random } = simulation;
    const watcher = new Watcher();
    simulation.router.subscribe(watcher, '#', { qos: 2, noLocal: false, noLastValue: false });
    const devices = Array.from({ length: 6 }, (_, n) => {
      const device = new EngineDevice(simulation, `uno-${n}`);
      device.will(`gone/${n}`, 'lost', random.chance(0.5) ? 1 : 2);
      const faults = { loss: 0.1, duplicate: 0.1, corrupt: 0.05, delay: 1 + random.next() * 40, jitter: 20 };
      return { device, link: simulation.connect(random.chance(0.5) ? 'udp' : 'serial', device, faults) };
    });
    const left = ({ device }: { device: EngineDevice }) => device.outcomes.includes('will ok');
    clock.until(() => devices.every(left), 120_000, 'all wills are left');
    const dead = devices.filter(() => random.chance(0.5));
    for (const { device, link } of dead) {
      if (random.chance(0.5)) link.cut();
      device.die();
      clock.advance(random.below(3000));
    }
    clock.advance(60_000);
    const expected = dead.map(({ device }) => `gone/${devices.findIndex((one) => one.device === device)}`);
    const emitted = watcher.seen.map((text) => text.split('=')[0]);
    expect([emitted.length, new Set(emitted)]).toEqual([expected.length, new Set(expected)]);
  });
});
