import { beforeEach, describe, expect, it } from 'vitest';
import { Counters } from '../../src/counters.js';
import { LevelTree } from '../../src/router/level-tree.js';
import { Router, type RouterLimits } from '../../src/router/router.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { asking, bytes, Inbox } from './inbox.js';

const LIMITS: RouterLimits = {
  maxChannels: 2,
  maxSubscriptions: 2000,
  maxSubscriptionsPerSubscriber: 1000,
  maxLastValues: 10_000,
  maxLastValueBytes: 200_000,
};
/** As long as MQTT's can be, and one that has as many levels as that allows. */
const LONG = 'é'.repeat(32_767);
const DEEP = '/'.repeat(65_535);

let counters: Counters;
let router: Router;
let a: Inbox;

beforeEach(() => {
  counters = new Counters();
  router = new Router(LIMITS, counters, new VirtualClock());
  a = new Inbox();
});

describe('a long name', () => {
  it.each([
    ['of many characters', LONG, '+'],
    ['of many levels', DEEP, '/#'],
  ])('%s is matched, by itself and by wildcards, and kept', (_, name, wildcard) => {
    router.subscribe(a, wildcard, asking(0));
    expect(router.emit(name, bytes('1'), { qos: 0, retain: true })).toBeUndefined();
    router.unsubscribe(a, wildcard);
    router.subscribe(a, wildcard, asking(0));
    expect(a.taken).toEqual([`${name}=1@0`, `${name}=1@0!`]);
    expect(router.sizes.lastValueBytes).toBeGreaterThan(65_000);
  });

  it('is refused with a byte too many', () => {
    expect(router.emit(`${DEEP}/`, bytes('1'), { qos: 0, retain: false })).toBe('bad_channel');
    expect(router.emit(`${LONG}éé`, bytes('1'), { qos: 0, retain: false })).toBe('bad_channel');
    expect(router.subscribe(a, `${DEEP}#`, asking(0))).toBe('bad_channel');
  });

  it('may be subscribed to', () => {
    expect(router.subscribe(a, LONG, asking(0))).toBeUndefined();
    router.emit(LONG, bytes('1'), { qos: 0, retain: false });
    expect(a.taken).toHaveLength(1);
    expect(router.isSubscribed(a, LONG)).toBe(true);
  });

  it('takes no place among channels, and no id', () => {
    for (let i = 0; i < 5; i++) router.emit(`${'x'.repeat(255)}${i}`, bytes('1'), { qos: 0, retain: false });
    expect(router.sizes.channels).toBe(0);
    expect(router.hold('x'.repeat(256))).toBe('bad_channel');
    expect(router.hold('x'.repeat(255))).toMatchObject({ long: false });
  });

  it('counts as bytes of a last value where it is longer than 255', () => {
    const keep = (name: string) => router.emit(name, bytes('1'), { qos: 0, retain: true });
    keep('x'.repeat(255));
    expect(router.sizes.lastValueBytes).toBe(1);
    keep('x'.repeat(300));
    expect(router.sizes.lastValueBytes).toBe(47);
    for (const name of [LONG, `${LONG}a`, `b${LONG}`]) keep(name);
    expect(keep(`c${LONG}`)).toBe('limit_reached');
    router.clearLastValue(LONG);
    expect(keep(`c${LONG}`)).toBeUndefined();
  });

  it('weighs in the bounds of one subscriber by its bytes', () => {
    const names = Array.from({ length: 10 }, (_, i) => `${i}${LONG}`);
    const outcomes = names.map((name) => router.subscribe(a, name, asking(0)));
    expect(outcomes.slice(0, 8)).toEqual(Array(8).fill(undefined));
    expect(outcomes[9]).toBe('limit_reached');
    expect(router.subscribe(new Inbox(), LONG, asking(0))).toBeUndefined();
  });

  it('is counted where a subscriber cannot be told it', () => {
    class Short extends Inbox {
      override deliver(...[channel, ...rest]: Parameters<Inbox['deliver']>) {
        return channel.long ? ('name_too_long' as const) : super.deliver(channel, ...rest);
      }
    }
    const short = new Short();
    for (const inbox of [a, short]) router.subscribe(inbox, '#', asking(1));
    expect(router.emit(LONG, bytes('1'), { qos: 1, retain: false })).toBeUndefined();
    expect([a.taken.length, short.taken.length]).toEqual([1, 0]);
    expect(counters.get('router.drop.name_too_long')).toBe(1);
    expect(counters.get('router.delivered')).toBe(1);
  });
});

describe('a tree of very deep paths', () => {
  const deep = (end: string) => ({ path: `${'a/'.repeat(30_000)}${end}` });

  it('finds, matches and forgets them', () => {
    const tree = new LevelTree<{ path: string }>(({ path }) => path);
    const [one, two] = [deep('1'), deep('2')];
    for (const value of [one, two]) tree.put(value);
    expect(tree.nodes).toBeGreaterThan(30_000);
    expect(tree.get(one.path)).toBe(one);
    expect(tree.matchingPatterns(two.path)).toEqual([two]);
    expect(new Set(tree.matchingNames('a/#'))).toEqual(new Set([one, two]));
    expect([...tree.matchingNames(`${'+/'.repeat(30_000)}2`)]).toEqual([two]);
    tree.delete(one.path);
    expect(tree.get(one.path)).toBeUndefined();
    expect([...tree.matchingNames('#')]).toEqual([two]);
    expect(tree.nodes).toBe(1);
    tree.delete(two.path);
    expect(tree.nodes).toBe(0);
  });
});
