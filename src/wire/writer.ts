import { SlipwayError } from '../errors.js';
import { giveBuffer, SPARE_BYTES, takeBuffer } from '../spare-buffers.js';
import { MAX_VARINT } from './limits.js';
import { writeVarint } from './varint.js';

/** What a writer begins with, bytes; it grows to what it is used for. Little: one emit may fill the backlogs of very many. */
const FIRST_BYTES = 256;
/** Beyond this it takes a spare buffer. */
const LARGE_BYTES = 4096;

/**
 * Writes fields one after the other from `at` on, where `reserve` made room. Every method throws a SlipwayError `unencodable`
 * rather than write a value that would be read back as another: what is sent is never malformed.
 */
export class Writer {
  bytes: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  at = 0;

  /** What was written, from `start` on. The writer gives up its bytes, and begins anew with others. */
  surrender(start: number): Buffer {
    const written = this.bytes.subarray(start, this.at);
    this.bytes = takeBuffer();
    this.at = 0;
    return written;
  }

  /** Makes room for `size` bytes from `at` on. */
  reserve(size: number): void {
    const needed = this.at + size;
    if (needed <= this.bytes.length) return;
    const pooled = needed > LARGE_BYTES && needed <= SPARE_BYTES;
    const grown = pooled ? takeBuffer(needed) : Buffer.allocUnsafe(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.at));
    giveBuffer(this.bytes);
    this.bytes = grown;
  }

  u8(value: number, field: string): void {
    this.bytes[this.at++] = checked(value, 0, 0xff, field);
  }

  u16(value: number, field: string): void {
    checked(value, 0, 0xffff, field);
    this.bytes[this.at++] = value >>> 8;
    this.bytes[this.at++] = value;
  }

  u32(value: number, field: string, min = 0): void {
    this.at = this.bytes.writeUInt32BE(checked(value, min, 0xffff_ffff, field), this.at);
  }

  u48(value: number, field: string): void {
    this.at = this.bytes.writeUIntBE(checked(value, 0, 0xffff_ffff_ffff, field), this.at, 6);
  }

  varint(value: number, field: string, min = 0, max = MAX_VARINT): void {
    checked(value, min, max, field);
    if (value < 0x80) this.bytes[this.at++] = value;
    else this.at = writeVarint(this.bytes, this.at, value);
  }

  raw(value: Uint8Array): void {
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  /** UTF-8 that reaches to the end of the message. */
  text(value: string, minBytes: number, maxBytes: number, field: string): void {
    const length = this.bytes.write(value, this.at);
    this.at += checkedLength(length, minBytes, maxBytes, field);
  }

  /** UTF-8 behind its length in one byte. */
  shortText(value: string, minBytes: number, maxBytes: number, field: string): void {
    const length = this.bytes.write(value, this.at + 1);
    this.bytes[this.at] = checkedLength(length, minBytes, maxBytes, field);
    this.at += 1 + length;
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
