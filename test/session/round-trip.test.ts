import { describe, expect, test } from 'vitest';
import { RoundTrip } from '../../src/session/round-trip.js';

describe('the resend timer (PROTOCOL.md §5.4, §9)', () => {
  test('is 250 ms before a round trip is known', () => {
    expect(new RoundTrip().timeout()).toBe(250);
  });

  test('is RFC 6298 with the acknowledgement delay on top', () => {
    const roundTrip = new RoundTrip();
    roundTrip.sample(100);
    // SRTT 100, RTTVAR 50: 100 + 4 × 50 + 20.
    expect(roundTrip.timeout()).toBe(320);
    roundTrip.sample(180);
    // RTTVAR 3/4 × 50 + 1/4 × 80 = 57.5, SRTT 7/8 × 100 + 1/8 × 180 = 110: 110 + 230 + 20.
    expect(roundTrip.timeout()).toBe(360);
    expect(roundTrip.smoothed).toBe(110);
    expect(roundTrip.shortest).toBe(100);
  });

  test('is never under 30 ms', () => {
    const roundTrip = new RoundTrip();
    for (let i = 0; i < 100; i++) roundTrip.sample(0);
    expect(roundTrip.timeout()).toBe(30);
  });

  test.each([
    ['a network', false, 8000],
    ['a line of its own', true, 1000],
  ])('doubles with each expiry, up to the longest of %s', (_what, ownLine, longest) => {
    const roundTrip = new RoundTrip();
    roundTrip.restart(ownLine);
    const timeouts: number[] = [];
    for (let i = 0; i < 12; i++) {
      timeouts.push(roundTrip.timeout());
      roundTrip.expired();
    }
    expect(timeouts.slice(0, 3)).toEqual([250, 500, 1000]);
    expect(timeouts.at(-1)).toBe(longest);
  });

  test('is short again as soon as something is acknowledged', () => {
    const roundTrip = new RoundTrip();
    for (let i = 0; i < 40; i++) roundTrip.expired();
    roundTrip.progressed();
    expect(roundTrip.timeout()).toBe(250);
  });
});

test('an answer to a PING corrects what was measured while the line stood still, and makes nothing worse', () => {
  const trip = new RoundTrip();
  trip.sample(3000);
  for (let i = 0; i < 40; i++) trip.atMost(50);
  expect(trip.shortest).toBe(50);
  expect(trip.smoothed).toBeLessThan(100);
  const before = [trip.smoothed, trip.timeout()];
  trip.atMost(5000);
  expect([trip.smoothed, trip.timeout()]).toEqual(before);
});
