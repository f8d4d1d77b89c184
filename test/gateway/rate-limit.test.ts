import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { QuietLogger } from '../../src/gateway/quiet-logger.js';
import { RateLimit } from '../../src/gateway/rate-limit.js';
import { VirtualClock } from '../support/virtual-clock.js';

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

it('a quiet logger leaves out what is too much, and says how much that was', () => {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const quiet = new QuietLogger(logger, clock);
  for (let n = 0; n < 1000; n++) quiet.info({}, `line ${n}`);
  expect(lines).toHaveLength(200);
  clock.advance(1000);
  for (let n = 0; n < 1000; n++) quiet.warn({}, `later ${n}`);
  expect(lines.slice(200, 202)).toEqual(['800 lines about peers were left out', 'later 0']);
  expect(lines).toHaveLength(200 + 1 + 20);
});
