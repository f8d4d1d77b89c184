import { beforeEach, describe, expect, it } from 'vitest';
import { Counters } from '../../src/counters.js';
import type { Channel } from '../../src/router/channel.js';
import type { Replay } from '../../src/router/last-value-replay.js';
import { Router, type RouterLimits } from '../../src/router/router.js';
import type { Qos } from '../../src/wire/messages.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { asking, bytes, Inbox } from './inbox.js';

const LIMITS: RouterLimits = {
  maxChannels: 100,
  maxSubscriptions: 100,
  maxSubscriptionsPerSubscriber: 50,
  maxLastValues: 20,
  maxLastValueBytes: 1000,
};

let counters: Counters;
let clock: VirtualClock;
let router: Router;
let a: Inbox;
let b: Inbox;

function start(limits: Partial<RouterLimits> = {}): void {
  counters = new Counters();
  clock = new VirtualClock();
  router = new Router({ ...LIMITS, ...limits }, counters, clock);
  a = new Inbox();
  b = new Inbox();
}

function emit(channel: Channel | string, text: string, qos: Qos = 0, from?: Inbox) {
  return router.emit(channel, bytes(text), { qos, retain: false }, from);
}

function keep(channel: Channel | string, text: string, qos: Qos = 0, from?: Inbox) {
  return router.emit(channel, bytes(text), { qos, retain: true }, from);
}

function held(name: string): Channel {
  const channel = router.hold(name);
  if (typeof channel === 'string') throw new Error(`${name} was refused: ${channel}`);
  return channel;
}

beforeEach(() => start());

describe('emit', () => {
  it('reaches those who subscribed and nobody else', () => {
    router.subscribe(a, 'x/+', asking(0));
    router.subscribe(b, 'y', asking(0));
    expect(emit('x/1', 'hi')).toBeUndefined();
    expect(a.read()).toEqual(['x/1=hi@0']);
    expect(b.read()).toEqual([]);
    expect(counters.snapshot()).toEqual({ 'router.delivered': 1, 'router.emit': 1 });
  });

  it('is fine with nobody listening', () => {
    expect(emit('x', 'hi', 2)).toBeUndefined();
    expect(counters.get('router.delivered')).toBe(0);
  });

  it('goes back to its sender, who subscribed too', () => {
    router.subscribe(a, 'x', asking(0));
    emit('x', 'hi', 0, a);
    expect(a.read()).toEqual(['x=hi@0']);
  });

  it.each([
    [0, 2, 0],
    [1, 0, 0],
    [1, 2, 1],
    [2, 1, 1],
    [2, 2, 2],
  ] as const)('of QoS %d to a subscription of QoS %d is delivered at %d', (emitted, wanted, got) => {
    router.subscribe(a, 'x', asking(wanted));
    emit('x', 'hi', emitted);
    expect(a.read()).toEqual([`x=hi@${got}`]);
  });

  it('is delivered once at the highest QoS of overlapping subscriptions', () => {
    router.subscribe(a, 'x/+', asking(0));
    router.subscribe(a, 'x/y', asking(2));
    router.subscribe(a, '#', asking(1));
    emit('x/y', 'hi', 2);
    expect(a.read()).toEqual(['x/y=hi@2']);
  });

  it.each(['', 'x/#', 'a+', 'a\0'])('on %j is refused: no channel has such a name', (name) => {
    router.subscribe(a, '#', asking(0));
    expect(emit(name, 'hi')).toBe('bad_channel');
    expect(a.read()).toEqual([]);
    expect(counters.get('router.refused.bad_channel')).toBe(1);
  });

  it('on a channel of the gateway is refused to peers, by name and by channel', () => {
    router.subscribe(b, '$slipway/#', asking(0));
    expect(emit('$slipway/stats', 'fake', 0, a)).toBe('not_allowed');
    expect(emit(held('$slipway/stats'), 'fake', 0, a)).toBe('not_allowed');
    expect(emit(router.broadcastChannel, 'fake', 0, a)).toBe('not_allowed');
    expect(b.read()).toEqual([]);
    expect(counters.get('router.refused.not_allowed')).toBe(3);
    expect(emit('$slipway/stats', 'true')).toBeUndefined();
    expect(b.read()).toEqual(['$slipway/stats=true@0']);
  });
});

