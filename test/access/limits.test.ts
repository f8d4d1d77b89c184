import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Attempts } from '../../src/access/attempts.js';
import { FairQueue } from '../../src/access/fair-queue.js';
import { Recent } from '../../src/access/recent.js';

const MINUTE = 60_000;

describe('attempts', () => {
  it('have a growing pause after the fifth that failed', () => {
    const attempts = new Attempts();
    const pauses = Array.from({ length: 13 }, (_, i) => {
      attempts.failed('ada', i);
      return attempts.pause('ada', i);
    });
    expect(pauses).toEqual([0, 0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 32_000, MINUTE, MINUTE, MINUTE]);
    expect(attempts.pause('eve', 12)).toBe(0);
    expect(attempts.pause('ada', 12 + 1000)).toBe(MINUTE - 1000);
    expect(attempts.pause('ada', 12 + MINUTE)).toBe(0);
  });

  it('are forgotten after a quarter of an hour without one that failed', () => {
    const attempts = new Attempts();
    for (let i = 0; i < 20; i++) attempts.failed('ada', 0);
    attempts.failed('ada', 14 * MINUTE);
    expect(attempts.pause('ada', 14 * MINUTE)).toBe(MINUTE);
    attempts.failed('ada', 29 * MINUTE);
    expect(attempts.pause('ada', 29 * MINUTE)).toBe(0);
  });

  it('are remembered of so many, the latest', () => {
    const attempts = new Attempts();
    for (let i = 0; i < 5; i++) attempts.failed('first', 0);
    for (let i = 0; i < 5; i++) attempts.failed('second', 0);
    for (let i = 0; i < 9999; i++) attempts.failed(`other ${i}`, 0);
    expect([attempts.pause('first', 0), attempts.pause('second', 0)]).toEqual([0, 1000]);
  });
});

it('what was seen is remembered for a while, of so many', () => {
  const recent = new Recent(2, 100);
  recent.add('a', 0);
  recent.add('b', 50);
  expect([recent.has('a', 99), recent.has('a', 100), recent.has('b', 100)]).toEqual([true, false, true]);
  recent.add('a', 100);
  recent.add('b', 100);
  recent.add('c', 100);
  expect(['a', 'b', 'c'].map((key) => recent.has(key, 100))).toEqual([false, true, true]);
});

describe('a fair queue', () => {
  /** Tasks that end when they are told; `begun` in the order in which they were. */
  function bench(limits: { atOnce: number; waiting: number; waitingPerParty: number }) {
    const queue = new FairQueue(limits);
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    const ask = (party: string, name: string) =>
      queue.run(
        party,
        () =>
          new Promise<string>((resolve, reject) => {
            begun.push(name);
            ends.set(name, () => (name.includes('!') ? reject(new Error(name)) : resolve(name)));
          }),
      );
    return { ask, begun, end: (name: string) => ends.get(name)?.() };
  }

  it('runs a few at once, and the parties in turns', async () => {
    const { ask, begun, end } = bench({ atOnce: 2, waiting: 100, waitingPerParty: 100 });
    const flood = Array.from({ length: 6 }, (_, i) => ask('eve', `eve ${i}`));
    const ada = [ask('ada', 'ada 0'), ask('ada', 'ada 1')];
    expect(begun).toEqual(['eve 0', 'eve 1']);
    for (let i = 0; i < 6; i++) {
      end(begun[i] as string);
      await turn();
    }
    expect(begun).toEqual(['eve 0', 'eve 1', 'eve 2', 'ada 0', 'eve 3', 'ada 1', 'eve 4', 'eve 5']);
    end('eve 4');
    end('eve 5');
    expect(await Promise.all([...flood, ...ada])).toHaveLength(8);
  });

  it('goes on when a task fails', async () => {
    const { ask, end } = bench({ atOnce: 1, waiting: 10, waitingPerParty: 10 });
    const [first, second] = [ask('a', '!'), ask('a', 'next')];
    end('!');
    await expect(first).rejects.toThrow('!');
    end('next');
    expect(await second).toBe('next');
  });

  it('turns away what finds too many waiting, of its party or in all', () => {
    const { ask } = bench({ atOnce: 1, waiting: 3, waitingPerParty: 2 });
    expect(['eve', 'eve', 'eve', 'eve', 'ada', 'bob'].map((party) => ask(party, 'x') !== undefined)).toEqual([
      true, // Runs.
      true,
      true,
      false,
      true,
      false,
    ]);
  });
});
