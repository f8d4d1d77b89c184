import { beforeEach, expect, test } from 'vitest';
import { BEACON_MS } from '../../../src/bridges/presence/words.js';
import type { IncomingMessage, Upstream, UpstreamEvents } from '../../../src/bridges/upstream.js';
import { BridgedGateway } from '../../support/bridged-gateway.js';
import { Disk } from '../../support/memory-backend.js';
import { SimulatedBroker } from '../../support/simulated-broker/broker.js';
import { advance } from '../../support/turns.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const MOST = 50;

let clock: VirtualClock;
let disk: Disk;
let gateway: BridgedGateway;
let events: UpstreamEvents;

beforeEach(async () => {
  clock = new VirtualClock();
  disk = new Disk();
  const upstream: Upstream = {
    connect: (theirs) => {
      events = theirs;
      return Promise.resolve({
        server: 'hostile://',
        window: 1,
        send: () => true,
        publish: () => {},
        setInterests: () => {},
        close: () => Promise.resolve(),
      });
    },
  };
  gateway = new BridgedGateway({
    clock,
    seed: 1,
    disk,
    limits: { router: { maxLastValues: MOST } },
    bridges: [
      { broker: new SimulatedBroker(clock, 1), rules: [], presence: { direction: 'in', remote: 'fleet' } },
    ],
    upstream: () => upstream,
  });
  await advance(clock, 100);
});

function say(name: string, payload: object | string, more: Partial<IncomingMessage> = {}): void {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const message = {
    name: `fleet/${name}`,
    payload: Buffer.from(text),
    qos: 1 as const,
    retain: true,
    stored: false,
    properties: undefined,
    via: [],
    expiryMs: undefined,
    ...more,
  };
  events.incoming(message, () => {});
}

const online = { state: 'online', run: 'r' };
const records = () => [...disk.records].filter(([key]) => key.includes('core/undecided/'));
const fleetOf = (what: string) =>
  gateway.simulation.router.lastValues(`$slipway/fleet/${what}/+`).map(({ name }) => name.split('/').at(-1));
const lines = () => gateway.log.filter(({ level }) => level > 30).map(({ msg }) => msg);
const count = (what: string) => gateway.simulation.counters.get(what);

test('devices without end, of gateways that are not heard: there are no more than there are last values', async () => {
  for (let n = 0; n < 1000; n++) say(`g${n % 7}/devices/d${n}`, { ...online, junk: 'x'.repeat(10_000) });
  expect(count('fleet.drop.limit_reached')).toBe(1000 - MOST);
  await advance(clock, 2000);
  expect(records()).toHaveLength(MOST);
  expect(Math.max(...records().map(([, value]) => value.length))).toBeLessThan(100);
  // Those that are known, and this one, are heard in spite of the others.
  for (let n = 0; n < 7; n++) say(`g${n}/alive`, { run: 'r' });
  await advance(clock, 100);
  expect(fleetOf('devices').length).toBeGreaterThan(0);
  expect(lines()).toEqual([expect.stringContaining('raise limits.last_values')]);
});

test('gateways without end: there are no more than there are last values, which is counted and said once', async () => {
  for (let n = 0; n < 1000; n++) say(`g${n}/alive`, { run: 'r' }, { qos: 0 });
  expect(count('fleet.drop.limit_reached')).toBeGreaterThanOrEqual(1000 - MOST);
  expect(fleetOf('gateways').length).toBeLessThanOrEqual(MOST);
  expect(lines()).toEqual([expect.stringContaining('raise limits.last_values')]);
  await advance(clock, 10 * BEACON_MS);
});

test('very many gateways have one device: those are believed that spoke last', () => {
  for (let n = 0; n < 40; n++) {
    say(`g${n}/alive`, { run: 'r' }, { qos: 0 });
    say(`g${n}/devices/d`, { ...online, held: 1 });
  }
  const value = gateway.simulation.router.lastValue('$slipway/fleet/devices/d');
  const word = JSON.parse(Buffer.from(value?.payload ?? []).toString());
  expect(word).toMatchObject({ state: 'online', gateway: 'g39' });
  expect(Object.keys(word.held)).toHaveLength(15);
  expect(count('fleet.drop.too_many_gateways')).toBe(40 - 16);
});

test.each(['', '+', '#', '$SYS', 'x'.repeat(64), 'a b', '\u0000', '__proto__ '])(
  'a gateway cannot be called %j',
  (name) => {
    say(`${name}/alive`, { run: 'r' });
    say(`${name}/devices/d`, online);
    expect(fleetOf('gateways')).toEqual(['site']);
    expect(fleetOf('devices')).toEqual([]);
    expect(gateway.bridge.report().drops).toEqual({ malformed: 2 });
  },
);
