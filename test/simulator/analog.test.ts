import { expect, test } from 'vitest';
import { roomTemperature } from '../../src/simulator/analog.js';

test('a room goes from 17 to 27 °C and back in a minute', () => {
  const volts = roomTemperature(() => 0.5);
  expect([0, 15_000, 30_000, 45_000, 60_000].map((ms) => Math.round((volts(0, ms) - 0.5) * 100))).toEqual([
    22, 27, 22, 17, 22,
  ]);
  expect(volts(2, 0)).toBeCloseTo(volts(0, 15_000));
});

test('noise is two steps of a 10-bit converter at most', () => {
  const step = 5 / 1024;
  const spread = roomTemperature(() => 0.999)(0, 0) - roomTemperature(() => 0)(0, 0);
  expect(spread).toBeGreaterThan(step);
  expect(spread).toBeLessThan(2.1 * step);
});
