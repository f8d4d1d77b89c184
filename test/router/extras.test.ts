import { beforeEach, describe, expect, it } from 'vitest';
import { Counters } from '../../src/counters.js';
import type { LastValue } from '../../src/router/channel.js';
import { extrasBytes, type MessageExtras } from '../../src/router/message.js';
import { Router, type RouterLimits } from '../../src/router/router.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { asking, bytes, Inbox } from './inbox.js';

const LIMITS: RouterLimits = {
  maxChannels: 100,
  maxSubscriptions: 100,
  maxSubscriptionsPerSubscriber: 50,
  maxLastValues: 3,
  maxLastValueBytes: 200,
};
const TEXT: MessageExtras = { properties: { contentType: 'text/plain', userProperties: [['a', 'b']] } };

let counters: Counters;
let clock: VirtualClock;
let router: Router;
/** What the keeper was told last, by name. */
let kept: Map<string, LastValue | undefined>;
let a: Inbox;

beforeEach(() => {
  counters = new Counters();
  clock = new VirtualClock();
  kept = new Map();
  router = new Router(LIMITS, counters, clock, {
    full: false,
    changed: (name, value) => kept.set(name, value),
  });
  a = new Inbox();
});

function keep(name: string, text: string, extras?: MessageExtras) {
  return router.emit(name, bytes(text), { qos: 1, retain: true, extras });
}

describe('what goes with a message', () => {
  it('reaches subscribers as it was emitted, live and as a last value', () => {
    router.subscribe(a, 'x', asking(0));
    keep('x', 'hi', TEXT);
    expect(a.extras).toBe(TEXT);
    const late = new Inbox();
    router.subscribe(late, 'x', asking(0));
    expect(late.read()).toEqual(['x=hi@0!']);
    expect(late.extras).toBe(TEXT);
    expect(kept.get('x')?.extras).toBe(TEXT);
    keep('x', 'plain');
    expect(a.extras).toBeUndefined();
    expect(router.lastValue('x')?.extras).toBeUndefined();
  });

  it('counts as bytes of the last value, and no more once that is gone', () => {
    const large = { properties: { correlationData: new Uint8Array(198) } };
    expect(keep('x', 'abc', large)).toBe('limit_reached');
    expect(keep('x', 'ab', large)).toBeUndefined();
    expect(router.sizes.lastValueBytes).toBe(200);
    expect(keep('x', '')).toBeUndefined();
    expect(router.sizes.lastValueBytes).toBe(0);
  });

  it('tells how it came from other gateways, also with a last value', () => {
    const origin = { bridge: 'plant', via: ['site1'] };
    keep('x', 'hi', { origin });
    router.subscribe(a, 'x', asking(0));
    expect(a.extras).toEqual({ origin });
    expect(router.lastValue('x')?.extras).toEqual({ origin });
  });

  it('is measured with all that it holds', () => {
    expect(extrasBytes(undefined)).toBe(0);
    expect(extrasBytes({ expiresAt: 5 })).toBe(0);
    const properties = { contentType: 'ü', responseTopic: 'abc', correlationData: new Uint8Array(7) };
    expect(extrasBytes({ properties })).toBe(12);
    expect(extrasBytes({ properties: { userProperties: [['', '']] } })).toBeGreaterThan(16);
    const origin = (...via: string[]) => extrasBytes({ origin: { bridge: 'plant', via } });
    expect(origin()).toBeGreaterThan(5);
    expect(origin('site1', 'site22') - origin()).toBe(11);
    expect(extrasBytes({ properties, origin: { bridge: 'plant', via: [] } })).toBe(12 + origin());
  });
});

