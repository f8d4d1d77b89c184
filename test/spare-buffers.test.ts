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
  const taken = Array.from({ length: 100 }, () => takeBuffer());
  expect(taken.some(({ buffer }) => buffer === foreign.buffer)).toBe(false);
  expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(100);
  expect(taken.every(({ length }) => length === SPARE_BYTES)).toBe(true);
});

it('hands out no more than it has to', () => {
  const sizes = [1, 8192, 8193, 32_768, 32_769, SPARE_BYTES].map((bytes) => takeBuffer(bytes).length);
  expect(sizes).toEqual([8192, 8192, 32_768, 32_768, SPARE_BYTES, SPARE_BYTES]);
  const small = takeBuffer(10);
  giveBuffer(small.subarray(0, 10));
  expect(takeBuffer(SPARE_BYTES).buffer).not.toBe(small.buffer);
  expect(takeBuffer(20).buffer).toBe(small.buffer);
  expect(() => takeBuffer(SPARE_BYTES + 1)).toThrow(RangeError);
});
