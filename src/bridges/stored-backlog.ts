import type { Logger } from 'pino';
import { bridgeKeys, readQueued, recordInKey } from '../store/bridge-records.js';
import type { MessageIndex } from '../store/message-index.js';
import type { Store } from '../store/store.js';
import { type Held, WaitingMessage } from './waiting-message.js';

/** Read from the store at once: more would keep others waiting. */
const READ_MESSAGES = 1024;
const READ_BYTES = 2 ** 20;

export interface QueueMemory {
  readonly messages: number;
  readonly bytes: number;
}

/** The part of a bridge's queue that only the store has: of what is in there, number, time and size are in memory. */
export class StoredBacklog {
  readonly #bridge: string;
  readonly #store: Store;
  readonly #index: MessageIndex;
  readonly #logger: Logger;
  #reading = false;

  /** `index`: what is in the store already, in order; it goes on with it as its own. */
  constructor(bridge: string, store: Store, index: MessageIndex, logger: Logger) {
    this.#bridge = bridge;
    this.#store = store;
    this.#index = index;
    this.#logger = logger;
  }

  get length(): number {
    return this.#index.length;
  }

  /** When the first one came, on the clock in ms; undefined when there is none. */
  get firstAt(): number | undefined {
    return this.length > 0 ? this.#index.firstAt - this.#offset : undefined;
  }

  /** Takes over one that is committed, behind all others. */
  push({ record, at, bytes }: WaitingMessage): void {
    this.#index.push(record, at + this.#offset, bytes);
  }

  /** Lets go of the first one: the store still has it. */
  shift(): Held | undefined {
    if (this.length === 0) return undefined;
    const { firstRecord: record, firstBytes: bytes } = this.#index;
    this.#index.shift();
    return { record, bytes };
  }

  /**
   * Reads the first ones, no more than there is room for and some hundreds, and lets go of them; unless it is doing so already, or there are
   * none. `done` is also told those that the disk has lost: the log says so.
   */
  read(room: QueueMemory, done: (messages: readonly WaitingMessage[], lost: readonly Held[]) => void): void {
    if (this.#reading || this.length === 0) return;
    this.#reading = true;
    const last = this.#index.lastRecord;
    const range = {
      first: bridgeKeys.message(this.#bridge, this.#index.firstRecord),
      last: bridgeKeys.message(this.#bridge, last),
      records: Math.min(READ_MESSAGES, room.messages),
      bytes: Math.min(READ_BYTES, room.bytes),
    };
    this.#store.read(range, (found) => {
      this.#reading = false;
      const messages: WaitingMessage[] = [];
      const lost: Held[] = [];
      for (const [key, value] of found) {
        const record = recordInKey(key);
        lost.push(...this.#shiftBefore(record));
        // Else it was let go of meanwhile.
        if (this.length === 0 || this.#index.firstRecord > record) continue;
        const { firstBytes: bytes } = this.#index;
        this.#index.shift();
        const message = value && this.#read(record, value, bytes);
        if (message) messages.push(message);
        else lost.push({ record, bytes });
      }
      if (found.length === 0) lost.push(...this.#shiftBefore(last + 1));
      if (lost.length > 0) this.#sayLost(lost.length);
      done(messages, lost);
    });
  }

  #read(record: number, value: Uint8Array, bytes: number): WaitingMessage | undefined {
    try {
      const message = readQueued(value, this.#offset);
      const waiting = new WaitingMessage(message, record, message.at);
      waiting.bytes = bytes;
      return waiting;
    } catch {
      return undefined;
    }
  }

  /** What should have been there. */
  *#shiftBefore(record: number): Generator<Held> {
    while (this.length > 0 && this.#index.firstRecord < record) {
      const first = this.shift();
      if (first) yield first;
    }
  }

  #sayLost(lost: number): void {
    this.#logger.error(
      { bridge: this.#bridge, lost },
      `${lost} messages that waited for the bridge ${this.#bridge} cannot be read from the store any more: they are lost, for the disk is failing`,
    );
  }

  /** What the store's time is when the clock shows 0, ms. */
  get #offset(): number {
    return this.#store.time(0);
  }
}
