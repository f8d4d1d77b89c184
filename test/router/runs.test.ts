import { beforeEach, describe, expect, it } from 'vitest';
import { Counters } from '../../src/counters.js';
import type { Channel } from '../../src/router/channel.js';
import { Router } from '../../src/router/router.js';
import type { Run } from '../../src/router/subscriber.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { asking, bytes, Inbox } from './inbox.js';

/** A subscriber that takes runs. */
class RunInbox extends Inbox {
  takesRun(_channel: Channel, run: Run): boolean {
    return [...run].every(({ length }) => length <= this.maxPayload);
  }

  deliverRun({ name }: Channel, run: Run): void {
    this.taken.push(`${name}: ${[...run].map((payload) => Buffer.from(payload).toString()).join(' ')}`);
  }
}

const RUN: Run = Object.assign([bytes('a'), bytes('bc')], { count: 2 });

let counters: Counters;
let router: Router;
let channel: Channel;
let from: Inbox;

beforeEach(() => {
  counters = new Counters();
  const limits = {
    maxChannels: 100,
    maxSubscriptions: 10_000,
    maxSubscriptionsPerSubscriber: 50,
    maxLastValues: 3,
    maxLastValueBytes: 200,
  };
  router = new Router(limits, counters, new VirtualClock());
  channel = router.hold('x') as Channel;
  from = new RunInbox();
});

describe('a run', () => {
  it('goes to everyone subscribed, and counts as its messages do', () => {
    const [a, b] = [new RunInbox(), new RunInbox()];
    router.subscribe(a, 'x', asking(0));
    router.subscribe(b, '#', asking(2));
    expect(router.emitRun(channel, RUN, from)).toBe(true);
    expect([a.read(), b.read()]).toEqual([['x: a bc'], ['x: a bc']]);
    expect(counters.get('router.emit')).toBe(2);
    expect(counters.get('router.delivered')).toBe(4);
    expect(router.delivered).toBe(4);
  });

  it('does not go to its sender where that asked for no local', () => {
    router.subscribe(from, 'x', asking(0, { noLocal: true }));
    expect(router.emitRun(channel, RUN, from)).toBe(true);
    expect(from.read()).toEqual([]);
    router.subscribe(from, '#', asking(0));
    expect(router.emitRun(channel, RUN, from)).toBe(true);
    expect(from.read()).toEqual(['x: a bc']);
    expect(counters.get('router.emit')).toBe(4);
    expect(counters.get('router.delivered')).toBe(2);
  });

  it('is left to be emitted one by one where somebody takes none, or nobody may emit', () => {
    const [a, plain, small] = [new RunInbox(), new Inbox(), new RunInbox()];
    router.subscribe(a, 'x', asking(0));
    router.subscribe(plain, 'x', asking(0));
    expect(router.emitRun(channel, RUN, from)).toBe(false);
    router.remove(plain);
    small.maxPayload = 1;
    router.subscribe(small, 'x', asking(0));
    expect(router.emitRun(channel, RUN, from)).toBe(false);
    router.remove(small);
    const reserved = router.hold('$slipway/x') as Channel;
    expect(router.emitRun(reserved, RUN, from)).toBe(false);
    const rights = {
      mayEmit: () => false,
      maySubscribe: () => true,
      mayReceive: () => true,
      mayBroadcast: false,
    };
    expect(router.emitRun(channel, RUN, Object.assign(new RunInbox(), { rights }))).toBe(false);
    expect(a.read()).toEqual([]);
    expect(counters.get('router.emit')).toBe(0);
    expect(router.emitRun(channel, RUN, from)).toBe(true);
  });

  it('is left to be emitted one by one where that is much work', () => {
    const crowd = Array.from({ length: 4097 }, () => new RunInbox());
    for (const each of crowd) router.subscribe(each, 'x', asking(0));
    expect(router.emitRun(channel, RUN, from)).toBe(false);
    router.remove(crowd[0] as Inbox);
    expect(router.emitRun(channel, RUN, from)).toBe(true);
    expect(crowd[0]?.read()).toEqual([]);
    expect(crowd[1]?.read()).toEqual(['x: a bc']);
  });
});
