import { beforeEach, describe, expect, it } from 'vitest';
import { Counters } from '../../src/counters.js';
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
let router: Router;
let a: Inbox;
let b: Inbox;
let c: Inbox;

beforeEach(() => {
  counters = new Counters();
  router = new Router(LIMITS, counters, new VirtualClock());
  a = new Inbox();
  b = new Inbox();
  c = new Inbox();
  for (const inbox of [a, b, c]) router.connect(inbox);
});

function emit(name: string, text: string, qos: Qos = 0, from?: Inbox) {
  return router.emit(name, bytes(text), { qos, retain: false }, from);
}

describe('a shared subscription (§6.2)', () => {
  it('has each message taken by one, in turns', () => {
    for (const inbox of [a, b, c]) router.subscribe(inbox, '$share/g/x/+', asking(0));
    for (const text of ['1', '2', '3', '4', '5', '6', '7']) emit('x/y', text);
    expect([a, b, c].map((inbox) => inbox.read())).toEqual([
      ['x/y=1@0', 'x/y=4@0', 'x/y=7@0'],
      ['x/y=2@0', 'x/y=5@0'],
      ['x/y=3@0', 'x/y=6@0'],
    ]);
    expect(counters.get('router.delivered')).toBe(7);
  });

  it('goes on in turn from channel to channel', () => {
    for (const inbox of [a, b]) router.subscribe(inbox, '$share/g/#', asking(0));
    emit('x', '1');
    emit('y', '2');
    expect([a.read(), b.read()]).toEqual([['x=1@0'], ['y=2@0']]);
  });

  it('of another group, or without one, has its own', () => {
    router.subscribe(a, '$share/g/x', asking(0));
    router.subscribe(b, '$share/h/x', asking(0));
    router.subscribe(c, 'x', asking(0));
    router.subscribe(a, 'x', asking(0));
    emit('x', '1');
    expect([a.read(), b.read(), c.read()]).toEqual([['x=1@0', 'x=1@0'], ['x=1@0'], ['x=1@0']]);
  });

  it('gives each member its QoS, its ids and its wish for R', () => {
    router.subscribe(a, '$share/g/x', asking(2, { subscriptionId: 4 }));
    router.subscribe(b, '$share/g/x', asking(0, { retainAsPublished: true }));
    for (const text of ['1', '2']) router.emit('x', bytes(text), { qos: 1, retain: true });
    expect([a.read(), b.read()]).toEqual([['x=1@1'], ['x=2@0!']]);
    expect(a.recipient?.subscriptionIds).toEqual([4]);
    expect(b.recipient?.subscriptionIds).toBeUndefined();
  });

  it('brings no last values', () => {
    router.emit('x', bytes('old'), { qos: 0, retain: true });
    router.subscribe(a, '$share/g/x', asking(0));
    router.replayLastValues(a, 0);
    expect(a.read()).toEqual([]);
  });

  it('knows no local not', () => {
    router.subscribe(a, '$share/g/x', asking(0, { noLocal: true }));
    emit('x', 'mine', 0, a);
    expect(a.read()).toEqual(['x=mine@0']);
  });

  it('passes over who has no room, and is full when all are', () => {
    for (const inbox of [a, b]) router.subscribe(inbox, '$share/g/x', asking(1));
    a.room = 0;
    expect(emit('x', '1', 1)).toBeUndefined();
    expect(emit('x', '2', 1)).toBeUndefined();
    b.room = 0;
    expect(emit('x', '3', 1)).toBe('queue_full');
    expect([a.read(), b.read()]).toEqual([[], ['x=1@1', 'x=2@1']]);
  });

  it('loses nothing when the same emit took the room that there was', () => {
    router.subscribe(a, '$share/g/x', asking(1));
    router.subscribe(a, 'x', asking(1));
    a.room = 1;
    expect(emit('x', '1', 1)).toBeUndefined();
    expect(a.read()).toEqual(['x=1@1', 'x=1@1']);
  });

  it('passes over who cannot take the message, and says so if nobody can', () => {
    for (const inbox of [a, b]) router.subscribe(inbox, '$share/g/x', asking(1));
    a.maxPayload = 2;
    expect(emit('x', 'long', 1)).toBeUndefined();
    expect(b.read()).toEqual(['x=long@1']);
    b.maxPayload = 3;
    expect(emit('x', 'long', 1)).toBe('too_large_for_receiver');
    expect(counters.get('router.drop.too_large_for_receiver')).toBe(1);
  });

  it('leaves the absent alone as long as somebody is there', () => {
    for (const inbox of [a, b]) router.subscribe(inbox, '$share/g/x', asking(1));
    router.disconnect(a);
    for (const text of ['1', '2']) emit('x', text, 1);
    expect([a.read(), b.read()]).toEqual([[], ['x=1@1', 'x=2@1']]);
    router.disconnect(b);
    for (const text of ['3', '4']) emit('x', text, 1);
    expect([a.read(), b.read()]).toEqual([['x=3@1'], ['x=4@1']]);
    router.connect(a);
    for (const text of ['5', '6']) emit('x', text, 1);
    expect([a.read(), b.read()]).toEqual([['x=5@1', 'x=6@1'], []]);
  });

  it('is over for who leaves, and at last for the group', () => {
    for (const inbox of [a, b]) router.subscribe(inbox, '$share/g/x', asking(0));
    emit('x', '1');
    expect(router.unsubscribe(a, 'x')).toBe(false);
    expect(router.unsubscribe(a, '$share/g/x')).toBe(true);
    for (const text of ['2', '3']) emit('x', text);
    router.remove(b);
    emit('x', '4');
    expect([a.read(), b.read()]).toEqual([['x=1@0'], ['x=2@0', 'x=3@0']]);
    expect(router.sizes.subscriptions).toBe(0);
    expect(router.isWatched('x')).toBe(false);
  });

  it('may be made again with other options, and counts once', () => {
    router.subscribe(a, '$share/g/x', asking(0));
    emit('x', '1', 2);
    router.subscribe(a, '$share/g/x', asking(2));
    emit('x', '2', 2);
    expect(a.read()).toEqual(['x=1@0', 'x=2@2']);
    expect(router.subscriptionsOf(a).size).toBe(1);
    expect(router.isSubscribed(a, '$share/g/x')).toBe(true);
    expect(router.sizes.subscriptions).toBe(1);
  });

  it.each(['$share/g', '$share/g/', '$share//x', '$share/+/x', '$share/#', '$share/a#/x', '$share/g/a#'])(
    'cannot be to %s',
    (pattern) => {
      expect(router.subscribe(a, pattern, asking(0))).toBe('bad_channel');
    },
  );

  it.each(['$share', '$shared/g/x'])('is not what %s makes', (pattern) => {
    expect(router.subscribe(a, pattern, asking(0))).toBeUndefined();
    router.emit(pattern, bytes('1'), { qos: 0, retain: false });
    expect(a.read()).toEqual([`${pattern}=1@0`]);
  });
});

