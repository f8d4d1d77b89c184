import { BenchFailure } from '../row.js';

/** What every payload begins with: its place in the publisher's cycle, the publisher, and two words that check these. */
export const STAMP_BYTES = 16;
const MARK = 0x534c4950;

/** The payload of one message, which says whose it is, and which. `bytes`: 16 at least. */
export function writePayload(payload: Buffer, publisher: number, index: number): void {
  for (let at = STAMP_BYTES; at < payload.length; at++) payload[at] = fill(at);
  payload.writeUInt32BE(index, 0);
  payload.writeUInt32BE(publisher, 4);
  payload.writeUInt32BE(~index >>> 0, 8);
  payload.writeUInt32BE((publisher ^ MARK) >>> 0, 12);
}

/** Differs from its neighbours, and from a block to the next. */
const fill = (at: number): number => (at * 31 + (at >> 8)) & 0xff;

/** Counts what one subscriber receives, and checks it: every byte, and that each publisher's messages are all there and in order. */
export class Tally {
  received = 0;
  readonly #subscriber: number;
  readonly #payloadBytes: number;
  readonly #block: number;
  readonly #cycle: number;
  /** By publisher: which message comes next. */
  readonly #next: Uint32Array;
  readonly #filling: Buffer;
  readonly #blockDone: (publisher: number, subscriber: number) => void;

  /** `blockDone` is called when the last message of a publisher's block has come. */
  constructor(
    subscriber: number,
    load: { publishers: number; payloadBytes: number; block: number; cycle: number },
    blockDone: (publisher: number, subscriber: number) => void,
  ) {
    this.#subscriber = subscriber;
    this.#payloadBytes = load.payloadBytes;
    this.#block = load.block;
    this.#cycle = load.block * load.cycle;
    this.#next = new Uint32Array(load.publishers);
    const payload = Buffer.alloc(load.payloadBytes);
    writePayload(payload, 0, 0);
    this.#filling = payload.subarray(STAMP_BYTES);
    this.#blockDone = blockDone;
  }

  /**
   * The payload that lies at `start` to `end` in the view's buffer.
   * @throws BenchFailure when it is not the one that had to come
   */
  take(view: DataView, start: number, end: number): void {
    if (end - start !== this.#payloadBytes)
      throw new BenchFailure(`a payload of ${this.#payloadBytes} bytes came with ${end - start}`);
    const publisher = view.getUint32(start + 4);
    const index = view.getUint32(start);
    if (
      view.getUint32(start + 8) !== ~index >>> 0 ||
      view.getUint32(start + 12) !== (publisher ^ MARK) >>> 0 ||
      publisher >= this.#next.length ||
      (end - start > STAMP_BYTES && !this.#filling.equals(bytesOf(view, start + STAMP_BYTES, end)))
    )
      throw new BenchFailure(`a payload came changed: ${bytesOf(view, start, end).toString('hex', 0, 64)}`);
    const expected = this.#next[publisher] as number;
    if (index !== expected)
      throw new BenchFailure(`message ${index} of publisher ${publisher} came where ${expected} should have`);
    this.received++;
    const next = index + 1;
    this.#next[publisher] = next === this.#cycle ? 0 : next;
    if (next % this.#block === 0) this.#blockDone(publisher, this.#subscriber);
  }
}

function bytesOf(view: DataView, start: number, end: number): Buffer {
  return Buffer.from(view.buffer, view.byteOffset + start, end - start);
}