describe('no local', () => {
  it('holds back the own emits, not those of others', () => {
    router.subscribe(a, 'x', asking(0, { noLocal: true }));
    emit('x', 'mine', 0, a);
    emit('x', 'yours', 0, b);
    emit('x', 'the gateway’s');
    expect(a.read()).toEqual(['x=yours@0', 'x=the gateway’s@0']);
  });

  it('of one subscription leaves the others as they are', () => {
    router.subscribe(a, 'x', asking(2, { noLocal: true, subscriptionId: 1 }));
    router.subscribe(a, '+', asking(1, { subscriptionId: 2 }));
    router.subscribe(a, '#', asking(0, { subscriptionId: 3 }));
    router.subscribe(a, 'y', asking(0, { noLocal: true }));
    emit('x', 'mine', 2, a);
    expect(a.read()).toEqual(['x=mine@1']);
    expect(a.recipient?.subscriptionIds?.toSorted()).toEqual([2, 3]);
    emit('x', 'yours', 2, b);
    expect(a.read()).toEqual(['x=yours@2']);
    expect(a.recipient?.subscriptionIds?.toSorted()).toEqual([1, 2, 3]);
    router.unsubscribe(a, '#');
    router.unsubscribe(a, '+');
    emit('x', 'mine', 2, a);
    expect(a.read()).toEqual([]);
  });

  it('does not let the sender’s own full queue refuse its emit', () => {
    router.subscribe(a, 'x', asking(1, { noLocal: true }));
    router.subscribe(b, 'x', asking(1));
    a.room = 0;
    expect(emit('x', 'hi', 1, a)).toBeUndefined();
    expect(b.read()).toEqual(['x=hi@1']);
  });
});

describe('full queues and small receivers (§5.7)', () => {
  it('a reliable emit is refused whole when one queue is full', () => {
    router.subscribe(a, 'x', asking(1));
    router.subscribe(b, 'x', asking(1));
    b.room = 0;
    expect(keep('x', 'hi', 1)).toBe('queue_full');
    expect([...a.read(), ...b.read()]).toEqual([]);
    expect(router.sizes.lastValues).toBe(0);
    expect(counters.snapshot()).toEqual({ 'router.refused.queue_full': 1 });
    b.room = 1;
    expect(keep('x', 'hi', 1)).toBeUndefined();
    expect([...a.read(), ...b.read()]).toEqual(['x=hi@1', 'x=hi@1']);
  });

  it('a full queue does not matter to who subscribed at QoS 0', () => {
    router.subscribe(a, 'x', asking(0));
    a.room = 0;
    expect(emit('x', 'hi', 2)).toBeUndefined();
    expect(a.read()).toEqual(['x=hi@0']);
  });

  it.each([0, 1, 2] as const)('a message too large for one goes to the others, at QoS %d', (qos) => {
    for (const inbox of [a, b]) router.subscribe(inbox, 'x', asking(2));
    a.maxPayload = 3;
    expect(emit('x', 'long', qos)).toBe('too_large_for_receiver');
    expect(a.read()).toEqual([]);
    expect(b.read()).toEqual([`x=long@${qos}`]);
    expect(counters.get('router.drop.too_large_for_receiver')).toBe(1);
    expect(counters.get('router.delivered')).toBe(1);
  });

  it('an emit refused for one is not counted as dropped for another', () => {
    for (const inbox of [a, b]) router.subscribe(inbox, 'x', asking(1));
    a.maxPayload = 1;
    b.room = 0;
    expect(emit('x', 'long', 1)).toBe('queue_full');
    expect(counters.snapshot()).toEqual({ 'router.refused.queue_full': 1 });
  });
});

