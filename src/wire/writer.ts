import { SlipwayError } from '../errors.js';
import { MAX_VARINT } from './limits.js';
import { writeVarint } from './varint.js';

/**
 * Writes fields one after the other. Every method throws a SlipwayError `unencodable` rather than write a value that
 * would be read back as another: what is sent is never malformed.
 */
export class Writer {
  readonly bytes: Buffer;
  #at = 0;

  /** `size`: bytes that will be written in all. */
  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  u8(value: number, field: string): void {
    this.bytes[this.#at++] = checked(value, 0, 0xff, field);
  }

  u16(value: number, field: string): void {
    checked(value, 0, 0xffff, field);
    this.bytes[this.#at++] = value >>> 8;
    this.bytes[this.#at++] = value;
  }

  u32(value: number, field: string, min = 0): void {
    this.#at = this.bytes.writeUInt32BE(checked(value, min, 0xffff_ffff, field), this.#at);
  }

  u48(value: number, field: string): void {
    this.#at = this.bytes.writeUIntBE(checked(value, 0, 0xffff_ffff_ffff, field), this.#at, 6);
  }

  varint(value: number, field: string, min = 0, max = MAX_VARINT): void {
    this.#at = writeVarint(this.bytes, this.#at, checked(value, min, max, field));
  }

  raw(value: Uint8Array): void {
    this.bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** UTF-8 that reaches to the end of the message. */
  text(value: string, minBytes: number, maxBytes: number, field: string): void {
    const length = this.bytes.write(value, this.#at);
    this.#at += checkedLength(length, minBytes, maxBytes, field);
  }

  /** UTF-8 behind its length in one byte. */
  shortText(value: string, minBytes: number, maxBytes: number, field: string): void {
    const length = this.bytes.write(value, this.#at + 1);
    this.bytes[this.#at] = checkedLength(length, minBytes, maxBytes, field);
    this.#at += 1 + length;
  }
}

function checked(value: number, min: number, max: number, field: string): number {
  if (!(value >= min && value <= max && Number.isInteger(value))) {
    throw unencodable(`${field} must be an integer from ${min} to ${max}, not ${value}`);
  }
  return value;
}

function checkedLength(length: number, min: number, max: number, field: string): number {
  if (length < min || length > max) {
    throw unencodable(`${field} must have ${min} to ${max} bytes of UTF-8, not ${length}`);
  }
  return length;
}

/** For a message that the protocol has no bytes for: a mistake of the program that made it. */
export function unencodable(problem: string): SlipwayError {
  return new SlipwayError('unencodable', `cannot encode this message: ${problem}`);
}
