import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collide, covers, disjoint, filters, SubjectSet } from '../../../src/bridges/nats/subject-sets.js';

const token = fc.constantFrom('a', 'b', '*');
const pattern = fc
  .tuple(fc.array(token, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([tokens, open]) => (open ? [...tokens, '>'] : tokens).join('.'));
const patterns = fc.array(pattern, { maxLength: 6 });

/** All subjects of up to five tokens of these; a third one for what no pattern names. */
const subjects: readonly string[] = (() => {
  const all: string[] = [];
  let longest = [''];
  for (let length = 1; length <= 5; length++) {
    longest = longest.flatMap((each) =>
      ['a', 'b', 'c'].map((next) => (each === '' ? next : `${each}.${next}`)),
    );
    all.push(...longest);
  }
  return all;
})();

/** By the definition: a token each, and `>` for one or more. */
function stands(wide: string, subject: string): boolean {
  const source = wide.replaceAll('.', '\\.').replaceAll('*', '[^.]+').replace('>', '.+');
  return new RegExp(`^${source}$`).test(subject);
}

const meant = (wide: string) => subjects.filter((subject) => stands(wide, subject));

describe('subjects with wildcards', () => {
  it('cover and collide by what they stand for', () => {
    fc.assert(
      fc.property(pattern, pattern, (one, other) => {
        const [a, b] = [new Set(meant(one)), meant(other)];
        expect(covers(one, other)).toBe(b.every((subject) => a.has(subject)));
        expect(collide(one, other)).toBe(b.some((subject) => a.has(subject)));
      }),
    );
  });

  it('are made disjoint, and stand for all that they stood for', () => {
    fc.assert(
      fc.property(patterns, (all) => {
        const found = disjoint(all);
        for (const [i, one] of found.entries())
          for (const other of found.slice(i + 1)) expect(collide(one, other)).toBe(false);
        for (const each of all) expect(found.some((wide) => covers(wide, each))).toBe(true);
      }),
    );
  });

  it('filter a stream with one consumer, or two of one filter each, none for the same subject', () => {
    fc.assert(
      fc.property(patterns.map(disjoint), (all) => {
        const one = filters(all, true);
        expect(one.length).toBe(all.length === 0 ? 0 : 1);
        expect(one.flat().toSorted()).toEqual(all.toSorted());
        const two = filters(all, false);
        expect(two.length).toBeLessThanOrEqual(2);
        for (const each of two) expect(each).toHaveLength(1);
        for (const each of all) expect(two.flat().filter((wide) => covers(wide, each))).toHaveLength(1);
        const [first, second] = two.flat();
        if (first !== undefined && second !== undefined) expect(collide(first, second)).toBe(false);
      }),
    );
  });

  it('are as narrow as one filter allows: a parent has its own', () => {
    expect(filters(['site.a', 'site.a.>'], false)).toEqual([['site.a.>'], ['site.a']]);
    expect(filters(['s.a', 's.a.>', 's.b', 's.b.>'], false)).toEqual([['s.*.>'], ['s.*']]);
    expect(filters(['s.a.x', 's.b.x'], false)).toEqual([['s.*.x']]);
    expect(filters(['a', 'a.>', '>'], false)).toEqual([['>']]);
  });

  it('are remembered in a set, as far as there is room', () => {
    const set = new SubjectSet(['a.*', 'b.>']);
    for (let i = 0; i < 25_000; i++) {
      expect(set.has(`a.${i}`)).toBe(true);
      expect(set.has(`c.${i}`)).toBe(false);
    }
    expect(set.has('a.1')).toBe(true);
    expect(set.has('b')).toBe(false);
  });
});
