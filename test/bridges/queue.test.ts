import { pino } from 'pino';
import { expect, test } from 'vitest';
import { BridgeCounts } from '../../src/bridges/counts.js';
import { BridgeQueue, type BridgeQueueLimits } from '../../src/bridges/queue.js';
import { BridgeRecords } from '../../src/bridges/records.js';
import type { QueuedMessage } from '../../src/bridges/upstream.js';
import { Counters } from '../../src/counters.js';
import { bridgeKeys } from '../../src/store/bridge-records.js';
import { seal } from '../../src/store/seal.js';
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
  const store = backend && new Store(backend, clock, logger, { time: contents?.time, maxBacklog: 10_000 });
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

test('one that overtakes others has another name than they have, and is behind them again when the connection is lost', () => {
  const { clock, queue, take, text } = start();
  for (const [one, name, expiresAt] of [
    ['a', 'x', undefined],
    ['b', 'x', undefined],
    ['c', 'y', 1000],
    ['d', 'y', undefined],
    ['e', 'z', undefined],
  ] as const)
    queue.push(message(one, { name, expiresAt }));
  expect(queue.oldest && text(queue.oldest)).toBe('a');
  clock.advance(1000);
  const beside = (...names: string[]) => {
    const found = queue.nextBeside(new Set(names));
    return found && text(found);
  };
  expect(beside('x', 'y', 'z')).toBeUndefined();
  expect([beside('x'), queue.inFlight]).toEqual(['d', 1]);
  expect(beside()).toBe('b');
  queue.rewind();
  expect(take().map(text)).toEqual(['a', 'b', 'd', 'e']);
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

test('what an upstream keeps is there after a crash, as of the last commit', () => {
  const disk = new Disk();
  const first = start({}, disk);
  first.records.put('session', Uint8Array.of(1));
  first.records.put('gone', Uint8Array.of(2));
  first.records.delete('gone');
  let settled = 0;
  first.records.settled(() => settled++);
  expect(settled).toBe(0);
  first.clock.advance(20);
  expect(settled).toBe(1);
  first.records.put('session', Uint8Array.of(3));
  first.backend?.kill();

  const { records } = start({}, disk);
  expect([...records.entries()]).toEqual([['session', Uint8Array.of(1)]]);
  expect(records.get('session')).toEqual(Uint8Array.of(1));
});

test('without a store an upstream’s records are safe at once', () => {
  const { records } = start();
  records.put('a', Uint8Array.of(1));
  let settled = 0;
  records.settled(() => settled++);
  expect(settled).toBe(1);
  expect(records.get('a')).toEqual(Uint8Array.of(1));
});

test('a full queue refuses; the log says so once, and again when there is room', () => {
  const { queue, push, take, log } = start({ messages: 10 });
  push('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j');
  expect(queue.full).toBe(false);
  expect(queue.hasRoom(1)).toBe(false);
  expect(queue.hasRoom(1)).toBe(false);
  expect(queue.full).toBe(true);
  expect(log).toEqual([
    expect.stringMatching(
      /^the queue of the bridge plant is full, with 10 messages of \d+ bytes: reliable emits that it should carry are refused \(bridges.queue\)$/,
    ),
  ]);
  for (const { record } of take()) queue.settle(record);
  expect(queue.full).toBe(false);
  expect(queue.hasRoom(1)).toBe(true);
  expect(log.slice(1)).toEqual(['the queue of the bridge plant has room again']);
});

test('or it drops the oldest that is not on its way', () => {
  const { queue, push, take, text, log, counts } = start({ messages: 3, whenFull: 'drop_oldest' });
  push('a');
  take();
  push('b', 'c');
  expect(queue.hasRoom(1)).toBe(true);
  push('d', 'e');
  expect(take().map(text)).toEqual(['d', 'e']);
  expect(counts.drops).toEqual({ queue_full: 2 });
  expect(log).toEqual([expect.stringContaining('the oldest are dropped')]);
  // All are on their way: there is none to be dropped but itself.
  push('f');
  expect(queue.length).toBe(3);
  expect(counts.drops).toEqual({ queue_full: 3 });
});

test('no message is larger than all the queue may hold', () => {
  const { queue, counts } = start({ bytes: 1000, whenFull: 'drop_oldest' });
  queue.push(message('a'));
  expect(queue.hasRoom(1001)).toBe(false);
  queue.push(message('x'.repeat(1001)));
  expect(queue.length).toBe(1);
  expect(counts.drops).toEqual({ queue_full: 1 });
});

test('a disk that is far behind takes nothing more', () => {
  const disk = new Disk();
  const { queue, store, push } = start({}, disk);
  expect(store?.full).toBe(false);
  disk.stuck = true;
  push('x'.repeat(20_000));
  expect(queue.hasRoom(1)).toBe(false);
});

test('what has waited too long is dropped, counted and logged, however much it is', () => {
  const disk = new Disk();
  const { clock, queue, push, log, counts } = start({ ageMs: 60_000, messages: 100_000 }, disk);
  for (let i = 0; i < 25_000; i++) push(`${i}`);
  clock.advance(30_000);
  expect(queue.oldestAgeMs).toBe(30_000);
  push('young');
  clock.advance(41_000);
  expect(queue.length).toBe(1);
  expect(counts.drops).toEqual({ too_old: 25_000 });
  expect(log).toEqual([
    '25000 messages for the bridge plant have waited too long, and are dropped (bridges.queue.age)',
  ]);
});

test('the age is that of the gateway: while it did not run nothing got older', () => {
  const disk = new Disk();
  const first = start({ ageMs: 60_000 }, disk);
  first.push('a');
  first.clock.advance(30_000);
  first.backend?.kill();
  const second = start({ ageMs: 60_000 }, disk);
  expect(second.queue.oldestAgeMs).toBeLessThanOrEqual(30_000);
  second.clock.advance(20_000);
  expect(second.queue.length).toBe(1);
  second.clock.advance(60_000);
  expect(second.queue.length).toBe(0);
});

test('what has expired is not sent', () => {
  const { clock, queue, take, text, counts } = start();
  queue.push(message('a', { expiresAt: 1000 }));
  queue.push(message('b'));
  queue.push(message('c', { expiresAt: 5000 }));
  clock.advance(1000);
  expect(take().map(text)).toEqual(['b', 'c']);
  expect(counts.drops).toEqual({ expired: 1 });
});

test('what the disk has lost is dropped, counted and logged; the rest is delivered', () => {
  const disk = new Disk();
  const first = start({}, disk);
  first.push('a', 'b', 'c', 'd', 'e');
  first.clock.advance(20);
  first.backend?.kill();

  const second = start({}, disk);
  const key = (record: number) => bridgeKeys.message('plant', record);
  const spoiled = disk.records.get(key(2)) ?? new Uint8Array();
  spoiled[spoiled.length - 1] = 0;
  disk.records.set(key(4), seal(key(4), Uint8Array.of(0)));
  disk.records.delete(key(5));
  second.clock.advance(20);
  expect(second.take().map(second.text)).toEqual(['a', 'c']);
  second.clock.advance(20);
  expect(second.queue.length).toBe(2);
  expect(second.counts.drops).toEqual({ damaged: 3 });
  expect(second.log).toEqual([
    expect.stringMatching(
      /^2 messages that waited for the bridge plant cannot be read from the store any more/,
    ),
    expect.stringMatching(
      /^1 messages that waited for the bridge plant cannot be read from the store any more/,
    ),
  ]);
});

test('bits that are wrong at the start cost the messages that they are in, whichever they are, and no others', () => {
  for (let bit = 0; bit < 8 * 24; bit++) {
    const disk = new Disk();
    const first = start({}, disk);
    first.push('a', 'b', 'c');
    first.clock.advance(20);
    first.backend?.kill();
    const key = bridgeKeys.message('plant', 2);
    const spoiled = Uint8Array.from(disk.records.get(key) ?? []);
    spoiled[bit >> 3] = (spoiled[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    disk.records.set(key, spoiled);

    const second = start({ ageMs: 3_600_000 }, disk);
    second.clock.advance(20);
    expect(second.take().map(second.text)).toEqual(['a', 'c']);
    const { damaged = 0, too_old: old = 0 } = second.counts.drops;
    expect(damaged + old).toBe(1);
    expect(second.log).toHaveLength(1);
    second.queue.stop();
    second.backend?.kill();
  }
});

test('what waits in the store is dropped by a shorter age after a restart', () => {
  const disk = new Disk();
  const first = start({}, disk);
  first.push('a', 'b');
  first.clock.advance(5000);
  first.push('c');
  first.clock.advance(20);
  first.backend?.kill();
  const second = start({ ageMs: 1000 }, disk);
  expect(second.counts.drops).toEqual({ too_old: 2 });
  second.clock.advance(12_000);
  expect(second.queue.length).toBe(0);
  second.backend?.kill();
  expect(disk.read().bridges.get('plant')?.messages.length).toBe(0);
});
