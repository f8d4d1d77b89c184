import { describe, expect, it } from 'vitest';
import { RateLimit } from '../../src/links/rate-limit.js';

function taken(limit: RateLimit, party: string, times: number, now: number): number {
  return Array.from({ length: times }, () => limit.take(party, now)).filter(Boolean).length;
}

describe('a rate limit', () => {
  it('lets ten seconds’ worth through at once, then so many a second', () => {
    const limit = new RateLimit(5);
    expect(taken(limit, 'a', 100, 0)).toBe(50);
    expect(taken(limit, 'a', 100, 1000)).toBe(5);
    expect(taken(limit, 'a', 100, 1100)).toBe(0);
    expect(taken(limit, 'a', 100, 60_000)).toBe(50);
  });

  it('counts each party for itself', () => {
    const limit = new RateLimit(1);
    expect(taken(limit, 'a', 20, 0)).toBe(10);
    expect(taken(limit, 'b', 20, 0)).toBe(10);
  });

  it('remembers a bounded number of parties: who was heard lately is not forgotten for a flood of others', () => {
    const limit = new RateLimit(1);
    taken(limit, 'steady', 10, 0);
    taken(limit, 'gone', 10, 0);
    for (let n = 0; n < 30_000; n++) {
      limit.take(`flood ${n}`, 0);
      if (n % 5000 === 0) expect(limit.take('steady', 0)).toBe(false);
    }
    expect(limit.take('gone', 0)).toBe(true);
  });
});
