import { expect, it } from 'vitest';
import { giveBuffer, SPARE_BYTES, takeBuffer } from '../src/spare-buffers.js';

it('hands out what was given back, whole, also if only a part came back', () => {
  const first = takeBuffer();
  expect(first).toHaveLength(SPARE_BYTES);
  const other = takeBuffer();
  expect(other.buffer).not.toBe(first.buffer);
  giveBuffer(first.subarray(10, 20));
  const again = takeBuffer();
  expect(again.buffer).toBe(first.buffer);
  expect(again).toHaveLength(SPARE_BYTES);
});

it('takes no buffer that it did not hand out', () => {
  const foreign = Buffer.allocUnsafeSlow(SPARE_BYTES);
  giveBuffer(foreign);
  giveBuffer(Buffer.allocUnsafe(10));
  const taken = Array.from({ length: 100 }, takeBuffer);
  expect(taken.some(({ buffer }) => buffer === foreign.buffer)).toBe(false);
  expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(100);
  expect(taken.every(({ length }) => length === SPARE_BYTES)).toBe(true);
});
