import { MAX_LENGTH_BYTES, TYPE } from '../../mqtt/wire/types.js';

const NOTHING: Buffer = Buffer.alloc(0);
/** Of a PUBLISH that is too large so much is looked at: what its acknowledgement has to name, and its name for the log. */
const HEAD_BYTES = 2 + 65_535 + 2;

/** Bytes that no broker of MQTT sends. */
export class NotMqtt extends Error {}

/**
 * Cuts what a broker sends into packets. Holds what has come of the one that is not complete, never more than the largest that is taken.
 * Of a PUBLISH that is larger only the beginning is shown.
 */
export class PacketSplitter {
  /** The first byte of the packet that `next` found. */
  head = 0;
  /** What follows its length lies in these, from `at` to `end`; the whole of it from `start`. */
  bytes = NOTHING;
  start = 0;
  at = 0;
  end = 0;
  /** How large the packet is, if it is larger than what is taken and this is its beginning; else 0. */
  oversize = 0;

  readonly #maxBytes: number;
  /** What was pushed and is not taken; all but the first only while that is no complete packet. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** What must be there before it is worth looking. */
  #needed = 0;
  #chunk = NOTHING;
  #taken = 0;
  /** The rest of a packet that is too large. */
  #skip = 0;
  #isFirst = true;

  /** `maxBytes`: the largest packet that is taken, with its head. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Puts what was read behind what is left.
   * @throws NotMqtt
   */
  push(chunk: Buffer): void {
    if (this.#isFirst) this.#checkFirst(chunk);
    const bytes = this.#skipped(chunk);
    if (bytes.length === 0) return;
    this.#parts.push(bytes);
    this.#partBytes += bytes.length;
  }

  /**
   * Whether there is another packet. What it shows is valid until `next` or `push` is called.
   * @throws NotMqtt
   */
  next(): boolean {
    for (;;) {
      if (this.#taken < this.#chunk.length && this.#cut()) return true;
      if (this.#partBytes === 0 || !this.#gather()) return false;
    }
  }

  /** Whoever speaks something else is known by the first byte, and may never send what would be a whole packet. */
  #checkFirst(chunk: Buffer): void {
    this.#isFirst = false;
    if ((chunk[0] as number) >> 4 === TYPE.connack) return;
    const words = chunk
      .toString('latin1', 0, 40)
      .replace(/[^ -~]+/g, ' ')
      .trim();
    throw new NotMqtt(`it begins with ${JSON.stringify(words)}`);
  }

  /** Makes one chunk of what has come, if that could hold a packet. */
  #gather(): boolean {
    const left = this.#chunk.subarray(this.#taken);
    if (left.length + this.#partBytes < this.#needed) return false;
    this.#chunk =
      left.length === 0 && this.#parts.length === 1
        ? (this.#parts[0] as Buffer)
        : Buffer.concat([left, ...this.#parts]);
    this.#taken = 0;
    this.#needed = 0;
    this.#parts = [];
    this.#partBytes = 0;
    return true;
  }

  /** Takes a packet from the chunk, if the whole of it is there. */
  #cut(): boolean {
    const { start, length, at } = this.#header();
    if (at === 0) return false;
    const size = at - start + length;
    const tooLarge = size > this.#maxBytes;
    const head = this.#chunk[start] as number;
    if (tooLarge && head >> 4 !== TYPE.publish)
      throw new NotMqtt(`a packet of type ${head >> 4} has ${size} bytes`);
    const shown = tooLarge ? Math.min(length, HEAD_BYTES) : length;
    const end = at + shown;
    if (end > this.#chunk.length) {
      this.#needed = end - start;
      return false;
    }
    this.head = head;
    this.bytes = this.#chunk;
    this.start = start;
    this.at = at;
    this.end = end;
    this.oversize = tooLarge ? size : 0;
    this.#taken = end;
    this.#skip = length - shown;
    if (this.#skip > 0) this.#skipGathered();
    return true;
  }

  /** `at` is 0 when the packet's length is not there yet. */
  #header(): { readonly start: number; readonly length: number; readonly at: number } {
    const start = this.#taken;
    let length = 0;
    for (let count = 0; count < MAX_LENGTH_BYTES; count++) {
      const at = start + 1 + count;
      const byte = this.#chunk[at];
      if (byte === undefined) {
        this.#needed = at + 1 - start;
        return { start, length, at: 0 };
      }
      length |= (byte & 0x7f) << (7 * count);
      if (byte < 0x80) return { start, length, at: at + 1 };
    }
    throw new NotMqtt(`the length of a packet has more than ${MAX_LENGTH_BYTES} bytes`);
  }

  #skipGathered(): void {
    const here = Math.min(this.#skip, this.#chunk.length - this.#taken);
    this.#taken += here;
    this.#skip -= here;
    this.#parts = this.#parts.map((part) => this.#skipped(part));
    this.#partBytes = this.#parts.reduce((sum, part) => sum + part.length, 0);
  }

  /** What is left of bytes that came, without what is skipped. */
  #skipped(bytes: Buffer): Buffer {
    const skip = Math.min(this.#skip, bytes.length);
    this.#skip -= skip;
    return bytes.subarray(skip);
  }
}
