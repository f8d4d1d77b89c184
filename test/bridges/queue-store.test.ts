import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { BridgeCounts } from '../../src/bridges/counts.js';
import { BridgeQueue } from '../../src/bridges/queue.js';
import { BridgeRecords } from '../../src/bridges/records.js';
import { systemClock } from '../../src/clock.js';
import { Counters } from '../../src/counters.js';
import { openStore } from '../../src/store/open-store.js';
import { Store } from '../../src/store/store.js';

/** More than is held in memory, several times over. */
const BOUND = 30_000;
const LIVE = 2000;

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A bridge's queue in a store on the disk, as a gateway that starts has it. */
async function open(path: string, onReady: () => void = () => undefined) {
  const log: string[] = [];
  const logger = pino({}, { write: (line: string) => void log.push(JSON.parse(line).msg) });
  const { backend, contents } = await openStore(path, logger);
  const store = new Store(backend, systemClock, logger, { maxBacklog: 2 ** 20, time: contents.time });
  const stored = contents.bridges.get('plant');
  const counts = new BridgeCounts(new Counters(), 'plant');
  const queue = new BridgeQueue({
    bridge: 'plant',
    limits: { messages: BOUND, bytes: 2 ** 30, ageMs: 3_600_000, whenFull: 'refuse' },
    window: 100,
    records: new BridgeRecords('plant', store, stored),
    stored: stored?.messages,
    clock: systemClock,
    counts,
    logger,
    onReady,
  });
  const push = (number: number) =>
    queue.push({
      name: 'greenhouse/temperature',
      payload: Buffer.from(`${number}`),
      qos: 1,
      retain: false,
      properties: undefined,
      via: ['site1'],
      expiresAt: undefined,
    });
  const settled = () => new Promise<void>((resolve) => store.settled(resolve));
  const close = async () => {
    await settled();
    queue.stop();
    await store.close();
  };
  return { log, queue, push, counts, settled, close };
}

test('upstream gone for long: the queue fills to its bound, refuses, and drains in order beside what goes on coming', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-queue-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'store');

  const first = await open(path);
  let pushed = 0;
  while (!first.queue.full) {
    // While the disk is behind it takes nothing either.
    while (first.queue.hasRoom(5)) first.push(pushed++);
    await first.settled();
  }
  expect(pushed).toBe(BOUND);
  expect(first.log).toEqual([expect.stringMatching(/is full, with 30000 messages of \d+ bytes/)]);
  await first.close();

  let ready: () => void = () => undefined;
  const second = await open(path, () => ready());
  const { queue } = second;
  expect(queue.length).toBe(BOUND);
  const came: number[] = [];
  let live = 0;
  for (let turns = 0; came.length < BOUND + LIVE; turns++) {
    const underWay: number[] = [];
    for (let next = queue.next(); next; next = queue.next()) {
      came.push(Number(Buffer.from(next.payload).toString()));
      underWay.push(next.record);
      if (underWay.length === 100) break;
    }
    if (underWay.length === 0) await new Promise<void>((resolve) => (ready = resolve));
    else await turn();
    // Every so often the connection breaks: what is under way is given again.
    if (turns % 50 === 1) {
      queue.rewind();
      came.length -= underWay.length;
    } else for (const record of underWay) queue.settle(record);
    for (; live < LIVE && live < came.length / 10 && queue.hasRoom(5); live++) second.push(BOUND + live);
  }
  expect(came.findIndex((number, i) => number !== i)).toBe(-1);
  expect(queue.length).toBe(0);
  expect(queue.bytes).toBe(0);
  expect(second.counts.drops).toEqual({});
  await second.close();

  const third = await open(path);
  expect(third.queue.length).toBe(0);
  await third.close();
});
