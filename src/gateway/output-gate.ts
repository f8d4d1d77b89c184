import type { WayOut } from '../session/driver.js';
import { Queue } from '../session/queue.js';
import type { Store } from '../store/store.js';

interface Held {
  readonly batch: number;
  readonly packet: Uint8Array;
}

/**
 * Output commit: a packet leaves only when the state that it reflects will survive a power cut (PROTOCOL.md §5.1). Packets
 * keep their order.
 */
export class OutputGate implements WayOut {
  readonly #store: Store;
  readonly #record: { readonly mark: number };
  readonly #wayOut: WayOut;
  readonly #released: () => void;
  readonly #held = new Queue<Held>();
  #bytes = 0;
  /** The last batch that the store was asked to tell of. */
  #awaited = 0;

  /** `record` tells which batch a packet that is built now has to wait for, `released` that nothing waits any more. */
  constructor(store: Store, record: { readonly mark: number }, wayOut: WayOut, released: () => void) {
    this.#store = store;
    this.#record = record;
    this.#wayOut = wayOut;
    this.#released = released;
  }

  /** Whether packets wait. However long the disk takes, what waits for it is no more than what was made at once. */
  get blocked(): boolean {
    return this.#held.length > 0;
  }

  /** Of the packets that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Sends `packet` once the store has what it tells. */
  send(packet: Uint8Array): void {
    const batch = this.#record.mark;
    if (this.#held.length === 0 && batch <= this.#store.committed) return this.#wayOut.send(packet);
    this.#held.push({ batch, packet });
    this.#bytes += packet.length;
    if (batch <= this.#awaited) return;
    this.#awaited = batch;
    this.#store.after(batch, () => this.#release());
  }

  /** The link is gone: what waited is not sent any more. */
  close(): void {
    this.#held.drain();
    this.#bytes = 0;
  }

  #release(): void {
    if (!this.blocked) return;
    for (let next = this.#held.at(0); next && next.batch <= this.#store.committed; next = this.#held.at(0)) {
      this.#held.shift();
      this.#bytes -= next.packet.length;
      this.#wayOut.send(next.packet);
    }
    if (!this.blocked) this.#released();
  }
}
