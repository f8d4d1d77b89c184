/** Entries of a chunk. */
const CHUNK = 1024;
/** A chunk holds, of each entry: record and time since its own first, and size. */
const FIELDS = 3;
const MAX_DIFFERENCE = 2 ** 32 - 1;

class Chunk {
  readonly #record: number;
  readonly #at: number;
  readonly #fields = new Uint32Array(CHUNK * FIELDS);
  length = 0;

  constructor(record: number, at: number) {
    this.#record = record;
    this.#at = at;
  }

  /** False: it does not fit here. */
  push(record: number, at: number, bytes: number): boolean {
    const later = at - this.#at;
    if (this.length === CHUNK || record - this.#record > MAX_DIFFERENCE) return false;
    if (later < 0 || later > MAX_DIFFERENCE) return false;
    this.#fields.set([record - this.#record, later, bytes], this.length++ * FIELDS);
    return true;
  }

  record(entry: number): number {
    return this.#record + this.#field(entry, 0);
  }

  at(entry: number): number {
    return this.#at + this.#field(entry, 1);
  }

  bytes(entry: number): number {
    return this.#field(entry, 2);
  }

  #field(entry: number, field: number): number {
    return this.#fields[entry * FIELDS + field] as number;
  }
}

/**
 * Which messages lie in the store, in their order, without what is in them: first in, first out, 12 bytes of memory for each. Times are
 * rounded down to ms.
 */
export class MessageIndex {
  #chunks: Chunk[] = [];
  /** The chunk with the first entry, and its place there. */
  #chunk = 0;
  #entry = 0;
  #length = 0;
  #bytes = 0;

  get length(): number {
    return this.#length;
  }

  /** Of all messages together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The number of the first message. @throws RangeError when there is none */
  get firstRecord(): number {
    return this.#first().record(this.#entry);
  }

  /** When the first message came, ms on the store's clock. @throws RangeError when there is none */
  get firstAt(): number {
    return this.#first().at(this.#entry);
  }

  /** The size of the first message. @throws RangeError when there is none */
  get firstBytes(): number {
    return this.#first().bytes(this.#entry);
  }

  /** The number of the last message. @throws RangeError when there is none */
  get lastRecord(): number {
    const last = this.#chunks.at(-1);
    if (last === undefined) throw new RangeError('it is empty');
    return last.record(last.length - 1);
  }

  /** @throws RangeError when `record` is not above the last one */
  push(record: number, at: number, bytes: number): void {
    if (this.#length > 0 && record <= this.lastRecord) throw new RangeError('it is out of order');
    if (!this.#chunks.at(-1)?.push(record, at, bytes)) {
      const chunk = new Chunk(record, Math.floor(at));
      chunk.push(record, at, bytes);
      this.#chunks.push(chunk);
    }
    this.#length++;
    this.#bytes += bytes;
  }

  /** Removes the first message. @throws RangeError when there is none */
  shift(): void {
    const chunk = this.#first();
    this.#bytes -= this.firstBytes;
    this.#length--;
    this.#entry++;
    if (this.#entry < chunk.length) return;
    this.#entry = 0;
    this.#chunk++;
    if (this.#length === 0 || this.#chunk > 64) {
      this.#chunks = this.#chunks.slice(this.#chunk);
      this.#chunk = 0;
    }
  }

  #first(): Chunk {
    const chunk = this.#length > 0 ? this.#chunks[this.#chunk] : undefined;
    if (chunk === undefined) throw new RangeError('it is empty');
    return chunk;
  }
}
