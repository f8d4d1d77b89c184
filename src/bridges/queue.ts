import type { Logger } from 'pino';
import type { Cancel, Clock } from '../clock.js';
import { extrasBytes } from '../router/message.js';
import { Queue } from '../session/queue.js';
import { MessageIndex } from '../store/message-index.js';
import type { Store } from '../store/store.js';
import type { BridgeCounts } from './counts.js';
import { QueueFullness } from './queue-fullness.js';
import type { BridgeRecords } from './records.js';
import { type QueueMemory, StoredBacklog } from './stored-backlog.js';
import type { QueuedMessage } from './upstream.js';
import { type Held, WaitingMessage } from './waiting-message.js';

export interface BridgeQueueLimits {
  readonly messages: number;
  /** Of all messages: what they take in the store. */
  readonly bytes: number;
  /** How long a message may wait, ms; 0 for ever. */
  readonly ageMs: number;
  readonly whenFull: 'refuse' | 'drop_oldest';
}

export interface BridgeQueueOptions {
  /** The name of the bridge. */
  readonly bridge: string;
  readonly limits: BridgeQueueLimits;
  /** How many may be on their way. */
  readonly window: number;
  /** Of what is to be sent soon, or is on its way, so much is in memory, where there is a store. At least twice the window, however. */
  readonly memory?: QueueMemory;
  readonly records: BridgeRecords;
  /** What the store of `records` holds already; the queue goes on with it as its own. */
  readonly stored?: MessageIndex | undefined;
  readonly clock: Clock;
  /** Told of drops: `queue_full`, `too_old`, `expired`, `damaged`. */
  readonly counts: Pick<BridgeCounts, 'drop'>;
  readonly logger: Logger;
  /** `next` has something again, after it had nothing; called by itself, never within another call. */
  readonly onReady: () => void;
}

const MEMORY: QueueMemory = { messages: 8192, bytes: 8 * 2 ** 20 };
/** How often old messages are looked for, ms. */
const SWEEP_MS = 10_000;
/** At most so many are dropped at once. */
const DROP_MESSAGES = 10_000;
/** What a message takes where there is no store, besides its name, payload and properties, bytes. */
const MESSAGE_BYTES = 32;

/**
 * What one bridge has to send at QoS 1 and 2, in order, until upstream has taken it: in the store where there is one, or in memory. In the
 * store a million messages take little memory: only those whose turn is near are there, and of the others 12 bytes.
 */
export class BridgeQueue {
  readonly #options: BridgeQueueOptions;
  readonly #memory: QueueMemory;
  readonly #store: Store | undefined;
  // In the order of their numbers: those on their way, those in memory, those that only the store has, those that it does not have yet.
  #inFlight = new Map<number, WaitingMessage>();
  #loaded = new Queue<WaitingMessage>();
  readonly #stored: StoredBacklog | undefined;
  readonly #fresh = new Queue<WaitingMessage>();
  #length: number;
  #bytes: number;
  /** Of those on their way and those in memory. */
  #memoryBytes = 0;
  /** `next` had nothing. */
  #starved = true;
  /** The last batch that the store was asked to tell of. */
  #awaited = 0;
  readonly #fullness: QueueFullness;
  /** Dropped as too old since that was said. */
  #tooOld = 0;
  #sweep: Cancel | undefined;
  #stopped = false;

