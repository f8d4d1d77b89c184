/** Sequence numbers: 16 bits, compared modulo 65 536 (PROTOCOL.md §5.2). */

export const SEQUENCE_HALF = 0x8000;

export function after(seq: number, steps = 1): number {
  return (seq + steps) & 0xffff;
}

/** Steps from `from` forward to `to`, 0 to 65 535. */
export function distance(from: number, to: number): number {
  return (to - from) & 0xffff;
}

export function isBefore(a: number, b: number): boolean {
  const steps = distance(a, b);
  return steps > 0 && steps < SEQUENCE_HALF;
}
