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
