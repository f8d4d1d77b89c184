import { pino } from 'pino';
import { expect, test } from 'vitest';
import { BridgeQueue, type BridgeQueueLimits } from '../../src/bridges/queue.js';
import { BridgeRecords } from '../../src/bridges/records.js';
import type { QueuedMessage } from '../../src/bridges/upstream.js';
import { Store } from '../../src/store/store.js';
import { Disk, MemoryBackend } from '../support/memory-backend.js';
import { Random } from '../support/random.js';
import { forSeeds } from '../support/seeds.js';
import { VirtualClock } from '../support/virtual-clock.js';

const STEPS = 400;
/** Long enough for all that the disk has to do. */
const QUIET_MS = 200;

/** A message; its times are of the store's clock, which stands still between two processes. */
interface Entry {
  readonly record: number;
  readonly text: string;
  readonly at: number;
  readonly expiresAt: number | undefined;
}

/** A message came into the queue, or left it for good. */
type Event = { readonly came: Entry } | { readonly went: number };

/** What a queue must do, as simply as it can be said: two lists; and what the disk must hold after a crash. */
class Model {
  inFlight: Entry[] = [];
  waiting: Entry[] = [];
  /** Since the disk was last known to the byte. */
  events: Event[] = [];
  /** So many of the events are committed. */
  confirmed = 0;
  base: readonly Entry[] = [];
  /** What upstream was given, by number: no number names two messages. */
  readonly given = new Map<number, string>();

  came(came: Entry): void {
    this.waiting.push(came);
    this.events.push({ came });
  }

  went(record: number): void {
    this.events.push({ went: record });
  }

  /** A restart finds this: what stands there after as many of the events as were committed, or more. */
  restarted(found: readonly number[]): void {
    const states = [this.base];
    for (const event of this.events) {
      const last = states.at(-1) ?? [];
      states.push(
        'came' in event ? [...last, event.came] : last.filter(({ record }) => record !== event.went),
      );
    }
    const text = found.join();
    const state = states
      .slice(this.confirmed)
      .find((entries) => entries.map(({ record }) => record).join() === text);
    if (!state)
      throw new Error(
        `the disk has ${text}, which was never so since the last commit: ${states.map((entries) => entries.map(({ record }) => record).join()).join(' | ')}`,
      );
    this.base = state;
    this.waiting = [...state];
    this.inFlight = [];
    this.events = [];
    this.confirmed = 0;
  }
}

