import { randomBytes } from 'node:crypto';
import { bridgeKeys, type StoredBridge, writeBridgeState, writeQueued } from '../store/bridge-records.js';
import type { Recorded, Store } from '../store/store.js';
import type { QueuedMessage, UpstreamRecords } from './upstream.js';

/** What is kept of one bridge, in the store or, without one, in memory: who it is, where its numbers stand, what its upstream keeps. */
export class BridgeRecords implements Recorded, UpstreamRecords {
  /** Random: with the number of a message it names that message to upstream. Without a store every process has another one. */
  readonly instance: string;
  readonly store: Store | undefined;
  readonly #bridge: string;
  readonly #upstream: Map<string, Uint8Array>;
  #lastRecord: number;
  #messages: number;

  /** `stored`: what the store holds of it already. */
  constructor(bridge: string, store?: Store, stored?: StoredBridge) {
    this.#bridge = bridge;
    this.store = store;
    this.instance = stored?.state.instance ?? randomBytes(9).toString('base64url');
    this.#lastRecord = stored?.state.lastRecord ?? 0;
    this.#messages = stored?.messages.length ?? 0;
    this.#upstream = new Map(stored?.upstream);
    store?.changed(this);
  }

  /** The number for another message: above all that there were, also before a restart. */
  nextRecord(): number {
    this.store?.changed(this);
    return ++this.#lastRecord;
  }

  /** Keeps a message in `store`; returns how many bytes it takes there. */
  add(store: Store, message: QueuedMessage): number {
    const value = writeQueued(message, store.time(0));
    store.put(bridgeKeys.message(this.#bridge, message.record), value);
    store.changed(this);
    this.#messages++;
    return value.length;
  }

  /** A message that was added needs to be kept no longer. */
  remove(record: number): void {
    if (!this.store) return;
    this.store.delete(bridgeKeys.message(this.#bridge, record));
    this.store.changed(this);
    this.#messages--;
  }

  /** @internal called by the store */
  record(): void {
    const records = this.#messages + this.#upstream.size;
    const state = { instance: this.instance, lastRecord: this.#lastRecord, records };
    this.store?.put(bridgeKeys.state(this.#bridge), writeBridgeState(state));
  }

  entries(): Iterable<readonly [key: string, value: Uint8Array]> {
    return this.#upstream;
  }

  get(key: string): Uint8Array | undefined {
    return this.#upstream.get(key);
  }

  /** `value` must not change any more. */
  put(key: string, value: Uint8Array): void {
    this.#upstream.set(key, value);
    this.store?.put(bridgeKeys.upstream(this.#bridge, key), value);
    this.store?.changed(this);
  }

  delete(key: string): void {
    if (!this.#upstream.delete(key)) return;
    this.store?.delete(bridgeKeys.upstream(this.#bridge, key));
    this.store?.changed(this);
  }

  settled(task: () => void): void {
    if (this.store) this.store.settled(task);
    else task();
  }
}