  constructor(options: BridgeQueueOptions) {
    this.#options = options;
    const { memory = MEMORY, window } = options;
    this.#memory = { ...memory, messages: Math.max(memory.messages, 2 * window) };
    const { bridge, limits, logger, records, stored = new MessageIndex() } = options;
    this.#length = stored.length;
    this.#bytes = stored.bytes;
    this.#store = records.store;
    this.#stored = this.#store && new StoredBacklog(bridge, this.#store, stored, logger);
    this.#fullness = new QueueFullness(bridge, limits, logger);
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

  /** It had no room, and has not got much since. */
  get full(): boolean {
    return this.#fullness.full;
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
    this.#fullness.noRoom(this.#length, this.#bytes);
    return false;
  }

  /** Whether half of it is empty, which is kept for what comes: what can be had again later waits for that. */
  get isHalfEmpty(): boolean {
    const { messages, bytes } = this.#options.limits;
    return this.#store?.full !== true && this.#length * 2 < messages && this.#bytes * 2 < bytes;
  }

  /**
   * Takes a message, for which `hasRoom` was asked; nothing of it may change any more. Where the oldest are dropped to make room they are
   * counted, and so is this one if it finds none because all others are on their way.
   */
  push(message: Omit<QueuedMessage, 'record' | 'at'>): void {
    const { clock, counts, limits, records } = this.#options;
    if (limits.whenFull === 'drop_oldest' && !this.#makeRoom(message.payload.length))
      return counts.drop('queue_full');
    const store = this.#store;
    const waiting = new WaitingMessage(message, records.nextRecord(), clock.now());
    waiting.bytes = store ? records.add(store, waiting) : sizeOf(waiting);
    this.#length++;
    this.#bytes += waiting.bytes;
    if (!store) return this.#load(waiting);
    const { batch } = store;
    waiting.batch = batch;
    this.#fresh.push(waiting);
    if (batch === this.#awaited) return;
    this.#awaited = batch;
    store.after(batch, () => this.#committed(store.committed));
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
    this.#memoryBytes -= settled.bytes;
    this.#forget(settled);
    this.#fullness.shrunk(this.#length, this.#bytes);
    this.#refill();
  }

  /** The connection is lost: what is on its way will be given again, before all others and in order, unless it is dropped until then. */
  rewind(): void {
    const loaded = new Queue<WaitingMessage>();
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
    this.#fullness.noRoom(this.#length, this.#bytes);
    for (let dropped = 0; !this.#fits(payloadBytes); dropped++) {
      // Where the limits were higher before a restart: the next ones go on with it.
      if (dropped === DROP_MESSAGES) return true;
      if (!this.#dropFirst('queue_full')) return false;
    }
    return true;
  }

  /** When the first message came that is not on its way, on the clock in ms. */
  #firstAt(): number | undefined {
    return this.#loaded.at(0)?.at ?? this.#stored?.firstAt ?? this.#fresh.at(0)?.at;
  }

  #whyTooLate({ at, expiresAt }: WaitingMessage, now: number): 'expired' | 'too_old' | undefined {
    if (expiresAt !== undefined && now >= expiresAt) return 'expired';
    return this.#isOld(at, now) ? 'too_old' : undefined;
  }

  #isOld(at: number, now: number): boolean {
    const { ageMs } = this.#options.limits;
    return ageMs > 0 && now - at > ageMs;
  }

  /** Drops what has waited too long; again every so often. */
  #dropOld(): void {
    const { clock, limits, records } = this.#options;
    if (limits.ageMs === 0 || this.#stopped) return;
    const now = clock.now();
    for (let dropped = 0; dropped < DROP_MESSAGES; dropped++) {
      const at = this.#firstAt();
      if (at === undefined || !this.#isOld(at, now)) {
        this.#sayOld();
        this.#sweep = clock.schedule(SWEEP_MS, () => this.#dropOld());
        return;
      }
      this.#dropFirst('too_old');
    }
    // There are more; but not before the store has written this down: what it has to write is bounded.
    records.settled(() => clock.defer(() => this.#dropOld()));
  }

  #sayOld(): void {
    const { bridge, logger } = this.#options;
    const dropped = this.#tooOld;
    this.#tooOld = 0;
    if (dropped > 0)
      logger.warn(
        { bridge, dropped },
        `${dropped} messages for the bridge ${bridge} have waited too long, and are dropped (bridges.queue.age)`,
      );
  }

  /** Drops the first message that is not on its way; false if there is none. */
  #dropFirst(reason: string): boolean {
    const loaded = this.#loaded.shift();
    if (loaded) this.#memoryBytes -= loaded.bytes;
    const first = loaded ?? this.#stored?.shift() ?? this.#fresh.shift();
    if (!first) return false;
    this.#drop(first, reason);
    return true;
  }

  #drop(message: Held, reason: string): void {
    this.#forget(message);
    this.#options.counts.drop(reason);
    if (reason === 'too_old') this.#tooOld++;
    if (reason !== 'queue_full') this.#fullness.shrunk(this.#length, this.#bytes);
  }

  #forget({ record, bytes }: Held): void {
    this.#length--;
    this.#bytes -= bytes;
    this.#options.records.remove(record);
  }

  /** All batches until then will survive a power cut. */
  #committed(batch: number): void {
    for (let first = this.#fresh.at(0); first && first.batch <= batch; first = this.#fresh.at(0)) {
      this.#fresh.shift();
      if (this.#mayLoad(first)) this.#load(first);
      else this.#stored?.push(first);
    }
    this.#refill();
  }

  #load(message: WaitingMessage): void {
    this.#loaded.push(message);
    this.#memoryBytes += message.bytes;
    this.#ready();
  }

  #ready(): void {
    if (!this.#starved || this.#loaded.length === 0) return;
    this.#starved = false;
    this.#options.clock.defer(this.#options.onReady);
  }

  /** Room in memory for what comes next. */
  get #room(): QueueMemory {
    const { messages, bytes } = this.#memory;
    return {
      messages: messages - this.#inFlight.size - this.#loaded.length,
      bytes: bytes - this.#memoryBytes,
    };
  }

  #mayLoad({ bytes }: Held): boolean {
    if (!this.#stored || this.#stored.length > 0) return !this.#stored;
    const room = this.#room;
    return this.#memoryBytes === 0 || (room.messages > 0 && room.bytes >= bytes);
  }

  /** Reads in what comes next, once there is room for a good part. */
  #refill(): void {
    if (!this.#stored || this.#stored.length === 0) return;
    const room = this.#room;
    if (2 * room.messages < this.#memory.messages || 2 * room.bytes < this.#memory.bytes) return;
    this.#stored.read(room, (messages, lost) => {
      for (const message of lost) this.#drop(message, 'damaged');
      for (const message of messages) this.#load(message);
      this.#refill();
    });
  }
}

/** What a message takes in memory, about, bytes. */
function sizeOf(message: QueuedMessage): number {
  return MESSAGE_BYTES + Buffer.byteLength(message.name) + message.payload.length + extrasBytes(message);
}
