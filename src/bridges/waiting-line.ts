import type { Logger } from 'pino';
import type { Clock } from '../clock.js';
import { Queue } from '../session/queue.js';
import { MessageIndex } from '../store/message-index.js';
import type { Store } from '../store/store.js';
import { type QueueMemory, StoredBacklog } from './stored-backlog.js';
import type { Held, WaitingMessage } from './waiting-message.js';

export interface WaitingLineOptions {
  /** The name of the bridge. */
  readonly bridge: string;
  /** How many may be on their way. */
  readonly window: number;
  /** Of what is to be sent soon, or is on its way, so much is in memory, where there is a store. At least twice the window, however. */
  readonly memory?: QueueMemory;
  readonly store: Store | undefined;
  /** What the store holds already: it stands first. */
  readonly stored?: MessageIndex | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** There is a first one again, after there was none; called by itself, never within another call. */
  readonly onReady: () => void;
  /** The disk has lost that one: it is in the line no more. */
  readonly onDamaged: (message: Held) => void;
}

const MEMORY: QueueMemory = { messages: 8192, bytes: 8 * 2 ** 20 };

/**
 * Messages in the order of their numbers, from those that are on their way to those that just came. Where there is a store, only those whose
 * turn is near are in memory, and of the others 12 bytes; and a message has no turn before it would survive a power cut.
 */
export class WaitingLine {
  readonly #options: WaitingLineOptions;
  readonly #memory: QueueMemory;
  readonly #store: Store | undefined;
  // In their order: those on their way, those in memory, those that only the store has, those that it does not have yet.
  #inFlight = new Map<number, WaitingMessage>();
  #loaded = new Queue<WaitingMessage>();
  readonly #stored: StoredBacklog | undefined;
  readonly #fresh = new Queue<WaitingMessage>();
  /** Of those on their way and those in memory. */
  #memoryBytes = 0;
  /** Somebody looked for the first one, and there was none. */
  #starved = true;
  /** The last batch that the store was asked to tell of. */
  #awaited = 0;

  constructor(options: WaitingLineOptions) {
    this.#options = options;
    const { bridge, memory = MEMORY, window, store, stored = new MessageIndex(), logger } = options;
    this.#memory = { ...memory, messages: Math.max(memory.messages, 2 * window) };
    this.#store = store;
    this.#stored = store && new StoredBacklog(bridge, store, stored, logger);
  }

  /** How many are on their way. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** When the oldest one came, on the clock in ms; undefined when there is none. */
  get oldestAt(): number | undefined {
    const [sent] = this.#inFlight.values();
    const waiting = this.waitingSince;
    // The one that is on its way may have overtaken it.
    return sent && waiting !== undefined ? Math.min(sent.at, waiting) : (sent?.at ?? waiting);
  }

  /** The first of those on their way; else of those in memory. */
  get oldest(): WaitingMessage | undefined {
    const [sent] = this.#inFlight.values();
    return sent ?? this.#loaded.at(0);
  }

  /** Those in memory behind the first one. */
  get behind(): WaitingMessage[] {
    return [...this.#loaded].slice(1);
  }

  /** When the first one came that is not on its way. */
  get waitingSince(): number | undefined {
    return this.#loaded.at(0)?.at ?? this.#stored?.firstAt ?? this.#fresh.at(0)?.at;
  }

  /** Takes the last place for it. */
  push(message: WaitingMessage): void {
    const store = this.#store;
    if (!store) return this.#load(message);
    const { batch } = store;
    message.batch = batch;
    this.#fresh.push(message);
    if (batch === this.#awaited) return;
    this.#awaited = batch;
    store.after(batch, () => this.#committed(store.committed));
  }

  /** The one whose turn it is; undefined if there is none for now: then `onReady` tells when there is. */
  first(): WaitingMessage | undefined {
    const first = this.#loaded.at(0);
    if (first) return first;
    this.#starved = true;
    this.refill();
    return undefined;
  }

  /** The first one is on its way now, until it is settled. */
  send(): void {
    const first = this.#loaded.shift();
    if (!first) return;
    this.#inFlight.set(first.record, first);
    this.refill();
  }

  /** That one, of those in memory, is on its way before others: it is behind them again after `rewind`. */
  sendAhead(message: WaitingMessage): void {
    const others = [...this.#loaded].filter((other) => other !== message);
    this.#loaded = new Queue();
    for (const other of others) this.#loaded.push(other);
    this.#inFlight.set(message.record, message);
  }

  /** Lets go of one that is on its way; undefined if there is none of that number. */
  settle(record: number): Held | undefined {
    const settled = this.#inFlight.get(record);
    if (!settled) return undefined;
    this.#inFlight.delete(record);
    this.#memoryBytes -= settled.bytes;
    return settled;
  }

  /** Lets go of the first one that is not on its way, wherever it is. */
  shift(): Held | undefined {
    const loaded = this.#loaded.shift();
    if (loaded) this.#memoryBytes -= loaded.bytes;
    return loaded ?? this.#stored?.shift() ?? this.#fresh.shift();
  }

  /** Those on their way are the first ones again. */
  rewind(): void {
    const messages = [...this.#inFlight.values(), ...this.#loaded].sort((a, b) => a.record - b.record);
    this.#loaded = new Queue();
    for (const message of messages) this.#loaded.push(message);
    this.#inFlight = new Map();
    this.#ready();
  }

  /** Reads in what comes next, once there is room for a good part. */
  refill(): void {
    if (!this.#stored || this.#stored.length === 0) return;
    const room = this.#room;
    if (2 * room.messages < this.#memory.messages || 2 * room.bytes < this.#memory.bytes) return;
    this.#stored.read(room, (messages, lost) => {
      for (const message of lost) this.#options.onDamaged(message);
      for (const message of messages) this.#load(message);
      this.refill();
    });
  }

  /** All batches until then will survive a power cut. */
  #committed(batch: number): void {
    for (let first = this.#fresh.at(0); first && first.batch <= batch; first = this.#fresh.at(0)) {
      this.#fresh.shift();
      if (this.#mayLoad(first)) this.#load(first);
      else this.#stored?.push(first);
    }
    this.refill();
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
}
