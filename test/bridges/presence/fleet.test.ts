import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { Fleet, MOVING_MS, ownRun } from '../../../src/bridges/presence/fleet.js';
import type { FleetWord } from '../../../src/bridges/presence/fleet-device.js';
import { SILENT_MS } from '../../../src/bridges/presence/roll-call.js';
import { BEACON_MS, type DeviceWord } from '../../../src/bridges/presence/words.js';
import { Counters } from '../../../src/counters.js';
import { FairTurns } from '../../../src/fair-turns.js';
import { Router, type RouterLimits } from '../../../src/router/router.js';
import { asking, Inbox } from '../../router/inbox.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const LIMITS: RouterLimits = {
  maxChannels: 1000,
  maxSubscriptions: 100,
  maxSubscriptionsPerSubscriber: 50,
  maxLastValues: 1000,
  maxLastValueBytes: 1_000_000,
};

let clock: VirtualClock;
let counters: Counters;
let router: Router;
let fleet: Fleet;
/** What a watcher of the devices heard, as `device=…`, less the channels' beginnings. */
let watcher: Inbox;
let log: string[];
let told: [string, FleetWord][];

function newFleet(): Fleet {
  log = [];
  const logger = pino(
    {},
    { write: (line: string) => void log.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const turns = new FairTurns(clock, () => router.delivered);
  return new Fleet({
    router,
    clock,
    turns,
    counters,
    logger,
    gateway: 'here',
    run: 'mine',
    told: (device, word) => void told.push([device, word]),
  });
}

function setUp(limits: Partial<RouterLimits> = {}): void {
  clock = new VirtualClock();
  counters = new Counters();
  router = new Router({ ...LIMITS, ...limits }, counters, clock);
  told = [];
  fleet = newFleet();
  watcher = new Inbox();
  router.subscribe(watcher, '$slipway/fleet/devices/+', asking(1));
}

beforeEach(() => setUp());

const heard = () =>
  watcher.read().map((each) =>
    each
      .replace('$slipway/fleet/devices/', '')
      .replace(/,"run":"[^"]*"/, '')
      .replace(/@1!?$/, ''),
  );
const online = (run = 'r1', held?: number): DeviceWord => ({ state: 'online', run, ...(held && { held }) });
const asleep = (run = 'r1'): DeviceWord => ({ state: 'asleep', run });
const offline = (run = 'r1', held?: number): DeviceWord => ({ state: 'offline', run, ...(held && { held }) });

/** The gateways go on telling that they are there. */
function pass(ms: number, ...gateways: (readonly [name: string, run: string])[]): void {
  const end = clock.now() + ms;
  while (clock.now() < end) {
    for (const [name, run] of gateways) fleet.heard(name, run);
    clock.advance(Math.min(BEACON_MS, end - clock.now()));
  }
}

describe('a device', () => {
  beforeEach(() => {
    fleet.heard('a', 'r1');
    fleet.heard('b', 'r1');
  });

  it('is where its gateway says it is', () => {
    fleet.said('a', 'd', online());
    fleet.said('here', 'mine', online('mine'));
    fleet.said('a', 'd', asleep());
    expect(heard()).toEqual([
      'd={"state":"online","gateway":"a"}',
      'mine={"state":"online","gateway":"here"}',
      'd={"state":"asleep","gateway":"a"}',
    ]);
  });

  it('that is gone is offline when it had its time to come up elsewhere', () => {
    fleet.said('a', 'd', online());
    fleet.said('a', 'd', offline());
    clock.advance(MOVING_MS - 1);
    expect(heard()).toEqual(['d={"state":"online","gateway":"a"}']);
    clock.advance(1);
    expect(heard()).toEqual(['d={"state":"offline","gateway":"a"}']);
  });

  it.each(['before', 'after'])('that moves is never offline, if it is missed %s it is back', (when) => {
    fleet.said('a', 'd', online());
    if (when === 'before') fleet.said('a', 'd', offline());
    clock.advance(MOVING_MS / 2);
    fleet.said('b', 'd', online());
    pass(30_000, ['a', 'r1'], ['b', 'r1']);
    if (when === 'after') fleet.said('a', 'd', offline());
    pass(30_000, ['a', 'r1'], ['b', 'r1']);
    expect(heard()).toEqual(['d={"state":"online","gateway":"a"}', 'd={"state":"online","gateway":"b"}']);
    fleet.said('b', 'd', offline());
    clock.advance(MOVING_MS);
    expect(heard()).toEqual(['d={"state":"offline","gateway":"b"}']);
  });

  it('is asleep where it was seen last, though it is still thought to be online elsewhere', () => {
    fleet.said('a', 'd', online());
    fleet.said('b', 'd', online());
    fleet.said('b', 'd', asleep());
    expect(heard().at(-1)).toBe('d={"state":"asleep","gateway":"b"}');
  });

  it('is where it was said to be last, though it is still thought to be elsewhere, and upstream repeats that', () => {
    fleet.said('a', 'd', online(), true);
    fleet.said('b', 'd', online(), true);
    expect(heard()).toEqual(['d={"state":"online","gateway":"a"}', 'd={"state":"online","gateway":"b"}']);
    fleet.said('a', 'd', online(), true);
    expect(heard()).toEqual([]);
    fleet.said('a', 'd', online());
    expect(heard()).toEqual(['d={"state":"online","gateway":"a"}']);
  });

  it('is told with what waits for it elsewhere', () => {
    fleet.said('a', 'd', online());
    fleet.said('b', 'd', online());
    fleet.said('a', 'd', offline('r1', 12));
    fleet.said('b', 'd', offline());
    clock.advance(MOVING_MS);
    fleet.said('a', 'd', online());
    expect(heard().slice(2)).toEqual([
      'd={"state":"online","gateway":"b","held":{"a":12}}',
      'd={"state":"offline","gateway":"b","held":{"a":12}}',
      'd={"state":"online","gateway":"a"}',
    ]);
    expect(told.at(-1)).toEqual(['d', { state: 'online', gateway: 'a', run: 'r1' }]);
  });

  it('that nobody knows any more is cleared', () => {
    fleet.said('a', 'd', online());
    fleet.said('b', 'd', offline());
    fleet.said('b', 'd', undefined);
    expect(heard()).toEqual(['d={"state":"online","gateway":"a"}']);
    fleet.said('a', 'd', undefined);
    expect(heard()).toEqual(['d=@0']);
    expect(router.sizes.lastValues).toBe(2);
  });

  it('finds no room: it is counted, said once, and told once there is', () => {
    setUp({ maxLastValues: 2 });
    fleet.heard('a', 'r1');
    for (const id of ['d', 'e', 'f']) fleet.said('a', id, online());
    expect(heard()).toEqual(['d={"state":"online","gateway":"a"}']);
    expect(counters.get('fleet.drop.limit_reached')).toBe(2);
    expect(log).toEqual([expect.stringContaining('raise limits.last_values')]);
    fleet.said('a', 'd', undefined);
    fleet.said('a', 'f', online());
    expect(heard()).toEqual(['d=@0', 'f={"state":"online","gateway":"a"}']);
  });
});

describe('a gateway', () => {
  let gateways: Inbox;

  beforeEach(() => {
    gateways = new Inbox();
    router.subscribe(gateways, '$slipway/fleet/gateways/+', asking(0));
  });

  it('that is silent has no devices, until it is heard again', () => {
    fleet.heard('a', 'r1');
    fleet.heard('b', 'r1');
    fleet.said('a', 'd', online());
    fleet.said('a', 'e', asleep());
    fleet.said('b', 'f', online());
    pass(SILENT_MS - 1, ['b', 'r1']);
    expect(heard()).toHaveLength(3);
    pass(1, ['b', 'r1']);
    expect(heard()).toEqual([
      'd={"state":"offline","gateway":"a","was":"online"}',
      'e={"state":"offline","gateway":"a","was":"asleep"}',
    ]);
    fleet.heard('a', 'r1');
    clock.advance(0);
    expect(heard()).toEqual(['d={"state":"online","gateway":"a"}', 'e={"state":"asleep","gateway":"a"}']);
    expect(gateways.read()).toEqual(
      [
        '$slipway/fleet/gateways/a={"state":"online","run":"r1"}',
        '$slipway/fleet/gateways/b={"state":"online","run":"r1"}',
        '$slipway/fleet/gateways/a={"state":"offline","run":"r1"}',
        '$slipway/fleet/gateways/a={"state":"online","run":"r1"}',
      ].map((each) => `${each}@0`),
    );
  });

  it('that is silent does not keep a device from being elsewhere', () => {
    fleet.heard('a', 'r1');
    fleet.heard('b', 'r1');
    fleet.said('b', 'd', online());
    fleet.said('a', 'd', online());
    pass(SILENT_MS, ['b', 'r1']);
    expect(heard().at(-1)).toBe('d={"state":"online","gateway":"b"}');
  });

  it('that was silent and speaks of a device is to be heard first', () => {
    fleet.heard('a', 'r1');
    clock.advance(SILENT_MS);
    expect(fleet.said('a', 'd', online())).toBe(false);
    clock.advance(BEACON_MS);
    expect(heard()).toEqual([]);
    fleet.heard('a', 'r1');
    clock.advance(0);
    expect(heard()).toEqual(['d={"state":"online","gateway":"a"}']);
    expect(fleet.said('a', 'd', asleep())).toBe(true);
    expect(fleet.said('a', 'd', offline())).toBe(false);
  });

  it('of which others spoke before it was heard is awaited, then silent', () => {
    fleet.said('a', 'd', online(), true);
    expect(heard()).toEqual([]);
    clock.advance(SILENT_MS - 1);
    expect(heard()).toEqual([]);
    clock.advance(1);
    expect(heard()).toEqual(['d={"state":"offline","gateway":"a","was":"online"}']);
    expect(gateways.read()).toEqual(['$slipway/fleet/gateways/a={"state":"offline","run":"r1"}@0']);
    fleet.said('b', 'e', online(), true);
    fleet.heard('b', 'r1');
    clock.advance(0);
    expect(heard()).toEqual(['e={"state":"online","gateway":"b"}']);
  });

  it('that lost its memory has only the devices that it spoke of since', () => {
    fleet.heard('a', 'r1');
    fleet.said('a', 'd', online());
    fleet.said('a', 'e', online());
    fleet.said('a', 'e', online('r2'));
    fleet.heard('a', 'r2');
    clock.advance(MOVING_MS);
    expect(heard().slice(2)).toEqual([
      'e={"state":"online","gateway":"a"}',
      'd={"state":"offline","gateway":"a"}',
    ]);
    fleet.said('a', 'd', online('r2'));
    expect(heard()).toEqual(['d={"state":"online","gateway":"a"}']);
  });

  it('whose last values are of a memory that it lost does not have these devices', () => {
    fleet.said('a', 'd', online('r1'), true);
    fleet.heard('a', 'r2');
    clock.advance(MOVING_MS);
    expect(heard()).toEqual(['d={"state":"offline","gateway":"a"}']);
  });
});

describe('after a restart', () => {
  function restart(): void {
    fleet.stop();
    fleet = newFleet();
    fleet.start();
  }

  it('all is as it was told, and followed from there', () => {
    fleet.heard('a', 'r1');
    fleet.heard('b', 'r1');
    fleet.said('a', 'd', online());
    fleet.said('b', 'e', asleep());
    fleet.said('a', 'e', offline('r1', 3));
    heard();
    restart();
    pass(BEACON_MS, ['a', 'r1'], ['b', 'r1']);
    expect(heard()).toEqual([]);
    expect(fleet.of('e')).toEqual({ state: 'asleep', gateway: 'b', run: 'r1', held: { a: 3 } });
    pass(SILENT_MS, ['b', 'r1']);
    fleet.said('b', 'e', offline());
    clock.advance(MOVING_MS);
    expect(heard()).toEqual([
      'd={"state":"offline","gateway":"a","was":"online"}',
      'e={"state":"offline","gateway":"b","held":{"a":3}}',
    ]);
  });

  it('a gateway that was silent has its devices again when it is heard', () => {
    fleet.said('a', 'd', asleep());
    clock.advance(SILENT_MS);
    expect(heard()).toEqual(['d={"state":"offline","gateway":"a","was":"asleep"}']);
    restart();
    clock.advance(BEACON_MS);
    expect(heard()).toEqual([]);
    fleet.heard('a', 'r1');
    clock.advance(0);
    expect(heard()).toEqual(['d={"state":"asleep","gateway":"a"}']);
  });

  it('a gateway that is not heard any more is silent, one that forgot meanwhile has nothing', () => {
    fleet.heard('a', 'r1');
    fleet.heard('b', 'r1');
    fleet.said('a', 'd', online());
    fleet.said('b', 'e', online());
    heard();
    restart();
    pass(SILENT_MS, ['b', 'r2']);
    expect(heard()).toEqual([
      'e={"state":"offline","gateway":"b"}',
      'd={"state":"offline","gateway":"a","was":"online"}',
    ]);
  });

  it('the gateway itself has the memory that it had, if last values are kept', () => {
    const first = ownRun(router, 'here', () => 'one');
    expect(first).toBe('one');
    expect(ownRun(router, 'here', () => 'two')).toBe('one');
    expect(ownRun(router, 'there', () => 'two')).toBe('two');
  });
});

it('nobody waits for very many devices of one gateway', () => {
  setUp({ maxLastValues: 10_000 });
  fleet.heard('a', 'r1');
  for (let i = 0; i < 5000; i += 1) fleet.said('a', `d${i}`, online());
  watcher.read();
  clock.advance(SILENT_MS);
  expect(watcher.read()).toHaveLength(5000);
});
