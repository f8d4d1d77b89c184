import { expect, test } from 'vitest';
import { BridgeCounts } from '../../src/bridges/counts.js';
import { Departures } from '../../src/bridges/departures.js';
import { NameRule } from '../../src/bridges/names.js';
import type { BridgeQueue } from '../../src/bridges/queue.js';
import type { OutgoingMessage, UpstreamConnection } from '../../src/bridges/upstream.js';
import { Counters } from '../../src/counters.js';
import { Router } from '../../src/router/router.js';
import { VirtualClock } from '../support/virtual-clock.js';

const LIMITS = {
  maxChannels: 100,
  maxSubscriptions: 100,
  maxSubscriptionsPerSubscriber: 50,
  maxLastValues: 20,
  maxLastValueBytes: 1000,
};

/** Has three messages leave together over such a connection. Returns what is counted then. */
function emitThree(connection: Partial<UpstreamConnection> | undefined): Record<string, number> {
  const clock = new VirtualClock();
  const counters = new Counters();
  const router = new Router(LIMITS, counters, clock);
  const counts = new BridgeCounts(counters, 'plant');
  const departures = new Departures({
    bridge: 'plant',
    gateway: 'site1',
    rules: [{ name: new NameRule({ pattern: 'pumps/#', remote: 'site1/pumps/#' }), qos: 1 }],
    // What is of QoS 0 never waits.
    queue: undefined as unknown as BridgeQueue,
    clock,
    counts,
    router,
    connection: () => connection as UpstreamConnection | undefined,
    lastValues: { sent: () => {}, missed: () => false, cleared: () => {} },
  });
  const payloads = ['a', 'bc', 'd'].map((text) => Buffer.from(text));
  departures.deliverRun(router.find('pumps/1'), Object.assign(payloads, { count: payloads.length }));
  return { out: counts.out.value, ...counts.drops };
}

test('messages that came together go together where upstream can do that, and what has no room is counted', () => {
  const runs: unknown[] = [];
  const counted = emitThree({
    sendRun(name, via, run) {
      runs.push([name, via, Array.from(run, String)]);
      return run.count - 1;
    },
  });
  expect(runs).toEqual([['site1/pumps/1', ['site1'], ['a', 'bc', 'd']]]);
  expect(counted).toEqual({ out: 2, backlog: 1 });
});

test('else they go one by one', () => {
  const sent: OutgoingMessage[] = [];
  const counted = emitThree({
    send(message) {
      sent.push(message);
      return sent.length > 1;
    },
  });
  expect(sent.map(({ name, via, qos, payload }) => [name, via, qos, String(payload)])).toEqual(
    ['a', 'bc', 'd'].map((text) => ['site1/pumps/1', ['site1'], 0, text]),
  );
  expect(counted).toEqual({ out: 2, backlog: 1 });
});

test('without a connection all of them are counted as dropped', () => {
  expect(emitThree(undefined)).toEqual({ out: 0, offline: 3 });
});
