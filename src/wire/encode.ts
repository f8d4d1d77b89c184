import { takeBuffer } from '../spare-buffers.js';
import { HEAD, headOf } from './head.js';
import type { Message } from './messages.js';
import { lengthSize, messageSize } from './size.js';
import { varintAt } from './varint.js';
import { type EmitHeader, writeBody, writeLongEmit, writeLongHead } from './write-body.js';
import { unencodable, Writer } from './writer.js';

export { emitSize, messageSize } from './size.js';
export { type EmitHeader, writeLongEmit } from './write-body.js';

/** Smaller packets lie in buffers of their own. */
const SMALL_PACKET_BYTES = 1024;
/** To copy a packet of so many bytes takes longer than to get another buffer. */
const LARGE_PACKET_BYTES = 32_768;

/** Gathers messages into packets of at most `maxPacket` bytes. Each is encoded as it is added, and may change afterwards. */
export class PacketBuilder {
  maxPacket = 0;
  #maxFirstLength = Number.POSITIVE_INFINITY;
  readonly #out = new Writer();
  #count = 0;
  /** Where the last message begins, and how many bytes its L added. */
  #last = 0;
  #lastLength = 0;

  constructor(maxPacket = 0, maxFirstLength?: number) {
    this.start(maxPacket, maxFirstLength);
  }

  /**
   * Begins a packet, whatever was left of another. `maxFirstLength`: the greatest length that a first message with L may
   * have; MAX_SERIAL_FIRST_LENGTH on a serial line (§8).
   */
  start(maxPacket: number, maxFirstLength = Number.POSITIVE_INFINITY): void {
    this.maxPacket = maxPacket;
    this.#maxFirstLength = maxFirstLength;
    this.#out.at = 0;
    this.#count = 0;
    this.#last = 0;
    this.#lastLength = 0;
  }

  get empty(): boolean {
    return this.#count === 0;
  }

  /** Bytes that the packet would have if it were finished now: its last message goes without L. */
  get length(): number {
    return this.#out.at - this.#lastLength;
  }

  /** Bytes that the packet would have with a message of `size` bytes (`messageSize`) more. */
  lengthWith(size: number): number {
    return this.#out.at + size;
  }

  /**
   * Puts a message at the packet's end. False when it does not fit: then nothing has changed.
   * @throws SlipwayError `unencodable` when a field does not fit the protocol: then the packet is as it was
   */
  add(message: Message): boolean {
    const size = messageSize(message);
    if (!this.#takes(size)) return false;
    const out = this.#out;
    const start = out.at;
    try {
      writeLongHead(out, headOf(message), size);
      writeBody(out, message);
    } catch (error) {
      out.at = start;
      throw error;
    }
    this.#added(start, size);
    return true;
  }

  /** Puts an emit at the packet's end, given its `size` without L. False when it does not fit: then nothing has changed. */
  addEmit(emit: EmitHeader, payload: Uint8Array, size: number): boolean {
    if (!this.#takes(size)) return false;
    const start = this.#out.at;
    writeLongEmit(this.#out, emit, payload, size);
    this.#added(start, size);
    return true;
  }

  /**
   * Puts messages at the packet's end that are encoded already, each with L, between `at` and `end` of `run`: as many as fit, and
   * as do not make it longer than `limit` unless it is the first.
   * @returns where in the run the first message begins that was not taken, and how many were
   */
  addRun(run: Uint8Array, at: number, end: number, limit: number): { next: number; count: number } {
    const out = this.#out;
    let next = at;
    let count = 0;
    // Only the ends are looked for here: all that is taken is copied at once.
    while (next < end) {
      const { value: length, next: start } = varintAt(run, next + 1);
      const before = out.at + next - at;
      const whole = before + 1 + length;
      if (whole > this.maxPacket || (before > 0 && whole > limit)) break;
      if (this.#count + count === 1 && before - 1 - this.#lastLength > this.#maxFirstLength) break;
      this.#last = before;
      this.#lastLength = start - next - 1;
      next = start + length;
      count++;
    }
    out.reserve(next - at);
    out.raw(run.subarray(at, next));
    this.#count += count;
    return { next, count };
  }

  /**
   * The packet, in fresh bytes; the builder is empty again.
   * @throws SlipwayError `unencodable` when it is empty
   */
  finish(): Uint8Array {
    if (this.#count === 0) throw unencodable('a packet holds at least one message');
    const start = this.#dropLastLength();
    const packet = Buffer.from(this.#out.bytes.subarray(start, this.#out.at));
    this.start(this.maxPacket, this.#maxFirstLength);
    return packet;
  }

  /**
   * As `finish`, but all except small packets lie in spare buffers, large ones without being copied: whoever has it sent calls
   * `giveBuffer` with it, or it is collected in time. It may lie in up to eight times as much memory as it has bytes.
   */
  finishInPlace(): Uint8Array {
    const { length } = this;
    if (length < SMALL_PACKET_BYTES) return this.finish();
    if (length < LARGE_PACKET_BYTES) return this.#finishIn(takeBuffer(length).subarray(0, length));
    const packet = this.#out.surrender(this.#dropLastLength());
    this.start(this.maxPacket, this.#maxFirstLength);
    return packet;
  }

  #finishIn(packet: Buffer): Uint8Array {
    const start = this.#dropLastLength();
    packet.set(this.#out.bytes.subarray(start, this.#out.at));
    this.start(this.maxPacket, this.#maxFirstLength);
    return packet;
  }

  /** Whether a message of `size` bytes fits. */
  #takes(size: number): boolean {
    if (this.lengthWith(size) > this.maxPacket) return false;
    const first = this.#out.at - 1 - this.#lastLength;
    return this.#count !== 1 || first <= this.#maxFirstLength;
  }

  #added(start: number, size: number): void {
    this.#last = start;
    this.#lastLength = lengthSize(size);
    this.#count++;
  }

  /** Takes the L of the last message away, by moving what is shorter: what comes before or after. Returns where the packet begins. */
  #dropLastLength(): number {
    const out = this.#out;
    const { bytes, at } = out;
    const last = this.#last;
    const gap = this.#lastLength;
    bytes[last] = (bytes[last] as number) & ~HEAD.LENGTH;
    if (last < at - last) {
      bytes.copyWithin(gap, 0, last + 1);
      return gap;
    }
    bytes.copyWithin(last + 1, last + 1 + gap, at);
    out.at -= gap;
    return 0;
  }
}

const BUILDER = new PacketBuilder(Number.POSITIVE_INFINITY);

/**
 * One packet of these messages, at least one: L on all but the last (PROTOCOL.md §2, §3). The bytes are fresh: they share nothing with the messages.
 * @throws SlipwayError `unencodable` when a field does not fit the protocol
 */
export function encodePacket(messages: readonly Message[]): Uint8Array {
  BUILDER.start(Number.POSITIVE_INFINITY);
  for (const message of messages) BUILDER.add(message);
  return BUILDER.finish();
}