describe('broadcasts to those who hear them on request', () => {
  class Asking extends Inbox {
    readonly broadcastsOnRequest = true;
  }

  it('reach who subscribed and is there, at its QoS', () => {
    const [one, two, silent] = [new Asking(), new Asking(), new Asking()];
    for (const inbox of [one, two, silent]) router.connect(inbox);
    router.subscribe(one, '$slipway/broadcast', asking(1, { subscriptionId: 3 }));
    router.subscribe(two, '$slipway/#', asking(0));
    router.broadcast(bytes('hi'), { qos: 2, retain: false }, a);
    expect([a, b, one, two, silent].map((inbox) => inbox.read())).toEqual([
      [],
      ['$slipway/broadcast=hi@2'],
      ['$slipway/broadcast=hi@1'],
      ['$slipway/broadcast=hi@0'],
      [],
    ]);
    expect(one.recipient?.subscriptionIds).toEqual([3]);
    router.disconnect(one);
    router.unsubscribe(two, '$slipway/#');
    router.broadcast(bytes('hi'), { qos: 0, retain: false }, a);
    expect([one.read(), two.read()]).toEqual([[], []]);
  });

  it('do not come back to their sender, though it subscribed', () => {
    const [sender, other] = [new Asking(), new Asking()];
    for (const inbox of [sender, other]) {
      router.connect(inbox);
      router.subscribe(inbox, '$slipway/broadcast', asking(0));
    }
    router.broadcast(bytes('1'), { qos: 0, retain: false }, sender);
    expect([sender.read(), other.read()]).toEqual([[], ['$slipway/broadcast=1@0']]);
  });

  it('go to one of a group that is there', () => {
    const [one, two] = [new Asking(), new Asking()];
    for (const inbox of [one, two]) {
      router.subscribe(inbox, '$share/g/$slipway/broadcast', asking(0));
      router.connect(inbox);
    }
    router.disconnect(one);
    for (const text of ['1', '2']) router.broadcast(bytes(text), { qos: 0, retain: false });
    expect([one.read(), two.read()]).toEqual([[], ['$slipway/broadcast=1@0', '$slipway/broadcast=2@0']]);
  });
});
