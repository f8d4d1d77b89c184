import { expect, test } from 'vitest';
import { CDevice } from '../support/c-device.js';
import type { Faults } from '../support/faulty-wire.js';
import { Disk } from '../support/memory-backend.js';
import { type Device, EngineDevice, Simulation } from '../support/simulation.js';
import { describeWithTools } from '../support/tools.js';

const NO_FAULTS: Faults = { loss: 0, duplicate: 0, corrupt: 0, delay: 5, jitter: 0 };
/** Longer than it takes to emit all, be refused, and have that acknowledged. */
const LONGEST_MS = 80;

const EXPIRY_MS = 3000;

const PLAN = ['up one', '$no refused', 'up two', '$no refused too', 'up three'];

/** A sender whose messages are refused in part, and whose session ends with the link, which is cut after `ms`. */
function run(
  ms: number,
  sender: (simulation: Simulation) => [Device, () => void],
  stored: boolean,
): string[] {
  const simulation = new Simulation(1, { hub: { expiryMs: EXPIRY_MS } });
  const { clock } = simulation;
  const disk = new Disk();
  if (stored) simulation.startGateway(disk, 1);
  const listener = new EngineDevice(simulation, 'listener');
  listener.subscribe('up', 2);
  const [device, emitAll] = sender(simulation);
  const hear = simulation.connect('udp', listener, NO_FAULTS);
  const link = simulation.connect('udp', device, NO_FAULTS);
  clock.until(() => simulation.hub.stateOf('sender') === 'online', 5000, 'the sender is connected');
  clock.until(() => simulation.router.sizes.subscriptions === 1, 5000, 'the listener has subscribed');
  clock.advance(500);
  emitAll();
  clock.advance(ms);
  link.cut();
  clock.advance(1000);
  if (stored) {
    hear.cut();
    simulation.startGateway(disk, 1);
    simulation.connect('udp', listener, NO_FAULTS);
  }
  // The session ends, its numbering is remembered.
  clock.advance(4000);
  expect(simulation.hub.sessions.has('sender')).toBe(false);
  simulation.connect('udp', device, NO_FAULTS);
  clock.advance(20_000);
  return listener.received.map(({ text }) => text);
}

test.each([
  ['is remembered', false],
  ['is remembered, and written down,', true],
])(
  'what was taken behind a refused message is not sent again when only the numbering %s (PROTOCOL.md §5.1)',
  (_, stored) => {
    for (let ms = 0; ms < LONGEST_MS; ms++) {
      let outcomes: string[] = [];
      const heard = run(
        ms,
        (simulation) => {
          const device = new EngineDevice(simulation, 'sender');
          ({ outcomes } = device);
          const emitAll = () => {
            for (const one of PLAN) device.emit(one.split(' ')[0] ?? '', one, 2);
          };
          return [device, emitAll];
        },
        stored,
      );
      expect(heard, `cut after ${ms} ms`).toEqual(['up one', 'up two', 'up three']);
      expect(outcomes.toSorted(), `cut after ${ms} ms`).toEqual(
        PLAN.map((one) => `${one} ${one.startsWith('$') ? 'not_allowed' : 'ok'}`).toSorted(),
      );
    }
  },
);

describeWithTools(['clang', 'wasm-ld'], 'the C client', () => {
  test('does not send again what was taken behind a refused message (PROTOCOL.md §5.1)', () => {
    for (let ms = 0; ms < LONGEST_MS; ms++) {
      const heard = run(
        ms,
        (simulation) => {
          const device = new CDevice(simulation, 'sender', 'udp', { slots: 8 });
          const { client } = device;
          const ids = new Map(['up', '$no'].map((name) => [name, client.declare(name)]));
          const emitAll = () => {
            for (const one of PLAN) client.emit(ids.get(one.split(' ')[0] ?? '') ?? 0, one, { qos: 2 });
          };
          return [device, emitAll];
        },
        false,
      );
      expect(heard, `cut after ${ms} ms`).toEqual(['up one', 'up two', 'up three']);
    }
  });
});
