import { after, SEQUENCE_HALF } from '../session/sequence.js';

/** Where a numbering stood when its session ended: enough to tell what had arrived (PROTOCOL.md §4.3, *known*). */
export interface Numbering {
  readonly nonce: number;
  readonly token: number;
  readonly nextIn: number;
  readonly nextOut: number;
}

/** Numberings of ended sessions by identity; the oldest make room. */
export class RememberedNumberings {
  readonly #capacity: number;
  readonly #numberings = new Map<string, Numbering>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  remember(identity: string, numbering: Numbering): void {
    this.#numberings.delete(identity);
    this.#numberings.set(identity, numbering);
    if (this.#numberings.size > this.#capacity) {
      for (const oldest of this.#numberings.keys()) {
        this.#numberings.delete(oldest);
        break;
      }
    }
  }

  of(identity: string): Numbering | undefined {
    return this.#numberings.get(identity);
  }
}

/** The first number of a new numbering: as far from the old one as can be, so that nothing late is taken for new. */
export function farFrom(old: number | undefined, random32: () => number): number {
  return old === undefined ? random32() & 0xffff : after(old, SEQUENCE_HALF);
}
