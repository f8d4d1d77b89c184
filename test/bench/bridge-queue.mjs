// How a bridge's queue fares when upstream is gone for long: a million messages are queued in the store, the process starts again, and all
// of them are drained while live ones go on coming. Checks order and completeness; prints speeds, memory and what the disk holds.
//
//   npm run bench:bridge-queue -- [--messages 1000000] [--payload 16] [--window 1000] [--live 1000] [--folder FOLDER]

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { BridgeCounts } from '../../dist/bridges/counts.js';
import { BridgeQueue } from '../../dist/bridges/queue.js';
import { BridgeRecords } from '../../dist/bridges/records.js';
import { systemClock } from '../../dist/clock.js';
import { Counters } from '../../dist/counters.js';
import { openStore } from '../../dist/store/open-store.js';
import { Store } from '../../dist/store/store.js';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    payload: { type: 'string', default: '16' },
    window: { type: 'string', default: '1000' },
    live: { type: 'string', default: '1000' },
    folder: { type: 'string', default: tmpdir() },
    // Given by this script to itself: each part is a process of its own, so that memory is its own.
    part: { type: 'string' },
    path: { type: 'string' },
  },
});
const messages = Number(values.messages);
const payloadBytes = Math.max(8, Number(values.payload));
/** As `limits.store_backlog`, bytes. */
const STORE_BACKLOG = 16 * 2 ** 20;
const window = Number(values.window);
/** Messages that come each second while the queue drains. */
const live = Number(values.live);

const { path } = values;
const logger = pino({ level: 'warn' }, process.stderr);
const turn = () => new Promise((resolve) => setImmediate(resolve));
const settled = (store) => new Promise((resolve) => store.settled(resolve));

/** The most that was in use while something ran, MiB. */
class Memory {
  #rss = 0;
  #heap = 0;
  #timer = setInterval(() => this.#look(), 50);

  #look() {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    this.#rss = Math.max(this.#rss, ownMemory());
    this.#heap = Math.max(this.#heap, heapUsed + arrayBuffers);
  }

  stop() {
    clearInterval(this.#timer);
    this.#look();
    return `resident at most ${mebibytes(this.#rss)}, heap and buffers ${mebibytes(this.#heap)}`;
  }
}

/** Resident, bytes, without the files of the store that LevelDB maps: those pages are the page cache's, and go when others need them. */
function ownMemory() {
  if (process.platform !== 'linux') return process.memoryUsage.rss();
  const [, kibibytes = '0'] = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

function mebibytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

function onDisk() {
  return mebibytes(readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0));
}

function rate(count, sinceMs) {
  const ms = performance.now() - sinceMs;
  return `${count} in ${(ms / 1000).toFixed(1)} s: ${Math.round((count / ms) * 1000)}/s`;
}

async function open(onReady) {
  const { backend, contents } = await openStore(path, logger);
  const store = new Store(backend, systemClock, logger, { maxBacklog: STORE_BACKLOG, time: contents.time });
  const stored = contents.bridges.get('plant');
  const queue = new BridgeQueue({
    bridge: 'plant',
    limits: { messages: 2 * messages, bytes: 2 ** 40, ageMs: 7 * 86_400_000, whenFull: 'refuse' },
    window,
    records: new BridgeRecords('plant', store, stored),
    stored: stored?.messages,
    clock: systemClock,
    counts: new BridgeCounts(new Counters(), 'plant'),
    logger,
    onReady,
  });
  return { store, queue };
}

let pushed = 0;
function push(queue) {
  const payload = randomBytes(payloadBytes);
  payload.writeDoubleLE(pushed++);
  queue.push({
    name: 'greenhouse/3/temperature',
    payload,
    qos: 1,
    retain: false,
    properties: undefined,
    via: ['site1'],
    expiresAt: undefined,
  });
}

async function fill() {
  const memory = new Memory();
  const { store, queue } = await open(() => undefined);
  const start = performance.now();
  while (pushed < messages) {
    for (let i = 0; i < 200 && pushed < messages && queue.hasRoom(payloadBytes); i++) push(queue);
    await turn();
  }
  await settled(store);
  console.log(`queued    ${rate(pushed, start)}; ${memory.stop()}; on disk ${onDisk()}`);
  queue.stop();
  await store.close();
}

async function drain() {
  pushed = messages;
  const memory = new Memory();
  let ready = () => undefined;
  const begin = performance.now();
  const { store, queue } = await open(() => ready());
  console.log(`restarted in ${((performance.now() - begin) / 1000).toFixed(2)} s; ${memory.stop()}`);
  const draining = new Memory();
  const start = performance.now();
  const pushedBefore = pushed;
  const due = () => pushedBefore + ((performance.now() - start) / 1000) * live;
  const ticks = setInterval(() => {
    while (pushed < due() && queue.length > 0) push(queue);
  }, 5);
  let next = 0;
  /** What upstream has, and acknowledges in the next turn. */
  let underWay = [];
  let wait;
  ready = () => wait?.();
  for (;;) {
    for (const record of underWay) queue.settle(record);
    underWay = [];
    if (queue.length === 0) break;
    for (let message = queue.next(); message; message = queue.next()) {
      const number = Buffer.from(message.payload.buffer, message.payload.byteOffset).readDoubleLE();
      if (number !== next++) throw new Error(`${number} came where ${next - 1} should have`);
      underWay.push(message.record);
      if (underWay.length === window) break;
    }
    if (underWay.length > 0) await turn();
    else await new Promise((resolve) => (wait = resolve));
  }
  clearInterval(ticks);
  console.log(`drained   ${rate(next, start)}, ${pushed - pushedBefore} of them live; ${draining.stop()}`);
  if (next !== pushed) throw new Error(`${pushed - next} are missing`);
  await settled(store);
  console.log(`on disk afterwards ${onDisk()}`);
  queue.stop();
  await store.close();
}

function runParts() {
  mkdirSync(values.folder, { recursive: true });
  const folder = mkdtempSync(join(values.folder, 'slipway-queue-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const part of ['fill', 'drain']) {
    const own = ['--part', part, '--path', join(folder, 'store')];
    const { status } = spawnSync(process.execPath, [...process.argv.slice(1), ...own], { stdio: 'inherit' });
    if (status !== 0) process.exit(1);
  }
}

if (values.part === 'fill') await fill();
else if (values.part === 'drain') await drain();
else runParts();
