import { SlipwayError } from '../../errors.js';

const FIRST_BYTES = 1024;
const MAX_VARINT = 268_435_455;

/**
 * Writes fields one after the other, and grows as it must. Every method throws a SlipwayError `unencodable` rather than write a
 * value that would be read back as another.
 */
export class Writer {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #at = 0;

  get length(): number {
    return this.#at;
  }

  /** What was written: a view, valid until more is. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  clear(): void {
    this.#at = 0;
  }

  /** Takes back all but the first `length` bytes. */
  cut(length: number): void {
    this.#at = length;
  }

  u8(value: number, field: string): void {
    checked(value, 0, 0xff, field);
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  u16(value: number, field: string, min = 0): void {
    checked(value, min, 0xffff, field);
    const at = this.#room(2);
    this.#bytes.writeUInt16BE(value, at);
  }

  u32(value: number, field: string, min = 0): void {
    checked(value, min, 0xffff_ffff, field);
    const at = this.#room(4);
    this.#bytes.writeUInt32BE(value, at);
  }

  /** A variable byte integer (MQTT 5, 1.5.5). */
  varint(value: number, field: string, min = 0): void {
    checked(value, min, MAX_VARINT, field);
    const at = this.#room(varintSize(value));
    writeVarint(this.#bytes, at, value);
  }

  /** Text behind its length: at most 65,535 bytes of UTF-8 (1.5.4). */
  text(value: string, field: string): void {
    const length = textLength(value, field);
    const at = this.#room(2 + length);
    this.#bytes.writeUInt16BE(length, at);
    this.#bytes.write(value, at + 2);
  }

  /** Bytes behind their length, at most 65,535 (1.5.6). */
  binary(value: Uint8Array, field: string): void {
    this.u16(value.length, `the length of ${field}`);
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
  }

  /** Makes room for so many bytes; returns where they go. */
  #room(count: number): number {
    const at = this.#at;
    this.#at = at + count;
    if (this.#at > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(2 * this.#at);
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    return at;
  }
}

/** Bytes of UTF-8, 0 to 65,535; lone surrogates and U+0000 have none in MQTT [MQTT-1.5.4-1], [MQTT-1.5.4-2]. */
export function textLength(value: string, field: string): number {
  const length = Buffer.byteLength(value);
  if (length > 0xffff) throw unencodable(`${field} has ${length} bytes, not 65,535 at most`);
  if (value.includes('\0')) throw unencodable(`${field} has a null character`);
  if (length !== value.length && /\p{Surrogate}/u.test(value))
    throw unencodable(`${field} is not well-formed`);
  return length;
}

/** Bytes that a value up to 268,435,455 takes as a variable byte integer. */
export function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
}

/** Returns the index after it. */
export function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 0x80) {
    target[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[next++] = rest;
  return next;
}

export function checked(value: number, min: number, max: number, field: string): number {
  if (!(value >= min && value <= max && Number.isInteger(value))) {
    throw unencodable(`${field} must be an integer from ${min} to ${max}, not ${value}`);
  }
  return value;
}

/** For a packet that MQTT has no bytes for: a mistake of the program that made it. */
export function unencodable(problem: string): SlipwayError {
  return new SlipwayError('unencodable', `cannot encode this packet: ${problem}`);
}
