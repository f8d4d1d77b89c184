import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Rights } from '../../src/access/rights.js';
import { Counters } from '../../src/counters.js';
import type { SubscriptionObserver } from '../../src/router/observers.js';
import { Router, type RouterLimits } from '../../src/router/router.js';
import type { Subscriber } from '../../src/router/subscriber.js';
import { filterOf } from '../../src/wire/channels.js';
import type { Qos } from '../../src/wire/messages.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { asking, Inbox } from './inbox.js';

const LIMITS: RouterLimits = {
  maxChannels: 100,
  maxSubscriptions: 10,
  maxSubscriptionsPerSubscriber: 5,
  maxLastValues: 20,
  maxLastValueBytes: 1000,
};

let router: Router;
let a: Inbox;
let b: Inbox;

/** Writes down what it is told, and keeps the account. */
class Observer implements SubscriptionObserver {
  readonly told: string[] = [];
  readonly standing: string[] = [];

  subscribed(filter: string, subscriber: Subscriber, qos: Qos): void {
    this.told.push(`+${nameOf(subscriber)} ${filter} ${qos}`);
    this.standing.push(`${nameOf(subscriber)} ${filter} ${qos}`);
  }

  unsubscribed(filter: string, subscriber: Subscriber, qos: Qos): void {
    this.told.push(`-${nameOf(subscriber)} ${filter} ${qos}`);
    const index = this.standing.indexOf(`${nameOf(subscriber)} ${filter} ${qos}`);
    expect(index, 'what ends has begun').toBeGreaterThanOrEqual(0);
    this.standing.splice(index, 1);
  }

  read(): string[] {
    return this.told.splice(0);
  }
}

const nameOf = (subscriber: Subscriber) => (subscriber === a ? 'a' : 'b');

beforeEach(() => {
  router = new Router(LIMITS, new Counters(), new VirtualClock());
  a = new Inbox();
  b = new Inbox();
});

describe('who observes subscriptions', () => {
  it('is told of each that begins or ends', () => {
    const observer = new Observer();
    router.observe(observer);
    router.subscribe(a, 'x/#', asking(1));
    router.restoreSubscription(b, 'x/#', asking(0));
    expect(observer.read()).toEqual(['+a x/# 1', '+b x/# 0']);
    router.unsubscribe(a, 'x/#');
    router.unsubscribe(a, 'x/#');
    router.remove(b);
    expect(observer.read()).toEqual(['-a x/# 1', '-b x/# 0']);
  });

  it('is told first of those that there are', () => {
    router.subscribe(a, 'x', asking(1));
    router.subscribe(a, '$share/g/y', asking(2));
    const observer = new Observer();
    router.observe(observer);
    expect(observer.read().toSorted()).toEqual(['+a x 1', '+a y 2']);
  });

  it('is told of another QoS before the old one ends, and of no other change', () => {
    const observer = new Observer();
    router.observe(observer);
    router.subscribe(a, 'x', asking(1));
    router.subscribe(a, 'x', asking(1, { noLocal: true, subscriptionId: 4 }));
    expect(observer.read()).toEqual(['+a x 1']);
    router.subscribe(a, 'x', asking(0));
    expect(observer.read()).toEqual(['+a x 0', '-a x 1']);
  });

  it('is told of those that share one by their filter', () => {
    const observer = new Observer();
    router.observe(observer);
    for (const inbox of [a, b]) router.subscribe(inbox, '$share/g/x/+', asking(1));
    router.subscribe(a, 'x/+', asking(1));
    router.remove(a);
    router.unsubscribe(b, '$share/g/x/+');
    expect(observer.read().slice(0, 3)).toEqual(['+a x/+ 1', '+b x/+ 1', '+a x/+ 1']);
    expect(observer.read()).toEqual([]);
    expect(observer.standing).toEqual([]);
  });

  it('is not told of what was refused', () => {
    const observer = new Observer();
    router.observe(observer);
    router.subscribe(a, 'x/#/y', asking(1));
    for (let i = 0; i < 5; i += 1) router.subscribe(a, `x/${i}`, asking(0));
    observer.read();
    expect(router.subscribe(a, 'one/too/many', asking(0))).toBe('limit_reached');
    expect(observer.read()).toEqual([]);
  });

  it('is told of those that rights end', () => {
    const observer = new Observer();
    router.observe(observer);
    const rights: Rights = {
      mayEmit: () => true,
      maySubscribe: () => false,
      mayReceive: () => false,
      mayBroadcast: true,
    };
    const restricted: Inbox & { rights?: Rights } = a;
    router.subscribe(restricted, 'x', asking(1));
    restricted.rights = rights;
    router.forgetRights();
    expect(observer.read()).toEqual(['+a x 1', '-a x 1']);
  });

  it('is told no more once it has ended that; another still is', () => {
    const [one, other] = [new Observer(), new Observer()];
    const end = router.observe(one);
    router.observe(other);
    end();
    router.subscribe(a, 'x', asking(1));
    expect(one.told).toEqual([]);
    expect(other.told).toEqual(['+a x 1']);
  });

  it('knows what stands after any history', () => {
    const step = fc.record({
      do: fc.constantFrom('subscribe', 'subscribe', 'subscribe', 'unsubscribe', 'remove', 'observe'),
      first: fc.boolean(),
      pattern: fc.constantFrom('x', 'x/#', '+', '$share/g/x', '$share/h/x', '$share/g/+', 'y/+'),
      qos: fc.constantFrom<Qos[]>(0, 1, 2),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        router = new Router(LIMITS, new Counters(), new VirtualClock());
        const observers = [new Observer()];
        for (const observer of observers) router.observe(observer);
        for (const { do: what, first, pattern, qos } of steps) {
          const inbox = first ? a : b;
          if (what === 'subscribe') router.subscribe(inbox, pattern, asking(qos));
          else if (what === 'unsubscribe') router.unsubscribe(inbox, pattern);
          else if (what === 'remove') router.remove(inbox);
          else {
            const late = new Observer();
            router.observe(late);
            observers.push(late);
          }
          const standing = [a, b].flatMap((one) =>
            [...router.subscriptionsOf(one)].map(
              ([each, options]) => `${nameOf(one)} ${filterOf(each)} ${options.qos}`,
            ),
          );
          for (const observer of observers) expect(observer.standing.toSorted()).toEqual(standing.toSorted());
        }
      }),
      { numRuns: 200 },
    );
  });
});
