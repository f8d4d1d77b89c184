import { isUtf8 } from 'node:buffer';
import { MAX_VARINT, MAX_VARINT_BYTES } from './limits.js';
import { MalformedPacket, type MalformedReason } from './malformed.js';

/** Strict: throws on bytes that are not UTF-8, and takes U+FEFF at the start for a character like any other. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads the fields of one message after the other, from `at` up to `end`, the message's end. Every method throws a
 * MalformedPacket rather than read past `end` or return a value out of its range.
 */
export class Reader {
  readonly bytes: Uint8Array;
  at = 0;
  end: number;
  /** Where the message that is being read begins. */
  start = 0;
  /** The head of the message that is being read, and what is wrong if its fields do not fit. */
  head = 0;
  reason: MalformedReason = 'malformed';

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.end = bytes.length;
  }

  u8(field: string): number {
    return this.bytes[this.#take(1, field)] as number;
  }

  u16(field: string): number {
    const at = this.#take(2, field);
    return ((this.bytes[at] as number) << 8) | (this.bytes[at + 1] as number);
  }

  u32(field: string): number {
    return this.u16(field) * 0x1_0000 + this.u16(field);
  }

  u48(field: string): number {
    return this.u16(field) * 0x1_0000_0000 + this.u32(field);
  }

  /** A field that must lie in a range narrower than its bytes. `at` is where it began. */
  within(value: number, min: number, max: number, field: string, at: number): number {
    if (value < min || value > max) throw this.malformed(`${field} is ${value}, not ${min} to ${max}`, at);
    return value;
  }

  /** §1: at most 4 bytes and as short as possible. */
  varint(field: string, min = 0, max = MAX_VARINT): number {
    const start = this.at;
    const first = this.bytes[start] as number;
    // Nearly all are of one byte.
    if (first < 0x80 && start < this.end) {
      this.at = start + 1;
      return this.within(first, min, max, field, start);
    }
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.u8(field);
      value |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        if (byte === 0 && i > 0) throw this.malformed(`${field} is not written as short as possible`, start);
        return this.within(value, min, max, field, start);
      }
    }
    throw this.malformed(`${field} has more than ${MAX_VARINT_BYTES} bytes`, start);
  }

  /** What is left of the message: a view of the packet, not a copy. */
  rest(maxBytes = Number.POSITIVE_INFINITY, field = 'the rest'): Uint8Array {
    const at = this.at;
    this.#checkLength(this.end - at, 0, maxBytes, field);
    this.at = this.end;
    return this.bytes.subarray(at, this.end);
  }

  /** UTF-8 that reaches to the message's end. */
  text(minBytes: number, maxBytes: number, field: string): string {
    return this.utf8(this.end - this.at, minBytes, maxBytes, field);
  }

  /** UTF-8 behind its length in one byte. */
  shortText(minBytes: number, maxBytes: number, field: string): string {
    return this.utf8(this.u8(field), minBytes, maxBytes, field);
  }

  /** UTF-8 of so many bytes. */
  utf8(length: number, minBytes: number, maxBytes: number, field: string): string {
    this.#checkLength(length, minBytes, maxBytes, field);
    const at = this.#take(length, field);
    try {
      return UTF8.decode(this.bytes.subarray(at, at + length));
    } catch {
      throw this.malformed(`${field} is not UTF-8`, at);
    }
  }

  /** So many bytes: a view of the packet, not a copy. */
  part(count: number, field: string): Uint8Array {
    const at = this.#take(count, field);
    return this.bytes.subarray(at, at + count);
  }

  /** Throws where `shortText` would. */
  skipShortText(minBytes: number, maxBytes: number, field: string): void {
    const length = this.u8(field);
    this.#checkLength(length, minBytes, maxBytes, field);
    const at = this.#take(length, field);
    if (!isUtf8(this.bytes.subarray(at, this.at))) throw this.malformed(`${field} is not UTF-8`, at);
  }

  skip(count: number, field: string): void {
    this.#take(count, field);
  }

  malformed(problem: string, at = this.at): MalformedPacket {
    return new MalformedPacket(this.reason, this.head, at, problem);
  }

  #checkLength(length: number, min: number, max: number, field: string): void {
    if (length < min || length > max)
      throw this.malformed(`${field} has ${length} bytes, not ${min} to ${max}`);
  }

  #take(count: number, field: string): number {
    const at = this.at;
    if (at + count > this.end) throw this.malformed(`${field} is cut short by the end of the message`);
    this.at = at + count;
    return at;
  }
}
