import type { Logger } from 'pino';
import type { Cancel, Clock } from '../clock.js';
import { extrasBytes } from '../router/message.js';
import type { MessageIndex } from '../store/message-index.js';
import type { Store } from '../store/store.js';
import type { BridgeCounts } from './counts.js';
import { QueueFullness } from './queue-fullness.js';
import type { BridgeRecords } from './records.js';
import type { QueueMemory } from './stored-backlog.js';
import type { QueuedMessage } from './upstream.js';
import { WaitingLine } from './waiting-line.js';
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
  /** How much of it is in memory: see `WaitingLine`. */
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

/** How often old messages are looked for, ms. */
const SWEEP_MS = 10_000;
/** At most so many are dropped at once. */
const DROP_MESSAGES = 10_000;
/** What a message takes where there is no store, besides its name, payload and properties, bytes. */
const MESSAGE_BYTES = 32;

/**
 * What one bridge has to send at QoS 1 and 2, in order, until upstream has taken it: in the store where there is one, or in memory. It keeps
 * to its bounds, and drops what has waited too long.
 */
export class BridgeQueue {
  readonly #options: BridgeQueueOptions;
  readonly #store: Store | undefined;
  readonly #line: WaitingLine;
  #length: number;
  #bytes: number;
  readonly #fullness: QueueFullness;
  /** Dropped as too old since that was said. */
  #tooOld = 0;
  #sweep: Cancel | undefined;
  #stopped = false;

  constructor(options: BridgeQueueOptions) {
    this.#options = options;
    const { bridge, limits, logger, records, stored } = options;
    this.#length = stored?.length ?? 0;
    this.#bytes = stored?.bytes ?? 0;
    this.#store = records.store;
    this.#line = new WaitingLine({
      ...options,
      store: records.store,
      onDamaged: (message) => this.#drop(message, 'damaged'),
    });
    this.#fullness = new QueueFullness(bridge, limits, logger);
    this.#dropOld();
    this.#line.refill();
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
    return this.#line.inFlight;
  }

  /** It had no room, and has not got much since. */
  get full(): boolean {
    return this.#fullness.full;
  }

  /** For how long the oldest one has been here, ms; 0 when there is none. */
  get oldestAgeMs(): number {
    const at = this.#line.oldestAt;
    return at === undefined ? 0 : this.#options.clock.now() - at;
  }

  /** The first of those on their way; else of those in memory. */
  get oldest(): QueuedMessage | undefined {
    return this.#line.oldest;
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
    this.#line.push(waiting);
  }

  /**
   * The next message to be sent, which is on its way until it is settled. Undefined: there is none for now; `onReady` tells when there is.
   * Only what would survive a power cut is given: otherwise its number might be given to another one after that. What is too old or has
   * expired is dropped and counted.
   */
  next(): QueuedMessage | undefined {
    const now = this.#options.clock.now();
    for (let first = this.#line.first(); first; first = this.#line.first()) {
      const reason = this.#whyTooLate(first, now);
      if (reason === undefined) {
        this.#line.send();
        return first;
      }
      this.#dropFirst(reason);
    }
    return undefined;
  }

  /** As `next`, of those in memory the first one behind the oldest with another name than these: it overtakes those before it. */
  nextBeside(names: ReadonlySet<string>): QueuedMessage | undefined {
    const now = this.#options.clock.now();
    const found = this.#line.behind.find(
      (message) => !names.has(message.name) && this.#whyTooLate(message, now) === undefined,
    );
    if (found) this.#line.sendAhead(found);
    return found;
  }

  /** Upstream has taken that message, or never will: it is kept no longer. One that is not on its way is left alone. */
  settle(record: number): void {
    const settled = this.#line.settle(record);
    if (!settled) return;
    this.#forget(settled);
    this.#fullness.shrunk(this.#length, this.#bytes);
    this.#line.refill();
  }

  /** The connection is lost: what is on its way will be given again, before all others and in order, unless it is dropped until then. */
  rewind(): void {
    this.#line.rewind();
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
      const at = this.#line.waitingSince;
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
    const first = this.#line.shift();
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
}

/** What a message takes in memory, about, bytes. */
function sizeOf(message: QueuedMessage): number {
  return MESSAGE_BYTES + Buffer.byteLength(message.name) + message.payload.length + extrasBytes(message);
}
