import { expect, test } from 'vitest';
import type { Faults } from '../support/faulty-wire.js';
import { Disk } from '../support/memory-backend.js';
import { EngineDevice, Simulation } from '../support/simulation.js';

const NO_FAULTS: Faults = { loss: 0, duplicate: 0, corrupt: 0, delay: 5, jitter: 0 };
const BACKLOG_BYTES = 20_000;

test.each([0, 1] as const)(
  'while the disk is stuck, last values at QoS %i on ever new channels are refused in time, and taken again afterwards',
  (qos) => {
    const simulation = new Simulation(1, { storeBacklog: BACKLOG_BYTES });
    const { clock } = simulation;
    const disk = new Disk();
    let largest = 0;
    disk.begun = (changes) => {
      const bytes = changes.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
      largest = Math.max(largest, bytes);
    };
    simulation.startGateway(disk, 1);
    const device = new EngineDevice(simulation, 'device');
    const listener = new EngineDevice(simulation, 'listener');
    listener.subscribe('live', 1);
    for (const one of [device, listener]) simulation.connect('udp', one, NO_FAULTS);
    clock.until(() => simulation.router.sizes.subscriptions === 1, 5000, 'the listener has subscribed');
    device.emit('live', 'before', 0);
    clock.advance(1000);

    disk.stuck = true;
    for (let n = 0; n < 2000; n++) {
      device.emit(`v/${n}`, 'some value', qos, true);
      device.emit(`v/${n}`, '', qos, true);
      if (n % 10 === 0) clock.advance(10);
    }
    clock.advance(1000);
    // What is only passed on needs no disk.
    device.emit('live', 'still', 0);
    clock.advance(100);
    expect(listener.received.map(({ text }) => text)).toEqual(['before', 'still']);

    disk.stuck = false;
    clock.advance(60_000);
    expect(largest).toBeLessThan(3 * BACKLOG_BYTES);
    if (qos === 0) {
      const reasons = device.refusals.map(({ reason }) => reason);
      expect(new Set(reasons)).toEqual(new Set(['not_stored']));
    } else {
      // It waits for its acknowledgements, and gets no further than its window.
      expect(new Set(device.outcomes.map((outcome) => outcome.split(' ').at(-1)))).toEqual(new Set(['ok']));
      expect(device.session.engine.pending).toBe(0);
    }
    device.emit('v/last', 'kept', 1, true);
    clock.advance(1000);
    expect(device.outcomes.at(-1)).toBe('kept ok');
    expect(disk.read().lastValues.map(({ name }) => name)).toContain('v/last');
  },
);
