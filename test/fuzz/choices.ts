/** An input read as decisions. Once it is used up every decision is 0. */
export class Choices {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  u16(): number {
    return (this.u8() << 8) | this.u8();
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16();
  }

  /** 0 up to, not including, `bound`, which is 256 at most. */
  below(bound: number): number {
    return this.u8() % bound;
  }

  flag(): boolean {
    return (this.u8() & 1) !== 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  /** So many bytes, or as many as are left. */
  bytes(count: number): Uint8Array {
    const start = Math.min(this.#at, this.#bytes.length);
    this.#at += count;
    return this.#bytes.slice(start, start + count);
  }
}
