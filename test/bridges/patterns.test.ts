import { describe, expect, it } from 'vitest';
import { covers, intersect, join } from '../../src/bridges/patterns.js';
import { type Levels, matches, overlap } from '../../src/wire/patterns.js';

/** Every sequence of up to `most` of the levels. */
function sequences(levels: readonly string[], most: number): string[][] {
  const all: string[][] = [];
  let longest: string[][] = [[]];
  for (let length = 1; length <= most; length++) {
    longest = longest.flatMap((begin) => levels.map((level) => [...begin, level]));
    all.push(...longest);
  }
  return all;
}

// A level that no pattern names stands for all those that no pattern names, and a fourth one for all that is deeper.
const NAMES = sequences(['a', 'b', '', '$x'], 4);
const PATTERNS = sequences(['a', '', '$x', '+', '#'], 3).filter(
  (levels) => !levels.slice(0, -1).includes('#'),
);

/** Which of the names the pattern matches, one bit each. */
const sets = new Map<string, bigint>();
function matched(pattern: Levels): bigint {
  const key = pattern.join('/');
  let set = sets.get(key);
  if (set === undefined) {
    set = NAMES.reduce((bits, name, i) => (matches(pattern, name) ? bits | (1n << BigInt(i)) : bits), 0n);
    sets.set(key, set);
  }
  return set;
}
const pairs = PATTERNS.flatMap((a) => PATTERNS.map((b) => [a, b] as const));
const shown = (...patterns: readonly Levels[]) => patterns.map((each) => each.join('/')).join('  ');

// Exhaustive: all pairs of patterns of up to three levels, judged by the names that they match.
describe('of two patterns', () => {
  it('the intersection matches what both match', () => {
    for (const [a, b] of pairs) {
      const both = intersect(a, b);
      const expected = matched(a) & matched(b);
      if ((both === undefined ? 0n : matched(both)) !== expected)
        expect.unreachable(`${shown(a, b)}: ${both && shown(both)}`);
      if ((both !== undefined) !== overlap(a, b)) expect.unreachable(`${shown(a, b)}: overlap disagrees`);
    }
  });

  it('one covers the other when it matches all that the other does', () => {
    for (const [a, b] of pairs) {
      const expected = (matched(a) & matched(b)) === matched(b);
      if (covers(a, b) !== expected) expect.unreachable(`${shown(a, b)}: ${!expected}`);
    }
  });

  it('the join is covered by all that covers both', () => {
    for (const [a, b] of pairs) {
      const joined = join(a, b);
      const both = matched(a) | matched(b);
      const covering = PATTERNS.filter((wide) => (matched(wide) & both) === both);
      if (joined === undefined) {
        if (covering.length > 0) expect.unreachable(`${shown(a, b)}: none, but ${shown(...covering)}`);
        continue;
      }
      if ((matched(joined) & both) !== both)
        expect.unreachable(`${shown(a, b)}: ${shown(joined)} does not cover them`);
      for (const wide of covering)
        if (!covers(wide, joined))
          expect.unreachable(`${shown(a, b)}: ${shown(joined)} is wider than ${shown(wide)}`);
    }
  });

  it('the intersection and the join are patterns as people write them', () => {
    const levels = (text: string) => text.split('/');
    expect(intersect(levels('a/#'), levels('a'))).toEqual(['a']);
    expect(intersect(levels('+/b/#'), levels('a/+/c'))).toEqual(['a', 'b', 'c']);
    expect(intersect(levels('#'), levels('$slipway/stats'))).toBeUndefined();
    expect(join(levels('a/b/c'), levels('a/x/c'))).toEqual(['a', '+', 'c']);
    expect(join(levels('a'), levels('a/b/c'))).toEqual(['a', '#']);
    expect(join(levels('a/#'), levels('b/c'))).toEqual(['#']);
    expect(join(levels('$x/a'), levels('a'))).toBeUndefined();
  });
});