/** A gateway's bridge whose process is killed and started again, with the model beside it. */
class World {
  readonly #random: Random;
  readonly #disk = new Disk();
  readonly #clock = new VirtualClock();
  readonly #limits: BridgeQueueLimits;
  readonly #maxCommitMs: number;
  readonly #model = new Model();
  #backend!: MemoryBackend;
  #store!: Store;
  #records!: BridgeRecords;
  #queue!: BridgeQueue;
  #pushes = 0;
  /** A push is under way, and has not been counted as dropped itself. */
  #pushing = false;
  /** `next` gave nothing, and nobody said since that it has something. */
  #starved = false;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#limits = {
      messages: this.#random.chance(0.5) ? 12 : 1000,
      bytes: this.#random.chance(0.3) ? 2000 : 2 ** 20,
      ageMs: this.#random.chance(0.3) ? 3000 : 0,
      whenFull: this.#random.chance(0.5) ? 'refuse' : 'drop_oldest',
    };
    this.#maxCommitMs = this.#random.below(60);
    this.#start();
  }

  #start(): void {
    const { bridges, time } = this.#disk.read();
    const logger = pino({ level: 'silent' });
    this.#backend = new MemoryBackend(this.#disk, this.#clock, this.#random, this.#maxCommitMs);
    this.#store = new Store(this.#backend, this.#clock, logger, { time });
    const stored = bridges.get('plant');
    this.#model.restarted(this.#recordsOnDisk());
    this.#records = new BridgeRecords('plant', this.#store, stored);
    this.#starved = true;
    const queue: BridgeQueue = new BridgeQueue({
      bridge: 'plant',
      limits: this.#limits,
      window: 2,
      memory: { messages: 6, bytes: 600 },
      records: this.#records,
      stored: stored?.messages,
      clock: this.#clock,
      counts: { drop: (reason) => this.#dropped(reason) },
      logger,
      onReady: () => {
        if (queue === this.#queue) this.#starved = false;
      },
    });
    this.#queue = queue;
  }

  #recordsOnDisk(): number[] {
    const keys = [...this.#disk.records.keys()].filter((key) => key.startsWith('bridge-message/plant/'));
    return keys.sort().map((key) => Number.parseInt(key.slice(-11), 36));
  }

  step(): void {
    const choice = this.#random.below(100);
    if (choice < 40) this.#push();
    else if (choice < 65) this.#next();
    else if (choice < 80) this.#settle();
    else if (choice < 84) this.#rewind();
    else if (choice < 94) this.#clock.advance(this.#random.below(40));
    else if (choice < 97) this.#clock.advance(this.#random.below(3000));
    else if (choice < 99) this.#crash();
    else this.#restart();
    this.#compare();
    if (this.#random.chance(0.5)) this.#confirm();
  }

  /** Everything comes out in the end. */
  drain(): void {
    this.#rewind();
    for (let turns = 0; this.#queue.length > 0 && turns < STEPS; turns++) {
      this.#clock.advance(QUIET_MS);
      while (this.#next());
      while (this.#settle());
      this.#compare();
    }
    expect(this.#queue.length).toBe(0);
    expect(this.#queue.bytes).toBe(0);
    this.#clock.advance(2000);
    expect(this.#recordsOnDisk()).toEqual([]);
  }

  #push(): void {
    const { messages } = this.#limits;
    const size = this.#random.chance(0.1) ? this.#random.below(1000) : this.#random.below(100);
    if (!this.#queue.hasRoom(size)) {
      expect(this.#limits.whenFull).toBe('refuse');
      const bytes = this.#queue.bytes + size;
      expect(this.#queue.length === messages || bytes > this.#limits.bytes).toBe(true);
      return;
    }
    const text = `${++this.#pushes}:`.padEnd(size, 'x');
    const now = this.#clock.now();
    const expiresAt = this.#random.chance(0.1) ? now + this.#random.below(2000) : undefined;
    let record: number | undefined;
    const next = this.#records.nextRecord.bind(this.#records);
    this.#records.nextRecord = () => {
      record = next();
      return record;
    };
    const entry = {
      text,
      at: this.#store.time(now),
      expiresAt: expiresAt === undefined ? undefined : this.#store.time(expiresAt),
    };
    this.#pushing = true;
    this.#queue.push({
      name: 'a/ü',
      payload: Buffer.from(text),
      qos: this.#random.chance(0.5) ? 1 : 2,
      retain: this.#random.chance(0.5),
      properties: this.#random.chance(0.2) ? { contentType: 'text/plain' } : undefined,
      via: ['site1', 'site2'],
      expiresAt,
    });
    this.#records.nextRecord = next;
    if (record === undefined) expect(this.#pushing, 'dropped, and counted').toBe(false);
    else {
      expect(this.#model.given.has(record), 'a number is given once').toBe(false);
      this.#model.came({ ...entry, record });
    }
    this.#pushing = false;
  }

  #dropped(reason: string): void {
    const model = this.#model;
    const first = model.waiting.shift();
    if (first === undefined) {
      expect(reason).toBe('queue_full');
      expect(this.#pushing).toBe(true);
      this.#pushing = false;
      return;
    }
    model.went(first.record);
    const now = this.#store.time();
    const { ageMs, whenFull } = this.#limits;
    if (reason === 'queue_full') {
      expect(whenFull).toBe('drop_oldest');
      expect(this.#pushing).toBe(true);
    } else if (reason === 'too_old') expect(now - first.at).toBeGreaterThan(ageMs - 1);
    else {
      expect(reason).toBe('expired');
      expect(now).toBeGreaterThanOrEqual((first.expiresAt ?? Number.POSITIVE_INFINITY) - 1e-6);
    }
  }

  #next(): boolean {
    const ready = !this.#starved;
    const message = this.#queue.next();
    if (!message) {
      this.#starved = true;
      return false;
    }
    expect(ready, 'it told that there is something').toBe(true);
    const model = this.#model;
    const expected = model.waiting.shift();
    const text = textOf(message);
    expect([message.record, text, message.name, message.via]).toEqual([
      expected?.record,
      expected?.text,
      'a/ü',
      ['site1', 'site2'],
    ]);
    expect(this.#store.time(message.at)).toBeCloseTo(expected?.at ?? Number.NaN, 6);
    if (expected?.expiresAt === undefined) expect(message.expiresAt).toBeUndefined();
    else expect(this.#store.time(message.expiresAt)).toBeCloseTo(expected.expiresAt, 6);
    expect(this.#recordsOnDisk(), 'only what is safe leaves').toContain(message.record);
    expect(model.given.get(message.record) ?? text, 'a number names one message').toBe(text);
    model.given.set(message.record, text);
    if (expected) model.inFlight.push(expected);
    return true;
  }

  #settle(): boolean {
    const { inFlight } = this.#model;
    const [entry] = inFlight.splice(this.#random.below(inFlight.length), 1);
    if (!entry) return false;
    this.#queue.settle(entry.record);
    this.#model.went(entry.record);
    // Told twice is as told once.
    if (this.#random.chance(0.1)) this.#queue.settle(entry.record);
    return true;
  }

  #rewind(): void {
    const model = this.#model;
    this.#queue.rewind();
    model.inFlight.sort((a, b) => a.record - b.record);
    model.waiting.unshift(...model.inFlight.splice(0));
    // It tells a moment later that there is something.
    this.#clock.advance(0);
  }

  #confirm(): void {
    const { events } = this.#model;
    const count = events.length;
    this.#store.settled(() => {
      if (events === this.#model.events) this.#model.confirmed = Math.max(this.#model.confirmed, count);
    });
  }

  #crash(): void {
    this.#queue.stop();
    this.#backend.kill();
    this.#start();
  }

  #restart(): void {
    this.#queue.stop();
    this.#confirm();
    this.#clock.advance(QUIET_MS);
    this.#backend.kill();
    this.#start();
  }

  #compare(): void {
    const { inFlight, waiting } = this.#model;
    const { messages, bytes, whenFull } = this.#limits;
    expect(this.#queue.inFlight).toBe(inFlight.length);
    expect(this.#queue.length).toBe(inFlight.length + waiting.length);
    expect(this.#queue.length).toBeLessThanOrEqual(messages);
    // The last one may be larger by its name and properties.
    expect(this.#queue.bytes, whenFull).toBeLessThanOrEqual(bytes + 200);
    const at = Math.min(...inFlight.map((entry) => entry.at), ...waiting.map((entry) => entry.at));
    const age = at === Number.POSITIVE_INFINITY ? 0 : this.#store.time() - at;
    expect(Math.abs(this.#queue.oldestAgeMs - age)).toBeLessThanOrEqual(1);
  }
}

function textOf({ payload }: QueuedMessage): string {
  return Buffer.from(payload).toString();
}

test('loses nothing committed, brings back nothing settled, and keeps order and bounds, however it is killed', () => {
  forSeeds(100, (seed) => {
    const world = new World(seed);
    for (let step = 0; step < STEPS; step++) world.step();
    world.drain();
  });
});
