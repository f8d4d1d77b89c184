import { describe, expect, test } from 'vitest';
import { Disk } from '../support/memory-backend.js';
import { EngineDevice, type SimulatedLink, Simulation } from '../support/simulation.js';

const NO_FAULTS = { loss: 0, duplicate: 0, corrupt: 0, delay: 5, jitter: 0 };

interface System {
  readonly simulation: Simulation;
  readonly device: EngineDevice;
  link: SimulatedLink;
}

function start(disk?: Disk): System {
  const simulation = new Simulation(1);
  if (disk) simulation.startGateway(disk);
  const device = new EngineDevice(simulation, 'device');
  device.subscribe('x/#', 2);
  const link = simulation.connect('udp', device, NO_FAULTS);
  simulation.clock.until(() => simulation.router.sizes.subscriptions === 1, 10_000, 'subscribed');
  simulation.clock.until(() => device.session.engine.pending === 0, 10_000, 'acknowledged');
  return { simulation, device, link };
}

/** An emit that must not be sent any more after so many ms; never if that is left out. */
function emit(
  { simulation }: System,
  name: string,
  text: string,
  qos: 0 | 1,
  lifeMs?: number,
  retain = false,
) {
  const expiresAt = lifeMs === undefined ? undefined : simulation.clock.now() + lifeMs;
  return simulation.router.emit(name, Buffer.from(text), { qos, retain, extras: { expiresAt } });
}

function reconnect(system: System): void {
  const { simulation, device } = system;
  system.link = simulation.connect('udp', device, NO_FAULTS);
  simulation.clock.advance(5000);
}

const texts = ({ device }: System) => device.received.map(({ text }) => text);

describe('a message that expires (PROTOCOL.md §6.7)', () => {
  test('is dropped when its turn comes, and counted; the others are sent', () => {
    const system = start();
    const { simulation, link } = system;
    link.cut();
    emit(system, 'x/1', 'short', 1, 10_000);
    emit(system, 'x/1', 'long', 1, 100_000);
    emit(system, 'x/1', 'for ever', 1);
    simulation.clock.advance(20_000);
    reconnect(system);
    expect(texts(system)).toEqual(['long', 'for ever']);
    expect(simulation.counters.get('session.drop.expired')).toBe(1);
    expect(simulation.hub.sessions.get('device')?.engine.pending).toBe(0);
  });

  test('is sent again, once it was sent in time', () => {
    const system = start();
    emit(system, 'x/1', 'once', 1, 10);
    system.simulation.clock.advance(1);
    system.link.cut();
    system.simulation.clock.advance(20_000);
    reconnect(system);
    expect(texts(system)).toEqual(['once']);
  });

  test('at QoS 0 is not kept for a sleeper any longer', () => {
    const system = start();
    const { simulation, device } = system;
    device.sleep(600);
    simulation.clock.until(() => device.asleep, 10_000, 'asleep');
    emit(system, 'x/1', 'short', 0, 10_000);
    emit(system, 'x/2', 'long', 0, 100_000);
    simulation.clock.advance(20_000);
    device.wake();
    simulation.clock.advance(1000);
    expect(texts(system)).toEqual(['long']);
    expect(simulation.counters.get('session.drop.expired')).toBe(1);
  });

  test('has as much time left after a restart as it had before', () => {
    const disk = new Disk();
    const system = start(disk);
    const { simulation, link } = system;
    link.cut();
    emit(system, 'x/1', 'short', 1, 10_000);
    emit(system, 'x/1', 'long', 1, 30_000);
    emit(system, 'x/kept', 'old', 0, 10_000, true);
    emit(system, 'x/kept/too', 'new', 0, 30_000, true);
    // The store has it, and what the time is.
    simulation.clock.advance(1500);
    // Another one, without that disk, runs meanwhile.
    simulation.startGateway();
    simulation.clock.advance(1_000_000);
    simulation.startGateway(disk);
    expect(simulation.router.sizes.lastValues).toBe(2);
    simulation.clock.advance(15_000);
    reconnect(system);
    expect(texts(system)).toEqual(['long', 'new']);
    expect(simulation.counters.get('session.drop.expired')).toBe(1);
    expect(simulation.counters.get('router.last_values_expired')).toBe(1);
    simulation.clock.advance(30_000);
    expect(simulation.router.lastValue('x/kept/too')).toBeUndefined();
  });
});

test('a name that is too long for a session is counted, not sent (§6.1)', () => {
  const system = start();
  const { simulation } = system;
  expect(emit(system, `x/${'y'.repeat(254)}`, 'long', 1)).toBeUndefined();
  expect(emit(system, `x/${'y'.repeat(253)}`, 'short', 1)).toBeUndefined();
  expect(emit(system, `x/${'y'.repeat(254)}`, 'long', 0)).toBeUndefined();
  simulation.clock.advance(1000);
  expect(texts(system)).toEqual(['short']);
  expect(simulation.counters.get('router.drop.name_too_long')).toBe(2);
});

test('sessions that share a subscription take turns, those that are there (§6.2)', () => {
  const simulation = new Simulation(1);
  const workers = ['a', 'b'].map((name) => new EngineDevice(simulation, name)) as [
    EngineDevice,
    EngineDevice,
  ];
  for (const worker of workers) worker.subscribe('$share/work/jobs/#', 1);
  const [link] = workers.map((worker) => simulation.connect('udp', worker, NO_FAULTS)) as [SimulatedLink];
  const [a, b] = workers;
  simulation.clock.until(() => simulation.router.sizes.subscriptions === 2, 10_000, 'subscribed');
  const job = (text: string) => {
    simulation.router.emit('jobs/1', Buffer.from(text), { qos: 1, retain: true });
    simulation.clock.advance(100);
  };
  for (const text of ['1', '2', '3']) job(text);
  link.cut();
  for (const text of ['4', '5']) job(text);
  expect(workers.map(({ received }) => received.map(({ text }) => text))).toEqual([
    ['1', '3'],
    ['2', '4', '5'],
  ]);
  simulation.connect('udp', a, NO_FAULTS);
  simulation.clock.advance(5000);
  expect([a.received.length, b.received.length]).toEqual([2, 3]);
});
