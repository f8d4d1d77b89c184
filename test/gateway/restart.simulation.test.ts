import { describe, expect, test } from 'vitest';
import { RETURN_MS } from '../../src/gateway/presence.js';
import type { Faults } from '../support/faulty-wire.js';
import { Disk } from '../support/memory-backend.js';
import { EngineDevice, type SimulatedLink, Simulation } from '../support/simulation.js';

const NO_FAULTS: Faults = { loss: 0, duplicate: 0, corrupt: 0, delay: 5, jitter: 0 };

/** A gateway with a store, a device with a will, and one that listens to everything. */
class System {
  readonly simulation = new Simulation(1);
  readonly clock = this.simulation.clock;
  readonly disk = new Disk();
  readonly device = new EngineDevice(this.simulation, 'device');
  readonly listener = new EngineDevice(this.simulation, 'listener');
  readonly links = new Map<EngineDevice, SimulatedLink>();

  constructor() {
    this.simulation.startGateway(this.disk);
    this.listener.subscribe('#', 2);
    this.device.subscribe('data/#', 2);
    this.device.will('gone', 'device', 1);
    this.connect(this.device, this.listener);
    const ready = () =>
      this.device.outcomes.includes('will ok') && this.listener.session.engine.pending === 0;
    this.clock.until(ready, 10_000, 'all is said');
    this.clock.advance(1000);
  }

  connect(...devices: EngineDevice[]): void {
    for (const device of devices) this.links.set(device, this.simulation.connect('udp', device, NO_FAULTS));
  }

  cut(device: EngineDevice): void {
    this.links.get(device)?.cut();
    this.links.delete(device);
  }

  /** Without warning, or after it has said goodbye. */
  restart(stopped = false): void {
    if (stopped) this.simulation.stop();
    this.clock.advance(stopped ? 100 : 0);
    for (const link of this.links.values()) link.cut();
    this.links.clear();
    this.simulation.startGateway(this.disk);
  }

  get heard(): string[] {
    return this.listener.received.map(({ channel, text }) => `${channel} ${text}`);
  }
}

describe('a will, when the gateway is restarted from its store (PROTOCOL.md §4.7)', () => {
  test.each([true, false])('is emitted if its device does not come back (stopped: %s)', (stopped) => {
    const system = new System();
    system.restart(stopped);
    system.connect(system.listener);
    system.clock.advance(RETURN_MS - 1000);
    expect(system.heard).toEqual([]);
    system.clock.advance(2000);
    expect(system.heard).toEqual(['gone device']);
  });

  test('is not emitted for a device that comes back, and stands', () => {
    const system = new System();
    for (let n = 0; n < 3; n++) {
      // Also not when the gateway stops again before everyone is back.
      system.restart(n % 2 === 0);
      system.clock.advance(5000);
    }
    system.connect(system.listener, system.device);
    system.clock.advance(2 * RETURN_MS);
    expect(system.heard).toEqual([]);
    system.cut(system.device);
    system.clock.advance(6000);
    expect(system.heard).toEqual(['gone device']);
  });

  test('of a device that was lost before is emitted once', () => {
    const system = new System();
    system.cut(system.device);
    system.clock.advance(3000);
    system.restart();
    system.connect(system.listener);
    system.clock.advance(2 * RETURN_MS);
    expect(system.heard).toEqual(['gone device']);
    system.restart();
    system.connect(system.listener);
    system.clock.advance(2 * RETURN_MS);
    expect(system.heard).toEqual(['gone device']);
  });
});

describe('a sleep, when the gateway is restarted from its store', () => {
  test('goes on: what is reliable is held, the will waits, and the device gets all when it wakes', () => {
    const system = new System();
    const { clock, device, listener, simulation } = system;
    device.sleep(1800);
    clock.until(() => device.asleep, 1000, 'asleep');
    listener.emit('data/x', 'before', 1);
    clock.advance(1000);
    system.restart();
    system.connect(listener);
    expect(simulation.hub.stateOf('device')).toBe('asleep');
    listener.emit('data/x', 'after', 1);
    clock.advance(1_000_000);
    expect(simulation.hub.stateOf('device')).toBe('asleep');
    expect(system.heard).toEqual(['data/x before', 'data/x after']);
    device.wake();
    system.connect(device);
    clock.advance(2000);
    expect(device.received.map(({ text }) => text)).toEqual(['before', 'after']);
    expect(simulation.hub.stateOf('device')).toBe('online');
  });

  test('ends as it would have: a device that does not wake is offline, and its will emitted', () => {
    const system = new System();
    const { clock, device, simulation } = system;
    device.sleep(1800);
    clock.until(() => device.asleep, 1000, 'asleep');
    clock.advance(1000);
    device.die();
    system.restart();
    system.connect(system.listener);
    clock.advance(1_799_000);
    expect([simulation.hub.stateOf('device'), system.heard]).toEqual(['asleep', []]);
    // The keep-alive is not remembered: it is given the longest.
    clock.advance(200_000);
    expect([simulation.hub.stateOf('device'), system.heard]).toEqual(['offline', ['gone device']]);
  });
});
