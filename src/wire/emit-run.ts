import { HEAD } from './head.js';
import { varintAt, varintSize, writeVarint } from './varint.js';
import type { Writer } from './writer.js';

/** So many messages at most are handled in one piece: nobody is to wait long for that. */
const MAX_RUN = 64;
/** The head of each message in a run, but for G: QoS 0, with L, without R, N and F (PROTOCOL.md §3.1). */
const RUN_HEAD = HEAD.ALWAYS | HEAD.LENGTH;

/**
 * Emits of QoS 0 that stand one after the other in a packet, on one channel by one id, without R, each with L. What is the same for
 * all of them is found out once, and a receiver's copy of them is made at once.
 */
export class EmitRun {
  readonly id: number;
  readonly gatewayId: boolean;
  /** How many messages: two at least. */
  readonly count: number;
  /** The size of the longest message, without L, bytes. */
  readonly longest: number;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;

  private constructor(
    bytes: Uint8Array,
    start: number,
    end: number,
    id: number,
    count: number,
    longest: number,
  ) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.id = id;
    this.gatewayId = ((bytes[start] as number) & HEAD.GATEWAY_ID) !== 0;
    this.count = count;
    this.longest = longest;
  }

  /** The run that begins at `start`, where a message does, in a packet that was checked; undefined if there are not two such messages. */
  static at(bytes: Uint8Array, start: number): EmitRun | undefined {
    const head = bytes[start] as number;
    if ((head & ~HEAD.GATEWAY_ID) !== RUN_HEAD) return undefined;
    const { value: id } = varintAt(bytes, varintAt(bytes, start + 1).next);
    let end = start;
    let count = 0;
    let longest = 0;
    while (count < MAX_RUN && bytes[end] === head) {
      const { value: length, next } = varintAt(bytes, end + 1);
      if (varintAt(bytes, next).value !== id) break;
      if (length >= longest) longest = 1 + length;
      end = next + length;
      count++;
    }
    return count < 2 ? undefined : new EmitRun(bytes, start, end, id, count, longest);
  }

  /** Bytes of all of it. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Where in its packet the next message begins. */
  get end(): number {
    return this.#end;
  }

  /** The payloads, in order: views of the packet, copy what is kept. */
  *[Symbol.iterator](): Generator<Uint8Array, void> {
    const idSize = varintSize(this.id);
    for (let at = this.#start; at < this.#end; ) {
      const { value: length, next } = varintAt(this.#bytes, at + 1);
      at = next + length;
      yield this.#bytes.subarray(next + idSize, at);
    }
  }

  /** Whether it can be given that id: one that is as long, so that no message changes its length. */
  takesId(id: number): boolean {
    return varintSize(id) === varintSize(this.id);
  }

  /** Writes all of it under another id, which it `takesId`. */
  writeTo(out: Writer, id: number, gatewayId: boolean): void {
    out.reserve(this.length);
    let { at } = out;
    out.raw(this.#bytes.subarray(this.#start, this.#end));
    if (id === this.id && gatewayId === this.gatewayId) return;
    const head = RUN_HEAD | (gatewayId ? HEAD.GATEWAY_ID : 0);
    while (at < out.at) {
      out.bytes[at] = head;
      const { value: length, next } = varintAt(out.bytes, at + 1);
      writeVarint(out.bytes, next, id);
      at = next + length;
    }
  }
}
