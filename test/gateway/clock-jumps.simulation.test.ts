import { describe, expect, test } from 'vitest';
import type { Faults } from '../support/faulty-wire.js';
import { Disk } from '../support/memory-backend.js';
import { EngineDevice, type SimulatedLink, Simulation } from '../support/simulation.js';

const NO_FAULTS: Faults = { loss: 0, duplicate: 0, corrupt: 0, delay: 5, jitter: 0 };
const MINUTE = 60_000;
const YEARS = 50 * 365 * 24 * 60 * MINUTE;

/** A gateway with a store, that holds a message for a device which is away; sessions and messages last an hour. */
class System {
  readonly simulation = new Simulation(1, { hub: { expiryMs: 60 * MINUTE, queueAgeMs: 60 * MINUTE } });
  readonly clock = this.simulation.clock;
  disk = new Disk();
  readonly device = new EngineDevice(this.simulation, 'device');
  readonly sender = new EngineDevice(this.simulation, 'sender', { keepAlive: 0 });
  #link: SimulatedLink;

  constructor(sleepSeconds = 0) {
    const { simulation, clock, device, sender } = this;
    simulation.startGateway(this.disk);
    device.subscribe('held', 1);
    const away = simulation.connect('udp', device, NO_FAULTS);
    clock.until(() => simulation.router.sizes.subscriptions === 1, 5000, 'the device has subscribed');
    clock.advance(1000);
    if (sleepSeconds > 0) device.sleep(sleepSeconds);
    clock.advance(1000);
    away.cut();
    this.#link = simulation.connect('serial', sender, NO_FAULTS);
    sender.emit('held', 'for the device', 1);
    clock.until(() => sender.outcomes.length === 1, 5000, 'the message is held');
  }

  /** Power goes, and comes back after `downMs`. */
  restart(downMs = 0): void {
    const { simulation, clock, sender } = this;
    this.#link.cut();
    const left = this.disk;
    this.disk = new Disk();
    for (const [key, value] of left.records) this.disk.records.set(key, value);
    clock.advance(downMs);
    simulation.startGateway(this.disk);
    this.#link = simulation.connect('serial', sender, NO_FAULTS);
    clock.advance(1);
  }

  get held(): number | undefined {
    const session = this.simulation.hub.sessions.get('device');
    return session && [...session.engine.outgoing].filter(({ content }) => content.type === 'emit').length;
  }

  /** The device is back and gets what was held. */
  expectDelivery(): void {
    const { simulation, clock, device } = this;
    device.wake();
    simulation.connect('udp', device, NO_FAULTS);
    clock.until(() => device.received.length === 1, 10_000, 'what was held is delivered');
  }
}

describe('whatever the time of day does (a board computer without a clock boots in 1970)', () => {
  test.each([
    ['forward', YEARS],
    ['back', -YEARS],
  ])(
    'set %s while the gateway runs, and then restarted: sessions and messages are no older by that',
    (_, skew) => {
      const system = new System();
      system.clock.advance(10 * MINUTE);
      system.clock.skew = skew;
      system.clock.advance(10 * MINUTE);
      system.restart();
      expect(system.held).toBe(1);
      system.clock.advance(30 * MINUTE);
      system.clock.skew = -skew;
      system.restart();
      expect(system.held).toBe(1);
      system.expectDelivery();
    },
  );

  test('a session has all in all the time that it was promised, however often the gateway starts', () => {
    const system = new System();
    for (let n = 0; n < 5; n++) {
      system.clock.skew = (n % 2 ? 1 : -1) * YEARS;
      system.clock.advance(11 * MINUTE);
      system.restart();
      expect(system.held).toBe(1);
    }
    // What a crash gives back is less than a minute each time.
    system.clock.advance(10 * MINUTE);
    expect(system.held).toBeUndefined();
  });

  test('the time that the gateway does not run counts for nobody: who could come back then?', () => {
    const system = new System();
    system.restart(24 * 60 * MINUTE);
    expect(system.held).toBe(1);
    system.expectDelivery();
  });

  test('a sleeper sleeps on', () => {
    const system = new System(30 * 60);
    expect(system.simulation.hub.stateOf('device')).toBe('asleep');
    system.clock.skew = YEARS;
    system.restart();
    expect(system.simulation.hub.stateOf('device')).toBe('asleep');
    system.clock.advance(40 * MINUTE);
    expect(system.simulation.hub.stateOf('device')).toBe('offline');
    system.expectDelivery();
  });
});
