import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NameRule } from '../../src/bridges/names.js';
import { intersect } from '../../src/bridges/patterns.js';
import { matches } from '../../src/wire/patterns.js';

describe('a rule', () => {
  it.each([
    ['greenhouse/#', 'site1/greenhouse/#', 'greenhouse/3/temperature', 'site1/greenhouse/3/temperature'],
    ['greenhouse/#', 'site1/greenhouse/#', 'greenhouse', 'site1/greenhouse'],
    ['greenhouse/#', 'site1/greenhouse/#', 'greenhouse/', 'site1/greenhouse/'],
    ['#', 'site1/#', 'a/b', 'site1/a/b'],
    ['site1/#', '#', 'site1/a/b', 'a/b'],
    ['+/state/+', 'state/+/of/+', 'a/state/b', 'state/a/of/b'],
    ['a/+/#', '+/#', 'a/b/c/d', 'b/c/d'],
    ['a', 'b/c', 'a', 'b/c'],
  ])('of %s and %s calls %s %s there, and back', (pattern, remote, here, there) => {
    const rule = new NameRule({ pattern, remote });
    expect(rule.toRemote(here)).toBe(there);
    expect(rule.toLocal(there)).toBe(here);
  });

  it.each([
    ['another name', 'greenhouse/#', 'site1/greenhouse/#', 'greenhouses/3'],
    ['a name of the gateway’s own', '#', 'site1/#', '$slipway/stats'],
    ['a name that would be empty there', 'site1/#', '#', 'site1'],
    ['a name that would be one empty level there', 'site1/#', '#', 'site1/'],
    ['a name that would be the other side’s own', 'site1/#', '#', 'site1/$SYS/broker'],
    ['a name that would be too long there', 'a/#', 'site1/#', `a/${'x'.repeat(65_530)}`],
    ['a name that would have too many bytes there', 'a/#', 'site1/#', `a/${'€'.repeat(21_844)}`],
  ])('is not for %s, either way', (_, pattern, remote, name) => {
    const there = new NameRule({ pattern, remote }).toRemote(name);
    const here = new NameRule({ pattern: remote, remote: pattern }).toLocal(name);
    expect([there === undefined, here === undefined]).toEqual([true, true]);
  });

  it('takes the longest name that there can be', () => {
    const rule = new NameRule({ pattern: 'a/#', remote: 'site1/#' });
    const longest = `site1/${'€'.repeat(21_843)}`;
    expect(Buffer.byteLength(longest)).toBe(65_535);
    expect(rule.toRemote(`a/${'€'.repeat(21_843)}`) === longest).toBe(true);
  });

  it('takes the gateway’s own names out, and never in', () => {
    const rule = new NameRule({ pattern: '$slipway/#', remote: 'site1/$slipway/#' });
    expect(rule.toRemote('$slipway/stats')).toBe('site1/$slipway/stats');
    expect(rule.toLocal('site1/$slipway/stats')).toBeUndefined();
  });

  it.each([
    ['a/#', 'x/a/#', '#', 'x/a/#'],
    ['a/#', 'x/a/#', 'a/+/c', 'x/a/+/c'],
    ['a/#', 'x/a/#', '+', 'x/a'],
    ['a/#', '#', 'a', undefined],
    ['a/#', 'x/#', 'b/#', undefined],
    ['+/s/#', 'x/+/#', 'b/+/t', 'x/b/t'],
    ['+/s', 'x/+', '#', 'x/+'],
    ['a/#', '#', 'a/$b/#', undefined],
  ])('of %s and %s asks for %s as %s', (pattern, remote, wanted, expected) => {
    expect(new NameRule({ pattern, remote }).patternToRemote(wanted)).toBe(expected);
  });
});

const level = fc.constantFrom('a', 'b', '', 'ü', '$x');
const literal = fc.array(level, { maxLength: 2 });
/** Two patterns of one sequence of wildcards, with other levels between. */
const patterns = fc
  .record({
    singles: fc.nat({ max: 2 }),
    rest: fc.boolean(),
    between: fc.array(literal, { minLength: 6, maxLength: 6 }),
  })
  .map(({ singles, rest, between }) => {
    const build = (parts: readonly string[][]) => {
      const levels = [...(parts[0] ?? [])];
      for (let i = 0; i < singles; i++) levels.push('+', ...(parts[i + 1] ?? []));
      if (rest) levels.push('#');
      return levels.join('/');
    };
    return { pattern: build(between.slice(0, 3)), remote: build(between.slice(3)) };
  })
  .filter(({ pattern, remote }) => pattern !== '' && remote !== '' && !remote.startsWith('$'));
const name = fc
  .array(level, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join('/'))
  .filter((text) => text !== '');
const filter = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', '', 'ü', '+'), { maxLength: 4 }), fc.boolean())
  .map(([levels, rest]) => [...levels, ...(rest ? ['#'] : [])].join('/'))
  .filter((text) => text !== '');

const split = (text: string) => text.split('/');

describe('of any rule', () => {
  it('what a name is called there is called that name here', () => {
    fc.assert(
      fc.property(patterns, name, (written, channel) => {
        const rule = new NameRule(written);
        const there = rule.toRemote(channel);
        if (there === undefined) return;
        expect(matches(split(written.pattern), split(channel))).toBe(true);
        expect(matches(split(written.remote), split(there))).toBe(true);
        // The other way a name of the gateway's own is never taken in.
        expect(rule.toLocal(there)).toBe(channel.startsWith('$') ? undefined : channel);
      }),
      { numRuns: 5000 },
    );
  });

  it('each name of the pattern has one there, unless there cannot be one', () => {
    fc.assert(
      fc.property(patterns, name, (written, channel) => {
        const rule = new NameRule(written);
        const there = rule.toRemote(channel);
        if (!matches(split(written.pattern), split(channel))) expect(there).toBeUndefined();
        else if (there === undefined) {
          // It is what stands in the place of a wildcard that makes it no name.
          expect(written.remote).toMatch(/^([+#]|\/#)/);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('the pattern there for a pattern here matches what that one matches, within the rule', () => {
    fc.assert(
      fc.property(patterns, filter, name, (written, wanted, channel) => {
        const rule = new NameRule(written);
        const asked = rule.patternToRemote(wanted);
        if (asked !== undefined) expect(intersect(split(written.remote), split(asked))).toEqual(split(asked));
        const there = rule.toRemote(channel);
        if (there === undefined) return;
        expect(asked !== undefined && matches(split(asked), split(there))).toBe(
          matches(split(wanted), split(channel)),
        );
      }),
      { numRuns: 5000 },
    );
  });
});
