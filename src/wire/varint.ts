import { MAX_VARINT } from './limits.js';

/** Bytes that `value`, 0 to 268 435 455, takes as a varint: 1 to 4 (PROTOCOL.md §1). */
export function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
}

/**
 * Writes `value` as a varint at index `at` and returns the index after it.
 * @throws RangeError when `value` is not an integer from 0 to 268 435 455
 */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  if (!(value >= 0 && value <= MAX_VARINT && Number.isInteger(value))) {
    throw new RangeError(`a varint holds an integer from 0 to ${MAX_VARINT}, not ${value}`);
  }
  let rest = value;
  let next = at;
  while (rest >= 0x80) {
    target[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[next++] = rest;
  return next;
}

/** Reads the varint at index `at`, of bytes that were checked, and says where what follows it begins. */
export function varintAt(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  let next = at;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[next++] as number;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value, next };
  }
}
