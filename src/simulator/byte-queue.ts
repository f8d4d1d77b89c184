/** Bytes that wait, first in first out, at most as many as it was made for. */
export class ByteQueue {
  readonly #limit: number;
  #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#length;
  }

  /** Copies as many bytes as there is room for, the first ones, and returns how many that were. */
  push(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.#limit - this.#length);
    if (taken > 0) this.#chunks.push(bytes.slice(0, taken));
    this.#length += taken;
    return taken;
  }

  shift(): number | undefined {
    const [first] = this.#chunks;
    this.#drop(1);
    return first?.[0];
  }

  /** Moves at most `into.length` bytes there and returns how many that were. */
  take(into: Uint8Array): number {
    let moved = 0;
    for (let first = this.#chunks[0]; first && moved < into.length; first = this.#chunks[0]) {
      const part = first.subarray(0, into.length - moved);
      into.set(part, moved);
      moved += part.length;
      this.#drop(part.length);
    }
    return moved;
  }

  clear(): void {
    this.#chunks = [];
    this.#length = 0;
  }

  /** Drops `count` bytes of the first chunk. */
  #drop(count: number): void {
    const [first] = this.#chunks;
    if (first === undefined) return;
    if (first.length === count) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(count);
    this.#length -= count;
  }
}