describe('subscriptions', () => {
  it.each(['', 'a/#/b', 'a#', 'a+/b', 'a/\0'])('to %j are refused', (pattern) => {
    expect(router.subscribe(a, pattern, asking(0))).toBe('bad_channel');
    expect(router.subscriptionsOf(a).size).toBe(0);
    expect(counters.get('router.refused.bad_channel')).toBe(1);
  });

  it('replace an earlier one to the same pattern', () => {
    router.subscribe(a, 'x', asking(2));
    emit('x', 'one', 2);
    router.subscribe(a, 'x', asking(1));
    emit('x', 'two', 2);
    expect(a.read()).toEqual(['x=one@2', 'x=two@1']);
    expect([...router.subscriptionsOf(a)]).toMatchObject([['x', { qos: 1 }]]);
    expect(router.sizes.subscriptions).toBe(1);
  });

  it('end one at a time', () => {
    router.subscribe(a, 'x', asking(0));
    router.subscribe(b, 'x', asking(0));
    expect(router.unsubscribe(a, 'x')).toBe(true);
    expect(router.unsubscribe(a, 'x')).toBe(false);
    expect(router.unsubscribe(a, 'never')).toBe(false);
    emit('x', 'hi');
    expect(a.read()).toEqual([]);
    expect(b.read()).toEqual(['x=hi@0']);
  });

  it('all end, and others stand, when a subscriber with many wildcards is removed', () => {
    router.connect(b);
    for (let n = 0; n < 20; n++) router.subscribe(a, `+/${n}`, asking(0));
    router.subscribe(b, 'x/#', asking(0));
    router.subscribe(a, 'x/y', asking(0));
    for (const channel of ['x/1', 'x/19', 'x/y']) emit(channel, 'before');
    expect([a.read().length, b.read().length]).toEqual([3, 3]);
    router.remove(a);
    for (const channel of ['x/1', 'x/19', 'x/y']) emit(channel, 'after');
    router.broadcast(bytes('all'), { qos: 0, retain: false });
    expect(a.read()).toEqual([]);
    expect(b.read()).toEqual(['x/1=after@0', 'x/19=after@0', 'x/y=after@0', '$slipway/broadcast=all@0']);
    expect(router.sizes.subscriptions).toBe(1);
  });

  it('all end, and broadcasts too, when a subscriber is removed', () => {
    for (const pattern of ['x', '+', '#']) router.subscribe(a, pattern, asking(0));
    router.connect(a);
    router.remove(a);
    router.remove(a);
    emit('x', 'hi');
    router.broadcast(bytes('all'), { qos: 0, retain: false });
    expect(a.read()).toEqual([]);
    expect(router.subscriptionsOf(a).size).toBe(0);
    expect(router.sizes.subscriptions).toBe(0);
  });

  it('are limited for one and for all', () => {
    start({ maxSubscriptions: 3, maxSubscriptionsPerSubscriber: 2 });
    expect(router.subscribe(a, '1', asking(0))).toBeUndefined();
    expect(router.subscribe(a, '2', asking(0))).toBeUndefined();
    expect(router.subscribe(a, '3', asking(0))).toBe('limit_reached');
    expect(router.subscribe(a, '2', asking(1))).toBeUndefined();
    expect(router.subscribe(b, '1', asking(0))).toBeUndefined();
    expect(router.subscribe(b, '2', asking(0))).toBe('limit_reached');
    expect(counters.get('router.refused.limit_reached')).toBe(2);
    router.unsubscribe(a, '1');
    expect(router.subscribe(b, '2', asking(0))).toBeUndefined();
  });

  it('with very many levels are limited sooner', () => {
    start({ maxSubscriptions: 50 });
    const deep = (n: number) => `${n}${'/'.repeat(200)}`;
    const outcomes = Array.from({ length: 5 }, (_, n) => router.subscribe(a, deep(n), asking(0)));
    expect(outcomes).toContain('limit_reached');
    expect(outcomes[0]).toBeUndefined();
  });

  it('with very many levels are limited sooner for one, whatever all may have', () => {
    start({ maxSubscriptionsPerSubscriber: 10 });
    const deep = (n: number) => `${n}${'/'.repeat(200)}`;
    expect(router.subscribe(a, deep(1), asking(0))).toBeUndefined();
    expect(router.subscribe(a, deep(2), asking(0))).toBe('limit_reached');
    expect(router.subscribe(a, deep(1), asking(1))).toBeUndefined();
    expect(router.subscribe(b, deep(2), asking(0))).toBeUndefined();
    router.unsubscribe(a, deep(1));
    expect(router.subscribe(a, deep(2), asking(0))).toBeUndefined();
    router.remove(a);
    expect(router.subscribe(a, deep(3), asking(0))).toBeUndefined();
  });
});

