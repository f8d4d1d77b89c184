import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessageIndex } from '../../src/store/message-index.js';

/** Times go back and records leap: then a message begins a part of its own. */
const step = fc.record({
  shifts: fc.nat(3),
  leap: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 ** 40 })),
  at: fc.oneof(fc.nat(1000), fc.integer({ min: -1e12, max: 1e13 })),
  bytes: fc.nat(2 ** 31),
});

test('gives back what was put in, in order, however far numbers and times leap', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 100 }), (steps, repeat) => {
      const index = new MessageIndex();
      const model: { record: number; at: number; bytes: number }[] = [];
      let record = 0;
      for (const { shifts, leap, at, bytes } of steps) {
        // Often more than a chunk of them.
        for (let i = 0; i < repeat; i++) {
          record += leap;
          index.push(record, at + i + 0.25, bytes);
          model.push({ record, at: at + i, bytes });
        }
        for (let i = 0; i < shifts * repeat && model.length > 0; i++) {
          const { firstRecord, firstAt, firstBytes } = index;
          expect({ record: firstRecord, at: firstAt, bytes: firstBytes }).toEqual(model.shift());
          index.shift();
        }
        expect(index.length).toBe(model.length);
        expect(index.bytes).toBe(model.reduce((sum, message) => sum + message.bytes, 0));
        if (model.length > 0) expect(index.lastRecord).toBe(record);
      }
    }),
    { numRuns: 50 },
  );
});

test('refuses what is out of order, and has nothing when it is empty', () => {
  const index = new MessageIndex();
  expect(() => index.firstRecord).toThrow(RangeError);
  expect(() => index.lastRecord).toThrow(RangeError);
  expect(() => index.shift()).toThrow(RangeError);
  index.push(5, 0, 1);
  expect(() => index.push(5, 0, 1)).toThrow(/out of order/);
  expect(index.length).toBe(1);
});
