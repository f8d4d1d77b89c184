import { beforeEach, describe, expect, it } from 'vitest';
import { MOVING_MS } from '../../../src/bridges/presence/fleet.js';
import type { FleetWord } from '../../../src/bridges/presence/fleet-device.js';
import { SILENT_MS } from '../../../src/bridges/presence/roll-call.js';
import type { DeviceState } from '../../../src/wire/device-states.js';
import type { Inbox } from '../../router/inbox.js';
import { Disk } from '../../support/memory-backend.js';
import { Random } from '../../support/random.js';
import { forSeedsInTurn } from '../../support/seeds.js';
import { type BrokerOptions, SimulatedBroker } from '../../support/simulated-broker/broker.js';
import { advance } from '../../support/turns.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { PlainGateway } from '../plain-gateway.js';

const PRESENCE = { direction: 'both', remote: 'fleet/devices' };
/** As long as all bridges take to connect and to hear of each other, ms. */
const SOON = 15_000;

let clock: VirtualClock;
let broker: SimulatedBroker;

beforeEach(() => setUp(1));

function setUp(seed: number, options: BrokerOptions = {}): void {
  clock = new VirtualClock();
  broker = new SimulatedBroker(clock, seed, options);
}

const gateway = (name: string, disk?: Disk, presence: object = PRESENCE) =>
  new PlainGateway(name, [{ broker, settings: { presence } }], disk);

/** What was heard of one device: states, gateways, and what is held. */
function heard(inbox: Inbox): string[] {
  return inbox.read().map((each) => {
    const [, id, json] = /^\$slipway\/fleet\/devices\/(.+?)=(.*)@\d!?$/.exec(each) as RegExpExecArray;
    if (json === '') return `${id} forgotten`;
    const { state, gateway: where, held } = JSON.parse(json as string) as FleetWord;
    return `${id} ${state} ${where}${held ? ` ${JSON.stringify(held)}` : ''}`;
  });
}

it('a broker that has forgotten all is told of all devices again', async () => {
  const a = gateway('a', new Disk());
  a.device('uno', 'online');
  await advance(clock, SOON);
  broker.stop();
  broker.forgetSessions();
  broker.lastValues.clear();
  await advance(clock, 1000);
  broker.start();
  await advance(clock, 60_000);
  const late = gateway('late');
  await advance(clock, SOON);
  expect(late.fleet()).toEqual({ uno: 'online@a' });
  expect(broker.violations).toEqual([]);
});

it('a broker that has not is told nothing twice', async () => {
  const a = gateway('a', new Disk());
  a.device('uno', 'online');
  await advance(clock, SOON);
  const words = () => broker.taken.filter(({ name }) => name.endsWith('/devices/uno'));
  expect(words()).toHaveLength(1);
  broker.cut();
  await advance(clock, 60_000);
  expect(words()).toHaveLength(1);
});

describe('two gateways of one name', () => {
  const told = (one: PlainGateway) => one.log.filter((line) => line.includes('another gateway is called'));

  it.each([true, false])('are told so, once (they hear themselves: %s)', async (echo) => {
    setUp(1, { echo });
    const both = [gateway('a'), gateway('a'), gateway('b')];
    await advance(clock, 10 * SOON);
    const line =
      'bridge b0: another gateway is called "a", too, and neither hears the other: give each a name of its own (gateway)';
    expect(both.map(told)).toEqual([[line], [line], []]);
  });

  it('are not, where one was only started anew', async () => {
    const a = gateway('a');
    for (let n = 0; n < 5; n++) {
      await advance(clock, SOON);
      a.kill();
      a.start();
    }
    await advance(clock, SOON);
    expect(told(a)).toEqual([]);
  });
});

