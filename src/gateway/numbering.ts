import { after } from '../session/sequence.js';
import { keys, writeNumbering } from '../store/records.js';
import type { Store } from '../store/store.js';

/** Where a numbering stood when its session ended: enough to tell what had arrived (PROTOCOL.md §4.3, *known*). */
export interface Numbering {
  readonly nonce: number;
  readonly token: number;
  readonly nextIn: number;
  readonly nextOut: number;
  /** What was taken behind `nextIn`, which a refusal kept from being acknowledged: a bitmap as an ACK's (§4.3). */
  readonly taken: Uint8Array;
}

/** Numberings of ended sessions by identity; the oldest make room. */
export class RememberedNumberings {
  readonly #capacity: number;
  readonly #store: Store | undefined;
  readonly #forgotten: (identity: string) => void;
  readonly #numberings = new Map<string, Numbering>();

  /** `forgotten` hears of each that made room. */
  constructor(capacity: number, store: Store | undefined, forgotten: (identity: string) => void) {
    this.#capacity = capacity;
    this.#store = store;
    this.#forgotten = forgotten;
  }

  remember(identity: string, numbering: Numbering): void {
    this.#store?.put(keys.numbering(identity), writeNumbering(numbering));
    this.restore(identity, numbering);
  }

  /** Takes up one that the store kept. */
  restore(identity: string, numbering: Numbering): void {
    this.#numberings.delete(identity);
    this.#numberings.set(identity, numbering);
    for (const oldest of this.#numberings.keys()) {
      if (this.#numberings.size <= this.#capacity) return;
      this.#numberings.delete(oldest);
      this.#store?.delete(keys.numbering(oldest));
      this.#forgotten(oldest);
    }
  }

  of(identity: string): Numbering | undefined {
    return this.#numberings.get(identity);
  }
}

/**
 * From one numbering to the next: the golden section of all numbers. Not only the last numbering is far away then, but each of
 * the last dozen (2 260 numbers at least): a board that resets again and again is not brought back to where it was.
 */
const NUMBERING_STEP = 40_503;

/** The first number of a new numbering, so far from older ones that nothing late is taken for new (PROTOCOL.md §4.3). */
export function farFrom(old: number | undefined, random32: () => number): number {
  return old === undefined ? random32() & 0xffff : after(old, NUMBERING_STEP);
}