describe('compiled routes', () => {
  it('are kept until a subscription that may match changes', () => {
    const x = held('x/1');
    const y = held('y/1');
    router.subscribe(a, 'x/1', asking(0));
    for (const channel of [x, y]) emit(channel, '');
    const before = [x.route, y.route];
    expect(before).not.toContain(undefined);

    router.subscribe(b, 'z/1', asking(0));
    router.subscribe(a, 'x/1', asking(0)); // Nothing new.
    router.unsubscribe(b, '+/1');
    expect([x.route, y.route]).toEqual(before);

    router.subscribe(b, '+/1/#', asking(0));
    expect([x.route, y.route]).toEqual([undefined, undefined]);
    for (const channel of [x, y]) emit(channel, '');
    router.subscribe(b, 'x/1', asking(1));
    expect(x.route).toBeUndefined();
    expect(y.route).toHaveLength(1);
  });

  it('hold on to nobody who was removed', () => {
    const x = held('x');
    router.subscribe(a, '#', asking(0));
    router.connect(a);
    emit(x, '');
    emit('passing', '');
    router.broadcast(bytes('all'), { qos: 0, retain: false });
    router.remove(a);
    expect([x.route, held('passing').route, router.broadcastChannel.route]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('follow every change at once', () => {
    const x = held('x');
    emit(x, '1');
    router.subscribe(a, '+', asking(0));
    emit(x, '2');
    router.subscribe(b, 'x', asking(1));
    emit(x, '3', 1);
    router.unsubscribe(a, '+');
    emit(x, '4');
    router.remove(b);
    emit(x, '5');
    expect(a.read()).toEqual(['x=2@0', 'x=3@0']);
    expect(b.read()).toEqual(['x=3@1', 'x=4@0']);
  });
});

describe('the channel table', () => {
  it('forgets what was not used lately, first, and nobody notices', () => {
    start({ maxChannels: 3 });
    router.subscribe(a, '#', asking(0));
    for (let i = 0; i < 500; i++) expect(emit(`c/${i}`, `${i}`)).toBeUndefined();
    expect(a.read()).toHaveLength(500);
    expect(router.sizes.channels).toBe(3);
  });

  it('keeps a channel in use longer than others', () => {
    start({ maxChannels: 4 });
    emit('busy', '');
    const busy = held('busy');
    router.release(busy);
    for (let i = 0; i < 50; i++) {
      emit(`c/${i}`, '');
      emit('busy', '');
    }
    expect(busy.listed).toBe(true);
    for (let i = 0; i < 50; i++) emit(`c/${i}`, '');
    expect(busy.listed).toBe(false);
  });

  it('keeps channels that are held, and refuses visibly when nothing else is left', () => {
    start({ maxChannels: 2 });
    const x = held('x');
    expect(held('x')).toBe(x);
    const y = held('y');
    expect(emit('z', '')).toBe('limit_reached');
    expect(router.hold('z')).toBe('limit_reached');
    expect(counters.get('router.refused.limit_reached')).toBe(2);

    router.release(x);
    expect(emit('z', '')).toBe('limit_reached');
    router.release(x);
    router.release(x); // One too many does no harm.
    expect(emit('z', '')).toBeUndefined();
    expect(x.listed).toBe(false);

    router.release(y);
    expect(held('z').name).toBe('z');
    expect(held('w').name).toBe('w');
    expect(emit('y', '')).toBe('limit_reached');
  });

  it('keeps no channel for its last value', () => {
    start({ maxChannels: 1 });
    keep('x', '1');
    keep('y', '2');
    expect(router.sizes).toMatchObject({ channels: 1, lastValues: 2 });
    router.subscribe(a, '#', asking(0));
    expect(a.read().sort()).toEqual(['x=1@0!', 'y=2@0!']);
    keep('x', '');
    expect(router.sizes).toMatchObject({ channels: 1, lastValues: 1 });
  });

  it('serves whoever still emits on a channel that was forgotten, or never listed', () => {
    start({ maxChannels: 1 });
    const x = held('x');
    router.release(x);
    emit('y', '');
    expect(x.listed).toBe(false);
    router.subscribe(a, 'x', asking(0));
    expect(emit(x, 'hi')).toBeUndefined();
    router.unsubscribe(a, 'x');
    router.subscribe(a, '#', asking(0));
    expect(emit(x, 'there')).toBeUndefined();
    expect(emit(router.find('z'), 'too')).toBeUndefined();
    expect(a.read()).toEqual(['x=hi@0', 'x=there@0', 'z=too@0']);
    expect(router.sizes.channels).toBe(1);
    expect(router.find('y')).toBe(router.find('y'));
  });

  it('holds no channel of a bad name', () => {
    expect(router.hold('a/+')).toBe('bad_channel');
  });
});

describe('last values (§6.5)', () => {
  it('are sent to new subscriptions, at the lower QoS, after being delivered as any emit', () => {
    router.subscribe(a, 'x', asking(2));
    keep('x', 'now', 1);
    router.subscribe(b, '#', asking(2));
    expect(a.read()).toEqual(['x=now@1']);
    expect(b.read()).toEqual(['x=now@1!']);
    router.subscribe(b, 'y', asking(0));
    keep('y', 'now', 1);
    expect(b.read()).toEqual(['y=now@1']);
  });

  it('come at the QoS of live messages, so that they stay before these', () => {
    keep('x', 'old', 2);
    router.subscribe(a, '#', asking(1, { noLastValue: true }));
    router.subscribe(a, 'x', asking(0));
    expect(a.read()).toEqual(['x=old@1!']);
    router.replayLastValues(a, 0);
    expect(a.read()).toEqual(['x=old@1!']);
    router.unsubscribe(a, '#');
    router.subscribe(a, 'x', asking(0));
    expect(a.read()).toEqual(['x=old@0!']);
  });

  it('are sent again for a subscription that is made again', () => {
    keep('x', 'now');
    for (let i = 0; i < 2; i++) {
      router.subscribe(a, 'x', asking(0));
      expect(a.read()).toEqual(['x=now@0!']);
    }
  });

  it('are not sent to who does not want them, nor past the $ rule', () => {
    keep('x', 'now');
    keep('$slipway/stats', '{}');
    router.subscribe(a, 'x', asking(0, { noLastValue: true }));
    expect(a.read()).toEqual([]);
    router.subscribe(a, '#', asking(0));
    expect(a.read()).toEqual(['x=now@0!']);
    router.subscribe(a, '$slipway/#', asking(0));
    expect(a.read()).toEqual(['$slipway/stats={}@0!']);
  });

  it('are replaced, and cleared by an empty payload that is delivered like any other', () => {
    router.subscribe(a, 'x', asking(0));
    keep('x', 'one');
    keep('x', 'two');
    router.subscribe(b, 'x', asking(0));
    expect(b.read()).toEqual(['x=two@0!']);
    keep('x', '');
    expect(a.read()).toEqual(['x=one@0', 'x=two@0', 'x=@0']);
    router.subscribe(b, '+', asking(0));
    expect(b.read()).toEqual(['x=@0']);
    expect(router.sizes).toMatchObject({ lastValues: 0, lastValueBytes: 0 });
  });

  it('are not touched by emits without retain', () => {
    keep('x', 'kept');
    emit('x', 'passing');
    router.subscribe(a, 'x', asking(0));
    expect(a.read()).toEqual(['x=kept@0!']);
  });

  it('do not alias the receive buffer', () => {
    const buffer = Buffer.from('good');
    router.emit('x', buffer.subarray(0, 4), { qos: 0, retain: true });
    buffer.fill('!');
    router.subscribe(a, 'x', asking(0));
    expect(a.read()).toEqual(['x=good@0!']);
  });

  it('are limited in number', () => {
    start({ maxLastValues: 2 });
    router.subscribe(a, '#', asking(0));
    keep('x', '1');
    keep('y', '2');
    expect(keep('z', '3')).toBe('limit_reached');
    expect(counters.get('router.refused.limit_reached')).toBe(1);
    expect(keep('x', '4')).toBeUndefined();
    expect(keep('z', '')).toBeUndefined();
    expect(a.read()).toEqual(['x=1@0', 'y=2@0', 'x=4@0', 'z=@0']);
    keep('y', '');
    expect(keep('z', '5')).toBeUndefined();
  });

  it('of names with very many levels are limited sooner', () => {
    start({ maxLastValues: 50 });
    // Two of them part at the last level only: then all those before take memory.
    const deep = (n: number) => `${n >> 1}${'/'.repeat(200)}${n & 1}`;
    const outcomes = Array.from({ length: 10 }, (_, n) => keep(deep(n), 'x'));
    expect(outcomes.slice(0, 4)).toEqual(Array(4).fill(undefined));
    expect(outcomes[9]).toBe('limit_reached');
    expect(keep(deep(0), 'y')).toBeUndefined();
    for (let n = 0; n < 10; n++) keep(deep(n), '');
    expect(keep(deep(9), 'x')).toBeUndefined();
  });

  it('are limited in number and bytes for each party; who takes over a value has it', () => {
    start({ maxLastValuesPerParty: 2, maxLastValueBytesPerParty: 10 });
    const [here, there] = ['here', 'there'].map((party) => Object.assign(new Inbox(), { party }));
    const set = (channel: string, payload: string, from?: Inbox) =>
      router.emit(channel, Buffer.from(payload), { qos: 0, retain: true }, from);
    expect(set('x', '12345', here)).toBeUndefined();
    expect(set('y', '123456', here)).toBe('limit_reached');
    expect(set('y', '12345', here)).toBeUndefined();
    expect(set('z', '', here)).toBeUndefined();
    expect(set('z', '1', here)).toBe('limit_reached');
    expect(set('x', '1234', here)).toBeUndefined();
    expect(counters.get('router.per_address.last_values')).toBe(2);
    expect(set('x', '1234', there)).toBeUndefined();
    expect(set('z', '12345', here)).toBeUndefined();
    expect(set('x', '1', here)).toBe('limit_reached');
    expect(set('y', '', there)).toBeUndefined();
    expect(set('x', '1', here)).toBeUndefined();
    // The gateway's own count for nobody.
    expect(set('w', '12345678901', undefined)).toBeUndefined();
    expect(router.sizes).toMatchObject({ lastValues: 3, lastValueBytes: 17 });
  });

  it('are limited in bytes', () => {
    start({ maxLastValueBytes: 10 });
    keep('x', '123456');
    expect(keep('y', '12345')).toBe('limit_reached');
    expect(keep('y', '1234')).toBeUndefined();
    expect(keep('x', '1234567')).toBe('limit_reached');
    expect(keep('x', '12')).toBeUndefined();
    expect(router.sizes).toMatchObject({ lastValues: 2, lastValueBytes: 6 });
    expect(keep('y', '12345678')).toBeUndefined();
  });

  it('that a subscriber cannot take are dropped and counted, the others are sent', () => {
    keep('x', 'long', 1);
    keep('y', 'ok', 1);
    keep('z', 'ok', 1);
    a.maxPayload = 3;
    a.room = 1;
    expect(router.subscribe(a, '+', asking(1))).toBeUndefined();
    expect(a.read()).toEqual(['y=ok@1!']);
    expect(counters.get('router.drop.too_large_for_receiver')).toBe(1);
    expect(counters.get('router.drop.queue_full')).toBe(1);
  });

  it('that changed since a mark are replayed, each once at the highest QoS', () => {
    router.subscribe(a, 'x/#', asking(0));
    router.subscribe(a, 'x/1', asking(1));
    router.subscribe(a, 'quiet', asking(0, { noLastValue: true }));
    for (const name of ['x/1', 'x/2', 'x/3']) keep(name, 'old', 2);
    const mark = router.lastValueMark();
    keep('x/1', 'new', 2);
    keep('x/2', 'new', 2);
    keep('x/2', '', 2);
    keep('other', 'new', 2);
    keep('quiet', 'new', 2);
    a.read();
    router.replayLastValues(a, mark);
    expect(a.read()).toEqual(['x/1=new@1!']);
    router.replayLastValues(a, router.lastValueMark());
    router.replayLastValues(b, 0);
    expect([...a.read(), ...b.read()]).toEqual([]);
  });
});

describe('last values that wait for room', () => {
  /** Last values on their way to `a`, which go on when `step` is called; it says whether there are any left. */
  const start = (begin: (replay: (values: Replay) => void) => void) => {
    let going: Replay | undefined;
    begin((values) => {
      going = values;
    });
    return (tryAgain = false) => going?.next(tryAgain).done === false;
  };
  const rest = (step: () => boolean) => {
    while (step()) {}
  };

  it('are not sent once the subscription is over', () => {
    for (const pattern of ['x/#', 'y/#']) router.subscribe(a, pattern, asking(0));
    for (const name of ['x/1', 'x/2', 'y/1']) keep(name, 'kept');
    a.read();
    const step = start((replay) => router.replayLastValues(a, 0, undefined, replay));
    a.onDeliver = () => router.unsubscribe(a, 'x/#') || router.unsubscribe(a, 'y/#');
    rest(step);
    expect(a.read()).toEqual(['x/1=kept@0!', 'y/1=kept@0!']);
    router.subscribe(a, 'y/#', asking(0, { noLastValue: true }));
    rest(start((replay) => router.replayLastValues(a, 0, undefined, replay)));
    expect(a.read()).toEqual([]);
  });

  it('are not sent if they were set after the beginning: they came as they were', () => {
    router.subscribe(a, 'x/#', asking(0));
    const step = start((replay) => router.replayLastValues(a, 0, undefined, replay));
    keep('x/1', 'live');
    rest(step);
    expect(a.read()).toEqual(['x/1=live@0']);
  });

  it('do not come behind what replaced them', () => {
    keep('x', 'old', 1);
    a.room = 0;
    const step = start((replay) => router.subscribe(a, 'x', asking(1), replay));
    step();
    step();
    keep('x', 'new', 0);
    a.room = 1;
    rest(() => step(true));
    expect(a.read()).toEqual(['x=new@0']);
  });
});

describe('broadcast (§6.4)', () => {
  const all = (text: string, qos: Qos, from?: Inbox) =>
    router.broadcast(bytes(text), { qos, retain: false }, from);

  it('reaches everyone connected, subscribed or not, but its sender', () => {
    const c = new Inbox();
    for (const inbox of [a, b, c]) router.connect(inbox);
    router.subscribe(a, '$slipway/#', asking(0));
    expect(all('hi', 1, c)).toBeUndefined();
    router.disconnect(b);
    all('again', 2);
    expect(a.read()).toEqual(['$slipway/broadcast=hi@1', '$slipway/broadcast=again@2']);
    expect(b.read()).toEqual(['$slipway/broadcast=hi@1']);
    expect(c.read()).toEqual(['$slipway/broadcast=again@2']);
  });

  it('does not reach the absent who subscribed to its channel', () => {
    router.subscribe(a, '$slipway/broadcast', asking(0));
    all('hi', 0);
    expect(a.read()).toEqual([]);
  });

  it('is what the gateway’s emit on the channel is', () => {
    router.connect(a);
    emit('$slipway/broadcast', 'hi');
    expect(a.read()).toEqual(['$slipway/broadcast=hi@0']);
  });

  it('is never kept', () => {
    router.connect(a);
    expect(router.broadcast(bytes('hi'), { qos: 0, retain: true }, b)).toBe('not_allowed');
    expect(keep('$slipway/broadcast', 'hi')).toBe('not_allowed');
    expect(a.read()).toEqual([]);
    expect(router.sizes.lastValues).toBe(0);
  });

  it('is refused whole when a queue is full, and passes by who cannot take it', () => {
    for (const inbox of [a, b]) router.connect(inbox);
    a.room = 0;
    expect(all('hi', 1)).toBe('queue_full');
    expect(b.read()).toEqual([]);
    a.maxPayload = 1;
    expect(all('hi', 1)).toBe('too_large_for_receiver');
    expect(b.read()).toEqual(['$slipway/broadcast=hi@1']);
  });
});

describe('a delivery that calls the router', () => {
  it('may emit', () => {
    for (const inbox of [a, b]) router.subscribe(inbox, '#', asking(0));
    a.onDeliver = (channel) => {
      if (channel.name === 'ping') emit('pong', 'answer', 0, a);
    };
    emit('ping', '');
    expect(a.read()).toEqual(['ping=@0', 'pong=answer@0']);
    expect(b.read().sort()).toEqual(['ping=@0', 'pong=answer@0']);
  });

  it('may subscribe and unsubscribe: the emit goes to those subscribed when it began', () => {
    const late = new Inbox();
    for (const inbox of [a, b]) router.subscribe(inbox, 'x', asking(0));
    a.onDeliver = () => {
      router.subscribe(late, 'x', asking(0));
      router.remove(a);
      router.unsubscribe(b, 'x');
    };
    emit('x', '1');
    emit('x', '2');
    expect(a.read()).toEqual(['x=1@0']);
    expect(b.read()).toEqual(['x=1@0']);
    expect(late.read()).toEqual(['x=2@0']);
  });

  it('may clear the last values that are being sent', () => {
    for (const name of ['x', 'y', 'z']) keep(name, 'kept');
    a.onDeliver = (channel) => {
      if (channel.name === 'x') keep('y', '');
    };
    router.subscribe(a, '+', asking(0));
    expect(a.read().sort()).toEqual(['x=kept@0!', 'y=@0', 'z=kept@0!']);
  });

  it('may disconnect others during a broadcast', () => {
    for (const inbox of [a, b]) router.connect(inbox);
    a.onDeliver = () => router.disconnect(b);
    router.broadcast(bytes('1'), { qos: 0, retain: false });
    router.broadcast(bytes('2'), { qos: 0, retain: false });
    expect(a.read()).toHaveLength(2);
    expect(b.read()).toEqual(['$slipway/broadcast=1@0']);
  });

  it('may have the channel forgotten that is being emitted on', () => {
    start({ maxChannels: 1 });
    for (const inbox of [a, b]) router.subscribe(inbox, '#', asking(0));
    a.onDeliver = (channel) => {
      if (channel.name === 'x') emit('y', '');
    };
    expect(emit('x', 'hi')).toBeUndefined();
    expect(b.read().sort()).toEqual(['x=hi@0', 'y=@0']);
    keep('x', 'hi');
    expect(router.sizes).toMatchObject({ channels: 1, lastValues: 1 });
  });
});
