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
export class OutputGate {
  readonly #store: Store;
  readonly #send: (packet: Uint8Array) => void;
  readonly #released: () => void;
  readonly #held = new Queue<Held>();
  #bytes = 0;
  /** The last batch that the store was asked to tell of. */
  #awaited = 0;

  /** `released`: nothing waits any more. */
  constructor(store: Store, send: (packet: Uint8Array) => void, released: () => void) {
    this.#store = store;
    this.#send = send;
    this.#released = released;
  }

  /** Whether packets wait. */
  get blocked(): boolean {
    return this.#held.length > 0;
  }

  /** Of the packets that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Sends `packet` once `batch` is committed. */
  pass(packet: Uint8Array, batch: number): void {
    if (this.#held.length === 0 && batch <= this.#store.committed) return this.#send(packet);
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
      this.#send(next.packet);
    }
    if (!this.blocked) this.#released();
  }
}
