import { beforeEach, describe, expect, it } from 'vitest';
import type { Rights } from '../../src/access/rights.js';
import { Counters } from '../../src/counters.js';
import { Router, type RouterLimits } from '../../src/router/router.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { asking, bytes, Inbox, plainlyMatches } from './inbox.js';

const LIMITS: RouterLimits = {
  maxChannels: 100,
  maxSubscriptions: 100,
  maxSubscriptionsPerSubscriber: 50,
  maxLastValues: 20,
  maxLastValueBytes: 1000,
};

/** What patterns allow, and how often it was asked. */
class Rules implements Rights {
  asked = 0;
  emit: string[] = [];
  receive: string[] = [];
  mayBroadcast = false;

  mayEmit(name: string): boolean {
    this.asked += 1;
    return this.emit.some((pattern) => plainlyMatches(pattern, name));
  }

  mayReceive(name: string): boolean {
    this.asked += 1;
    return this.receive.some((pattern) => plainlyMatches(pattern, name));
  }

  /** Roughly: whether one of them begins as the other does. */
  maySubscribe(pattern: string): boolean {
    const head = (text: string) => text.split(/[+#]/, 1)[0] as string;
    return this.receive.some(
      (allowed) => head(allowed).startsWith(head(pattern)) || head(pattern).startsWith(head(allowed)),
    );
  }
}

class Restricted extends Inbox {
  rights: Rules | undefined = new Rules();
  readonly ended: string[] = [];

  unsubscribed(pattern: string): void {
    this.ended.push(pattern);
  }
}

let counters: Counters;
let router: Router;
let ada: Restricted;
let free: Inbox;

beforeEach(() => {
  counters = new Counters();
  router = new Router(LIMITS, counters, new VirtualClock());
  ada = new Restricted();
  free = new Inbox();
  router.connect(ada);
});

function rules(): Rules {
  return ada.rights as Rules;
}

function emit(name: string, text: string, from?: Inbox) {
  return router.emit(name, bytes(text), { qos: 0, retain: false }, from);
}

describe('an emit', () => {
  it('is refused without the right to it, and nothing is kept', () => {
    rules().emit = ['garden/+'];
    router.subscribe(free, '#', asking(0));
    expect(emit('garden/a', '1', ada)).toBeUndefined();
    expect(emit('garden', '2', ada)).toBe('not_allowed');
    expect(router.emit('house', bytes('3'), { qos: 1, retain: true }, ada)).toBe('not_allowed');
    const held = router.hold('house');
    expect(router.emit(held, bytes('4'), { qos: 0, retain: false }, ada)).toBe('not_allowed');
    expect(free.read()).toEqual(['garden/a=1@0']);
    expect(router.lastValue('house')).toBeUndefined();
    expect(counters.get('router.refused.not_allowed')).toBe(3);
  });

  it('asks once a channel', () => {
    rules().emit = ['#'];
    for (const text of ['1', '2', '3']) emit('a', text, ada);
    expect(rules().asked).toBe(1);
    const other = new Restricted();
    expect(emit('a', '4', other)).toBe('not_allowed');
  });

  it('on a channel of the gateway is refused whatever the rules say', () => {
    rules().emit = ['$slipway/#'];
    expect(emit('$slipway/stats', '1', ada)).toBe('not_allowed');
  });
});

describe('a broadcast', () => {
  it('needs its own right', () => {
    router.connect(free);
    const send = () => router.broadcast(bytes('1'), { qos: 0, retain: false }, ada);
    expect(send()).toBe('not_allowed');
    rules().mayBroadcast = true;
    expect(send()).toBeUndefined();
    expect(free.read()).toEqual(['$slipway/broadcast=1@0']);
  });
});

describe('a subscription', () => {
  beforeEach(() => {
    rules().receive = ['garden/#'];
  });

  it('is refused if it could match nothing that is allowed, shared or not', () => {
    expect(router.subscribe(ada, 'house/#', asking(0))).toBe('not_allowed');
    expect(router.subscribe(ada, '$share/g/house/#', asking(0))).toBe('not_allowed');
    expect(router.restoreSubscription(ada, 'house', asking(0))).toBe('not_allowed');
    expect(router.subscriptionCount(ada)).toBe(0);
  });

  it.each(['#', '+/#', '$share/g/#'])(
    'to %s, which is wider than the rules, delivers what they allow',
    (pattern) => {
      expect(router.subscribe(ada, pattern, asking(0))).toBeUndefined();
      emit('garden/a', '1');
      emit('house/a', '2');
      emit('garden/a', '3');
      emit('house/a', '4');
      expect(ada.read()).toEqual(['garden/a=1@0', 'garden/a=3@0']);
    },
  );

  it('that others share does not show what they may see', () => {
    router.subscribe(free, '#', asking(0));
    router.subscribe(ada, '#', asking(0));
    for (const name of ['house/a', 'garden/a', 'house/b']) emit(name, '1');
    expect(ada.read()).toEqual(['garden/a=1@0']);
    expect(free.read()).toEqual(['house/a=1@0', 'garden/a=1@0', 'house/b=1@0']);
  });

  it('brings the last values that are allowed, and no others', () => {
    for (const name of ['house/a', 'garden/a']) router.emit(name, bytes('1'), { qos: 0, retain: true });
    router.subscribe(ada, '#', asking(0));
    expect(ada.read()).toEqual(['garden/a=1@0!']);
    router.replayLastValues(ada, 0);
    expect(ada.read()).toEqual(['garden/a=1@0!']);
  });

  it('of a group gives to who may hear it', () => {
    router.connect(free);
    for (const inbox of [ada, free]) router.subscribe(inbox, '$share/g/#', asking(0));
    for (const text of ['1', '2']) emit('house/a', text);
    expect([ada.read(), free.read()]).toEqual([[], ['house/a=1@0', 'house/a=2@0']]);
    for (const text of ['3', '4']) emit('garden/a', text);
    expect([ada.read().length, free.read().length]).toEqual([1, 1]);
  });
});

describe('new rights', () => {
  it('count from the moment on that the router is told', () => {
    rules().receive = ['#'];
    rules().emit = ['#'];
    router.subscribe(ada, '#', asking(0));
    emit('house', '1', ada);
    rules().receive = ['garden'];
    rules().emit = ['garden'];
    router.forgetRights(ada);
    expect(emit('house', '2', ada)).toBe('not_allowed');
    expect(emit('garden', '3', ada)).toBeUndefined();
    emit('house', '4');
    expect(ada.read()).toEqual(['house=1@0', 'garden=3@0']);
  });

  it('end subscriptions that are not allowed at all any more', () => {
    rules().receive = ['#'];
    for (const pattern of ['house/#', '#', '$share/g/house/+']) router.subscribe(ada, pattern, asking(0));
    rules().receive = ['garden'];
    router.forgetRights();
    expect(ada.ended.toSorted()).toEqual(['$share/g/house/+', 'house/#']);
    expect([...router.subscriptionsOf(ada).keys()]).toEqual(['#']);
    expect(router.sizes.subscriptions).toBe(1);
  });

  it('of all, or none any more, count too', () => {
    rules().receive = ['garden'];
    router.subscribe(ada, '#', asking(0));
    emit('house', '1');
    ada.rights = undefined;
    router.forgetRights();
    emit('house', '2');
    expect(emit('house', '3', ada)).toBeUndefined();
    expect(ada.read()).toEqual(['house=2@0', 'house=3@0']);
  });

  it('of one take effect where its audience is shared', () => {
    rules().receive = ['#'];
    router.subscribe(free, 'a/#', asking(0));
    router.subscribe(ada, 'a/#', asking(0));
    emit('a/1', '1');
    rules().receive = ['a/2'];
    router.forgetRights(ada);
    for (const name of ['a/1', 'a/2', 'a/3']) emit(name, '2');
    expect(ada.read()).toEqual(['a/1=1@0', 'a/2=2@0']);
    expect(free.read()).toHaveLength(4);
  });
});
