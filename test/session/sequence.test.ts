import { describe, expect, test } from 'vitest';
import { distance, isBefore, after as moved } from '../../src/session/sequence.js';

describe('sequence numbers (PROTOCOL.md §5.2)', () => {
  test('run on from 65535 to 0', () => {
    expect(moved(65_535)).toBe(0);
    expect(moved(65_530, 10)).toBe(4);
    expect(distance(65_530, 4)).toBe(10);
    expect(distance(4, 65_530)).toBe(65_526);
  });

  test.each([
    [0, 0, false],
    [0, 1, true],
    [1, 0, false],
    [0, 32_767, true],
    [0, 32_768, false],
    [65_535, 0, true],
    [65_535, 32_766, true],
    [65_535, 32_767, false],
  ])('%i is before %i: %s', (a, b, expected) => {
    expect(isBefore(a, b)).toBe(expected);
  });
});
