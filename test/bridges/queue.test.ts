import { pino } from 'pino';
import { expect, test } from 'vitest';
import { BridgeCounts } from '../../src/bridges/counts.js';
import { BridgeQueue, type BridgeQueueLimits } from '../../src/bridges/queue.js';
import { BridgeRecords } from '../../src/bridges/records.js';
import type { QueuedMessage } from '../../src/bridges/upstream.js';
import { Counters } from '../../src/counters.js';
import { Store } from '../../src/store/store.js';
import { Disk, MemoryBackend } from '../support/memory-backend.js';
import { Random } from '../support/random.js';
import { VirtualClock } from '../support/virtual-clock.js';

const LIMITS: BridgeQueueLimits = { messages: 1000, bytes: 2 ** 20, ageMs: 0, whenFull: 'refuse' };

function message(text: string, more: Partial<QueuedMessage> = {}) {
  return {
    name: 'a/b',
    payload: Buffer.from(text),
    qos: 1,
    retain: false,
    properties: undefined,
    via: ['site1'],
    expiresAt: undefined,
    ...more,
  } as const;
}

/** A bridge's queue, with a store on `disk`, or without one. */
function start(limits: Partial<BridgeQueueLimits> = {}, disk?: Disk, clock = new VirtualClock()) {
  const log: string[] = [];
  const logger = pino({}, { write: (line: string) => void log.push(JSON.parse(line).msg) });
  const counts = new BridgeCounts(new Counters(), 'plant');
  const backend = disk && new MemoryBackend(disk, clock, new Random(1), 5);
  const contents = disk?.read();
  const store = backend && new Store(backend, clock, logger, { time: contents?.time });
  const stored = contents?.bridges.get('plant');
  const records = new BridgeRecords('plant', store, stored);
  let ready = 0;
  const queue = new BridgeQueue({
    bridge: 'plant',
    limits: { ...LIMITS, ...limits },
    window: 100,
    records,
    stored: stored?.messages,
    clock,
    counts,
    logger,
    onReady: () => ready++,
  });
  const push = (...texts: string[]) => {
    for (const text of texts) queue.push(message(text));
  };
  const text = ({ payload }: QueuedMessage) => Buffer.from(payload).toString();
  /** All that there is to be sent now. */
  const take = () => {
    const taken: QueuedMessage[] = [];
    for (let next = queue.next(); next; next = queue.next()) taken.push(next);
    return taken;
  };
  return { clock, log, counts, backend, store, records, queue, push, take, text, ready: () => ready };
}

test('in memory: what is pushed is given in order, again after the connection was lost, until it is settled', () => {
  const { queue, push, take, text } = start();
  push('a', 'b', 'c');
  const taken = take();
  expect(taken.map(text)).toEqual(['a', 'b', 'c']);
  expect(queue.inFlight).toBe(3);
  queue.settle(taken[1]?.record ?? 0);
  push('d');
  queue.rewind();
  expect(queue.inFlight).toBe(0);
  expect(take().map(text)).toEqual(['a', 'c', 'd']);
  expect(queue.length).toBe(3);
});

test('with a store: nothing leaves before it is committed, and all of it is there after a crash', () => {
  const disk = new Disk();
  const first = start({}, disk);
  first.push('a', 'b');
  expect(first.take()).toEqual([]);
  expect(first.ready()).toBe(0);
  first.clock.advance(20);
  expect(first.ready()).toBe(1);
  const [a, b] = first.take();
  expect([a, b].map((message) => message && first.text(message))).toEqual(['a', 'b']);
  first.queue.settle(a?.record ?? 0);
  first.push('c');
  first.clock.advance(20);
  first.backend?.kill();

  const second = start({}, disk);
  expect(second.records.instance).toBe(first.records.instance);
  second.clock.advance(20);
  const again = second.take();
  expect(again.map(second.text)).toEqual(['b', 'c']);
  expect(again[0]?.record).toBe(b?.record);
});