describe('with three gateways', () => {
  let a: PlainGateway;
  let b: PlainGateway;
  let c: PlainGateway;
  let watcher: Inbox;

  beforeEach(async () => {
    [a, b, c] = [gateway('a', new Disk()), gateway('b'), gateway('c')];
    watcher = c.watch('$slipway/fleet/devices/+');
    await advance(clock, SOON);
  });

  it('a dashboard at one sees the devices of all', async () => {
    a.device('one', 'online');
    b.device('two', 'asleep');
    c.device('three', 'online');
    await advance(clock, SOON);
    const all = { one: 'online@a', two: 'asleep@b', three: 'online@c' };
    for (const each of [a, b, c]) expect(each.fleet()).toEqual(all);
    expect(c.lastValue('$slipway/fleet/gateways/b')).toMatch(/^{"state":"online"/);
    a.forget('one');
    await advance(clock, SOON);
    expect(c.fleet()).toEqual({ two: 'asleep@b', three: 'online@c' });
    expect(broker.violations).toEqual([]);
  });

  it.each([
    ['before it is back', [MOVING_MS / 2, 'offline first']],
    ['long after it is back', [45_000, 'online first']],
  ] as const)('a device that roams is online all the time, if it is missed %s', async (_, [ms, order]) => {
    a.device('uno', 'online');
    await advance(clock, SOON);
    if (order === 'offline first') a.device('uno', 'offline');
    else b.device('uno', 'online');
    await advance(clock, ms);
    if (order === 'offline first') b.device('uno', 'online');
    else a.device('uno', 'offline');
    await advance(clock, 60_000);
    expect(heard(watcher)).toEqual(['uno online a', 'uno online b']);
    expect([a.fleet(), b.fleet()]).toEqual([{ uno: 'online@b' }, { uno: 'online@b' }]);
  });

  it('a gateway dies: its devices are offline after 35 s, and those that went elsewhere are not', async () => {
    for (const id of ['stays', 'moves', 'sleeps']) a.device(id, id === 'sleeps' ? 'asleep' : 'online');
    await advance(clock, SOON);
    heard(watcher);
    a.kill();
    b.device('moves', 'online');
    await advance(clock, SILENT_MS - SOON - 10_000);
    expect(heard(watcher)).toEqual(['moves online b']);
    await advance(clock, SOON + 10_000);
    expect(heard(watcher).sort()).toEqual(['sleeps offline a', 'stays offline a']);
    expect(c.fleet()).toMatchObject({ stays: 'offline@a was online', sleeps: 'offline@a was asleep' });
    expect(c.lastValue('$slipway/fleet/gateways/a')).toMatch(/^{"state":"offline"/);
  });

  it('a gateway that is back within 35 s with its memory is not missed; what did not come back is, later', async () => {
    a.device('uno', 'online');
    a.device('due', 'online');
    await advance(clock, SOON);
    heard(watcher);
    a.kill();
    await advance(clock, 20_000);
    a.start();
    a.device('uno', 'online');
    await advance(clock, 30_000);
    expect(heard(watcher)).toEqual([]);
    await advance(clock, 60_000);
    expect(heard(watcher)).toEqual(['due offline a']);
  });

  it('a gateway that is back without its memory has only the devices that came back', async () => {
    b.device('uno', 'online');
    b.device('due', 'online');
    await advance(clock, SOON);
    heard(watcher);
    b.kill();
    b.start();
    b.device('uno', 'online');
    await advance(clock, 60_000);
    expect(heard(watcher).sort()).toEqual(['due offline b', 'uno online b']);
    // Its last values upstream still say otherwise.
    const late = gateway('d');
    await advance(clock, 60_000);
    expect(late.fleet()).toEqual({ due: 'offline@b', uno: 'online@b' });
  });

  it('a gateway that starts late sees the fleet, and nothing that is not so', async () => {
    a.device('uno', 'online');
    b.device('due', 'asleep');
    b.device('tre', 'offline');
    a.device('gone', 'online');
    await advance(clock, SOON);
    a.kill();
    await advance(clock, 60_000);
    const late = gateway('d');
    const watching = late.watch('$slipway/fleet/devices/+');
    await advance(clock, 60_000);
    expect(heard(watching).sort()).toEqual([
      'due asleep b',
      'gone offline a',
      'tre offline b',
      'uno offline a',
    ]);
  });

  it('a partition makes all that is beyond it offline, and heals', async () => {
    a.device('uno', 'online');
    c.device('due', 'online');
    await advance(clock, SOON);
    broker.stop();
    await advance(clock, 60_000);
    expect(c.fleet()).toEqual({ uno: 'offline@a was online', due: 'online@c' });
    a.device('tre', 'online');
    a.device('quick', 'online');
    a.device('quick', 'offline');
    expect(heard(watcher).sort()).toEqual(['due online c', 'uno offline a', 'uno online a']);
    broker.start();
    await advance(clock, 60_000);
    expect(heard(watcher).sort()).toEqual(['quick offline a', 'tre online a', 'uno online a']);
    expect(c.fleet()).toEqual(a.fleet());
  });

  it('what waits for a device that went elsewhere is reported, everywhere and in the log', async () => {
    a.held.set('uno', 0);
    a.device('uno', 'online');
    await advance(clock, SOON);
    a.held.set('uno', 3);
    a.device('uno', 'offline');
    b.device('uno', 'online');
    await advance(clock, SOON);
    expect(heard(watcher)).toEqual(['uno online a', 'uno online b', 'uno online b {"a":3}']);
    expect(a.log.filter((line) => line.includes('uno'))).toEqual([
      'uno is at b now: 3 messages that wait for it here will not follow; kept until it is back or its session expires',
    ]);
    a.held.set('uno', 5);
    await advance(clock, 12_000);
    expect(heard(watcher)).toEqual(['uno online b {"a":5}']);
    a.held.delete('uno');
    await advance(clock, 12_000);
    expect(heard(watcher)).toEqual(['uno online b']);
    a.held.set('uno', 1);
    b.device('uno', 'offline');
    await advance(clock, SOON);
    expect(heard(watcher)).toEqual(['uno offline b', 'uno offline b {"a":1}']);
    a.device('uno', 'online');
    await advance(clock, SOON);
    expect(heard(watcher)).toEqual(['uno online a']);
  });

  it('what is held is told again after a restart, also that it is no more', async () => {
    for (const id of ['uno', 'due']) {
      a.held.set(id, 2);
      a.device(id, 'offline');
      b.device(id, 'online');
    }
    await advance(clock, SOON);
    a.kill();
    a.held.delete('due');
    a.start();
    await advance(clock, SOON);
    expect(c.fleet()).toEqual({ uno: 'online@b held {"a":2}', due: 'online@b' });
  });
});

describe('which way it crosses', () => {
  it.each([
    ['out', { uno: 'online@a' }, { uno: 'online@a', due: 'online@b' }],
    ['in', { uno: 'online@a', due: 'online@b' }, { due: 'online@b' }],
  ])('%s only', async (direction, seenByA, seenByB) => {
    const a = gateway('a', undefined, { ...PRESENCE, direction });
    const b = gateway('b');
    a.device('uno', 'online');
    b.device('due', 'online');
    await advance(clock, SOON);
    expect(a.fleet()).toEqual(seenByA);
    expect(b.fleet()).toEqual(seenByB);
  });

  it('over two bridges: who is heard by both is one gateway, what comes by one does not leave by the other', async () => {
    const other = new SimulatedBroker(clock, 2);
    const both = () => [
      { broker, settings: { presence: PRESENCE } },
      { broker: other, settings: { presence: PRESENCE } },
    ];
    const [a, b] = [new PlainGateway('a', both()), new PlainGateway('b', both())];
    const c = new PlainGateway('c', [{ broker: other, settings: { presence: PRESENCE } }]);
    const d = gateway('d');
    const watcher = b.watch('$slipway/fleet/devices/+');
    await advance(clock, SOON);
    a.device('uno', 'online');
    c.device('due', 'online');
    await advance(clock, SOON);
    expect(heard(watcher).sort()).toEqual(['due online c', 'uno online a']);
    broker.stop();
    await advance(clock, 60_000);
    expect(heard(watcher)).toEqual([]);
    a.device('uno', 'offline');
    await advance(clock, SOON);
    expect(b.fleet()).toEqual({ uno: 'offline@a', due: 'online@c' });
    expect(d.fleet()).toEqual({ uno: 'offline@a was online' });
  });

  it('what is no word of presence is dropped, and counted', async () => {
    const a = gateway('a');
    await advance(clock, SOON);
    for (const [name, text] of [
      ['fleet/devices/x/alive', 'no json'],
      ['fleet/devices/x/devices/d', '{"state":"on fire","run":"r"}'],
      ['fleet/devices/x/devices/$d', '{"state":"online","run":"r"}'],
    ] as const)
      broker.publish(name, text);
    await advance(clock, SOON);
    expect(a.counters.get('bridges.b0.drop.malformed')).toBe(3);
    expect(a.fleet()).toEqual({});
  });
});

it('all see what is so in the end, whatever breaks', async () => {
  await forSeedsInTurn(25, async (seed) => {
    setUp(seed, { faults: { delay: 5, jitter: 50, loss: 0.005, notice: 2000 } });
    const random = new Random(seed);
    const names = ['a', 'b', 'c'];
    const gateways = names.map((name) => gateway(name, random.chance(0.5) ? new Disk() : undefined));
    /** Where each device is, and in which state. */
    const truth = new Map<string, { where: PlainGateway; state: DeviceState }>();
    for (let step = 0; step < 50; step += 1) {
      const id = `d${random.below(4)}`;
      const where = gateways[random.below(3)] as PlainGateway;
      const dice = random.next();
      const before = truth.get(id);
      if (dice < 0.5) {
        where.device(id, 'online');
        truth.set(id, { where, state: 'online' });
        // The gateway that it left finds out some time later.
        if (before && before.where !== where) {
          await advance(clock, random.below(3000));
          before.where.device(id, 'offline');
        }
      } else if (dice < 0.7 && before) {
        const state = random.chance(0.5) ? 'asleep' : 'offline';
        before.where.device(id, state);
        truth.set(id, { where: before.where, state });
      } else if (dice < 0.8) broker.cut();
      else if (dice < 0.85) broker.stop();
      else if (dice < 0.93) broker.start();
      else {
        where.kill();
        where.start();
        // Its devices come back.
        for (const [each, { where: there, state }] of truth) {
          if (there === where) where.device(each, state);
        }
      }
      await advance(clock, random.below(8000));
    }
    broker.faults = { ...broker.faults, loss: 0 };
    broker.start();
    await advance(clock, 200_000);
    for (const each of gateways) {
      const seen = each.fleet();
      for (const [id, { where, state }] of truth) {
        const expected = state === 'offline' ? /^offline@/ : `${state}@${where.name}`;
        expect(seen[id], `${id} as ${each.name} sees it`).toEqual(
          typeof expected === 'string' ? expected : expect.stringMatching(expected),
        );
      }
    }
    expect(broker.violations).toEqual([]);
    for (const each of gateways) each.kill();
  });
});