describe('subscriptions tell their ids', () => {
  it('all of those that match, once each', () => {
    router.subscribe(a, 'x/+', asking(1, { subscriptionId: 7 }));
    router.subscribe(a, '#', asking(0));
    router.subscribe(a, 'x/y', asking(0, { subscriptionId: 9 }));
    router.emit('x/y', bytes('hi'), { qos: 2, retain: false });
    expect(a.read()).toEqual(['x/y=hi@1']);
    expect(a.recipient?.subscriptionIds?.toSorted()).toEqual([7, 9]);
    router.emit('y', bytes('hi'), { qos: 2, retain: false });
    expect(a.recipient?.subscriptionIds).toBeUndefined();
  });

  it('a changed id replaces the earlier one', () => {
    router.subscribe(a, 'x', asking(1, { subscriptionId: 7 }));
    router.emit('x', bytes('hi'), { qos: 0, retain: false });
    for (const subscriptionId of [8, undefined]) {
      router.subscribe(a, 'x', asking(1, { subscriptionId }));
      router.emit('x', bytes('hi'), { qos: 0, retain: false });
      expect(a.recipient?.subscriptionIds).toEqual(subscriptionId && [subscriptionId]);
    }
  });

  it('with a last value that of the subscription which asked for it', () => {
    keep('x', 'hi');
    router.subscribe(a, '#', asking(1, { subscriptionId: 1, noLastValue: true }));
    router.subscribe(a, 'x', asking(0, { subscriptionId: 2 }));
    expect(a.read()).toEqual(['x=hi@1!']);
    expect(a.recipient?.subscriptionIds).toEqual([2]);
  });
});

describe('retain as published', () => {
  it('passes R on with live messages, to who wants that', () => {
    const b = new Inbox();
    router.subscribe(a, 'x', asking(0, { retainAsPublished: true }));
    router.subscribe(a, '#', asking(0));
    router.subscribe(b, 'x', asking(0));
    keep('x', '1');
    router.emit('x', bytes('2'), { qos: 0, retain: false });
    expect(a.read()).toEqual(['x=1@0!', 'x=2@0']);
    expect(b.read()).toEqual(['x=1@0', 'x=2@0']);
  });

  it('may be taken back', () => {
    router.subscribe(a, 'x', asking(0, { retainAsPublished: true }));
    router.subscribe(a, 'x', asking(0));
    keep('x', '1');
    expect(a.read()).toEqual(['x=1@0']);
  });
});

describe('whether a subscription is new', () => {
  it('is told by the pattern, to the letter', () => {
    expect(router.isSubscribed(a, 'x')).toBe(false);
    router.subscribe(a, 'x', asking(0));
    router.subscribe(new Inbox(), 'y', asking(0));
    expect(router.isSubscribed(a, 'x')).toBe(true);
    expect(router.isSubscribed(a, '+')).toBe(false);
    expect(router.isSubscribed(a, 'y')).toBe(false);
    router.unsubscribe(a, 'x');
    expect(router.isSubscribed(a, 'x')).toBe(false);
  });
});

describe('a last value that expires', () => {
  it('is there until then, and as if cleared from then on', () => {
    keep('x', 'hi', { expiresAt: 1000 });
    clock.advance(999);
    router.subscribe(a, 'x', asking(0));
    expect(a.read()).toEqual(['x=hi@0!']);
    clock.advance(1);
    router.subscribe(a, 'x', asking(0));
    expect(a.read()).toEqual([]);
    expect(router.lastValue('x')).toBeUndefined();
    expect(router.sizes).toMatchObject({ lastValues: 0, lastValueBytes: 0 });
    expect(kept.get('x')).toBeUndefined();
    expect(counters.get('router.last_values_expired')).toBe(1);
  });

  it('is not there for a subscription to a wildcard either', () => {
    keep('x/1', 'old', { expiresAt: 5 });
    keep('x/2', 'new', { expiresAt: 50 });
    clock.advance(10);
    router.subscribe(a, 'x/#', asking(0));
    expect(a.read()).toEqual(['x/2=new@0!']);
    expect(router.sizes.lastValues).toBe(1);
  });

  it('makes room for others', () => {
    for (const name of ['a', 'b', 'c']) keep(name, 'x', { expiresAt: 100 });
    expect(keep('d', 'x')).toBe('limit_reached');
    clock.advance(2000);
    expect(keep('d', 'x')).toBeUndefined();
    expect(router.sizes.lastValues).toBe(1);
    expect(counters.get('router.last_values_expired')).toBe(3);
  });

  it('that was replaced does not take its successor with it', () => {
    keep('x', 'old', { expiresAt: 100 });
    keep('x', 'new');
    clock.advance(2000);
    for (const name of ['a', 'b', 'c']) keep(name, 'x');
    expect(Buffer.from(router.lastValue('x')?.payload ?? []).toString()).toBe('new');
    expect(counters.get('router.last_values_expired')).toBe(0);
  });
});
