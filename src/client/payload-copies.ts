/** Small payloads lie in pieces of so many bytes together: that is what keeping one of them for long may cost. */
const PIECE_BYTES = 2048;
/** A larger payload has memory of its own. */
const SMALL_BYTES = 256;

/** Copies of payloads for a program to keep. Memory for each small one would take longer than all else that is done for it. */
export class PayloadCopies {
  #piece = new Uint8Array();
  #filled = 0;

  copy(payload: Uint8Array): Uint8Array {
    const { length } = payload;
    if (length > SMALL_BYTES) return new Uint8Array(payload);
    if (this.#filled + length > this.#piece.length) {
      this.#piece = new Uint8Array(PIECE_BYTES);
      this.#filled = 0;
    }
    const start = this.#filled;
    this.#piece.set(payload, start);
    this.#filled = start + length;
    return new Uint8Array(this.#piece.buffer, start, length);
  }
}
