import type { Logger } from 'pino';
import type { Cancel, Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import { extrasBytes } from '../router/message.js';
import { Queue } from '../session/queue.js';
import { bridgeKeys, readQueued, recordInKey } from '../store/bridge-records.js';
import { MessageIndex } from '../store/message-index.js';
import type { Store } from '../store/store.js';
import { QueueFullness } from './queue-fullness.js';
import type { BridgeRecords } from './records.js';
import type { QueuedMessage } from './upstream.js';

export interface BridgeQueueLimits {
  readonly messages: number;
  /** Of all messages: what they take in the store. */
  readonly bytes: number;
  /** How long a message may wait, ms; 0 for ever. */
  readonly ageMs: number;
  readonly whenFull: 'refuse' | 'drop_oldest';
}

export interface BridgeQueueOptions {
  /** The name of the bridge: drops are counted as `bridges.<name>.drop.<reason>`. */
  readonly bridge: string;
  readonly limits: BridgeQueueLimits;
  readonly records: BridgeRecords;
  /** What the store of `records` holds already; the queue goes on with it as its own. */
  readonly stored?: MessageIndex | undefined;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
  /** `next` has something again, after it had nothing; called by itself, never within another call. */
  readonly onReady: () => void;
}

/** Of what is to be sent soon, or is on its way, so much is in memory: messages, and bytes (or a single message). */
const WINDOW_MESSAGES = 16_384;
const WINDOW_BYTES = 8 * 2 ** 20;
/** Read from the store at once. */
const READ_MESSAGES = 1024;
const READ_BYTES = 2 ** 20;
/** How often old messages are looked for, ms. */
const SWEEP_MS = 10_000;
/** At most so many are dropped at once. */
const SWEEP_MESSAGES = 10_000;
/** What a message takes where there is no store, besides its name, payload and properties, bytes. */
const MESSAGE_BYTES = 32;

/** A message in memory, what it takes of the queue's bytes, and the store's batch with which it is committed. */
interface Waiting extends QueuedMessage {
  readonly bytes: number;
  readonly batch: number;
}

/**
 * What one bridge has to send at QoS 1 and 2, in order, until upstream has taken it: in the store where there is one, or in memory. In the
 * store a million messages take little memory: only those whose turn is near are there, and of the others 12 bytes.
 */
export class BridgeQueue {
  readonly #options: BridgeQueueOptions;
  readonly #store: Store | undefined;
  // In the order of their numbers: those on their way, those in memory, those that only the store has, those that it does not have yet.
  #inFlight = new Map<number, Waiting>();
  #loaded = new Queue<Waiting>();
  readonly #stored: MessageIndex;
  readonly #fresh = new Queue<Waiting>();
  #length: number;
  #bytes: number;
  /** Of those on their way and those in memory. */
  #windowBytes = 0;
  #reading = false;
  /** `next` had nothing. */
  #starved = true;
  /** The last batch that the store was asked to tell of. */
  #awaited = 0;
  readonly #fullness: QueueFullness;
  #sweep: Cancel | undefined;
  #stopped = false;

  constructor(options: BridgeQueueOptions) {
    this.#options = options;
    const { bridge, limits, logger, records, stored = new MessageIndex() } = options;
    this.#store = records.store;
    this.#stored = stored;
    this.#length = stored.length;
    this.#bytes = stored.bytes;
    const consequence =
      limits.whenFull === 'refuse'
        ? 'reliable emits that are for it are refused'
        : 'its oldest messages are dropped';
    this.#fullness = new QueueFullness(bridge, limits, consequence, logger);
    this.#dropOld();
    this.#refill();
  }

  /** Messages that upstream has not taken yet. */
  get length(): number {
    return this.#length;
  }

  /** Of those messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many of them are on their way. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** For how long the oldest one has been here, ms; 0 when there is none. */
  get oldestAgeMs(): number {
    const [first] = this.#inFlight.values();
    const at = first?.at ?? this.#firstAt();
    return at === undefined ? 0 : this.#options.clock.now() - at;
  }

  /** Whether another message with a payload of so many bytes could be taken now. */
  hasRoom(payloadBytes: number): boolean {
    const { limits } = this.#options;
    if (this.#store?.full || payloadBytes > limits.bytes) return false;
    if (limits.whenFull === 'drop_oldest' || this.#fits(payloadBytes)) return true;
    this.#fullness.full(this.#length, this.#bytes);
    return false;
  }

  /**
   * Takes a message, for which `hasRoom` was asked; nothing of it may change any more. Where the oldest are dropped to make room they are
   * counted, and so is this one if it finds none because all others are on their way.
   */
  push({
    name,
    payload,
    qos,
    retain,
    properties,
    via,
    expiresAt,
  }: Omit<QueuedMessage, 'record' | 'at'>): void {
    const { clock, limits, records } = this.#options;
    if (limits.whenFull === 'drop_oldest' && !this.#makeRoom(payload.length))
      return this.#count('queue_full');
    const store = this.#store;
    const at = clock.now();
    const message = {
      record: records.nextRecord(),
      name,
      payload,
      qos,
      retain,
      properties,
      via,
      expiresAt,
      at,
    };
    const bytes = store ? records.add(store, message) : sizeOf(message);
    const waiting = { ...message, bytes, batch: store?.batch ?? 0 };
    this.#length++;
    this.#bytes += bytes;
    if (!store) return this.#load(waiting);
    this.#fresh.push(waiting);
    if (waiting.batch === this.#awaited) return;
    this.#awaited = waiting.batch;
    store.after(waiting.batch, () => this.#committed(store));
  }

  /**
   * The next message to be sent, which is on its way until it is settled. Undefined: there is none for now; `onReady` tells when there is.
   * Only what would survive a power cut is given: otherwise its number might be given to another one after that. What is too old or has
   * expired is dropped and counted.
   */
  next(): QueuedMessage | undefined {
    const now = this.#options.clock.now();
    for (let first = this.#loaded.at(0); first; first = this.#loaded.at(0)) {
      const reason = this.#whyTooLate(first, now);
      if (reason === undefined) {
        this.#loaded.shift();
        this.#inFlight.set(first.record, first);
        this.#refill();
        return first;
      }
      this.#dropFirst(reason);
    }
    this.#starved = true;
    this.#refill();
    return undefined;
  }

  /** Upstream has taken that message, or never will: it is kept no longer. One that is not on its way is left alone. */
  settle(record: number): void {
    const settled = this.#inFlight.get(record);
    if (!settled) return;
    this.#inFlight.delete(record);
    this.#windowBytes -= settled.bytes;
    this.#forget(record, settled.bytes);
    this.#refill();
  }

  /** The connection is lost: what is on its way will be given again, before all others and in order, unless it is dropped until then. */
  rewind(): void {
    const loaded = new Queue<Waiting>();
    for (const message of this.#inFlight.values()) loaded.push(message);
    for (const message of this.#loaded) loaded.push(message);
    this.#loaded = loaded;
    this.#inFlight = new Map();
    this.#ready();
  }

  stop(): void {
    this.#stopped = true;
    this.#sweep?.();
  }

  #fits(payloadBytes: number): boolean {
    const { messages, bytes } = this.#options.limits;
    return this.#length < messages && this.#bytes + payloadBytes <= bytes;
  }

  /** Drops the oldest until there is room; false if there cannot be any. */
  #makeRoom(payloadBytes: number): boolean {
    if (this.#fits(payloadBytes)) return true;
    if (payloadBytes > this.#options.limits.bytes) return false;
    this.#fullness.full(this.#length, this.#bytes);
    for (let dropped = 0; !this.#fits(payloadBytes); dropped++) {
      // Where the limits were higher before a restart: the next ones go on with it.
      if (dropped === SWEEP_MESSAGES) return true;
      if (!this.#dropFirst('queue_full')) return false;
    }
    return true;
  }

  /** When the first message came that is not on its way, on the clock in ms. */
  #firstAt(): number | undefined {
    const loaded = this.#loaded.at(0);
    if (loaded) return loaded.at;
    if (this.#stored.length > 0) return this.#stored.firstAt - this.#offset;
    return this.#fresh.at(0)?.at;
  }

  /** What the store's time is when the clock shows 0, ms. */
  get #offset(): number {
    return this.#store?.time(0) ?? 0;
  }

  #whyTooLate({ at, expiresAt }: Waiting, now: number): 'expired' | 'too_old' | undefined {
    if (expiresAt !== undefined && now >= expiresAt) return 'expired';
    return this.#isOld(at, now) ? 'too_old' : undefined;
  }

  #isOld(at: number, now: number): boolean {
    const { ageMs } = this.#options.limits;
    return ageMs > 0 && now - at > ageMs;
  }

  /** Drops what has waited too long; again every so often. */
  #dropOld(): void {
    const { clock, limits } = this.#options;
    if (limits.ageMs === 0 || this.#stopped) return;
    const now = clock.now();
    for (let dropped = 0; dropped < SWEEP_MESSAGES; dropped++) {
      const at = this.#firstAt();
      if (at === undefined || !this.#isOld(at, now)) {
        this.#sweep = clock.schedule(SWEEP_MS, () => this.#dropOld());
        return;
      }
      this.#dropFirst('too_old');
    }
    // There are more; not before the store has written this down, so that what is to be written is bounded.
    this.#sweep = undefined;
    this.#options.records.settled(() => clock.defer(() => this.#dropOld()));
  }

  /** Drops the first message that is not on its way; false if there is none. */
  #dropFirst(reason: string): boolean {
    if (this.#loaded.length === 0 && this.#stored.length > 0) {
      this.#dropStored(reason);
      return true;
    }
    const inMemory = this.#loaded.length > 0;
    const first = (inMemory ? this.#loaded : this.#fresh).shift();
    if (!first) return false;
    if (inMemory) this.#windowBytes -= first.bytes;
    this.#forget(first.record, first.bytes);
    this.#count(reason);
    return true;
  }

  #dropStored(reason: string): void {
    const { firstRecord, firstBytes } = this.#stored;
    this.#stored.shift();
    this.#forget(firstRecord, firstBytes);
    this.#count(reason);
  }

  #forget(record: number, bytes: number): void {
    this.#length--;
    this.#bytes -= bytes;
    this.#options.records.remove(record);
    this.#fullness.shrunk(this.#length, this.#bytes);
  }

  #count(reason: string): void {
    this.#options.counters.add(`bridges.${this.#options.bridge}.drop.${reason}`);
  }

  #committed(store: Store): void {
    let first = this.#fresh.at(0);
    while (first && first.batch <= store.committed) {
      this.#fresh.shift();
      if (this.#stored.length === 0 && this.#hasWindowFor(first.bytes)) this.#load(first);
      else this.#stored.push(first.record, store.time(first.at), first.bytes);
      first = this.#fresh.at(0);
    }
    this.#refill();
  }

  #load(message: Waiting): void {
    this.#loaded.push(message);
    this.#windowBytes += message.bytes;
    this.#ready();
  }

  #ready(): void {
    if (!this.#starved || this.#loaded.length === 0) return;
    this.#starved = false;
    this.#options.clock.defer(this.#options.onReady);
  }

  get #windowMessages(): number {
    return this.#inFlight.size + this.#loaded.length;
  }

  #hasWindowFor(bytes: number): boolean {
    if (this.#windowMessages === 0) return true;
    return this.#windowMessages < WINDOW_MESSAGES && this.#windowBytes + bytes <= WINDOW_BYTES;
  }

  /** Reads in what comes next, once there is room for a good part. */
  #refill(): void {
    const store = this.#store;
    if (!store || this.#reading || this.#stored.length === 0) return;
    if (this.#windowMessages > WINDOW_MESSAGES / 2 || this.#windowBytes > WINDOW_BYTES / 2) return;
    this.#reading = true;
    const { bridge, logger } = this.#options;
    const { firstRecord, lastRecord } = this.#stored;
    const range = {
      first: bridgeKeys.message(bridge, firstRecord),
      last: bridgeKeys.message(bridge, lastRecord),
      records: READ_MESSAGES,
      bytes: READ_BYTES,
    };
    store.read(range, (found) => {
      this.#reading = false;
      let lost = 0;
      for (const [key, value] of found) {
        const record = recordInKey(key);
        lost += this.#lose(record - 1);
        // Else it was dropped meanwhile.
        if (this.#stored.length > 0 && this.#stored.firstRecord === record && !this.#readIn(record, value))
          lost += this.#lose(record);
      }
      if (found.length === 0) lost += this.#lose(lastRecord);
      if (lost > 0)
        logger.error(
          { bridge, lost },
          `${lost} messages that waited for the bridge ${bridge} cannot be read from the store any more, and are lost: the disk is failing`,
        );
      this.#refill();
    });
  }

  /** False: it is not as it was written. */
  #readIn(record: number, value: Uint8Array | undefined): boolean {
    if (value === undefined) return false;
    let message: QueuedMessage;
    try {
      message = readQueued(record, value, this.#offset);
    } catch {
      return false;
    }
    const bytes = this.#stored.firstBytes;
    this.#stored.shift();
    this.#load({ ...message, bytes, batch: 0 });
    return true;
  }

  /** Those that the store should have, up to this number, are not there: returns how many. */
  #lose(record: number): number {
    let lost = 0;
    for (; this.#stored.length > 0 && this.#stored.firstRecord <= record; lost++) this.#dropStored('damaged');
    return lost;
  }
}

/** What a message takes in memory, about, bytes. */
function sizeOf(message: QueuedMessage): number {
  return MESSAGE_BYTES + Buffer.byteLength(message.name) + message.payload.length + extrasBytes(message);
}
