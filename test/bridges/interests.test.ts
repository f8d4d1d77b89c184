import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Interests } from '../../src/bridges/interests.js';
import { NameRule } from '../../src/bridges/names.js';
import { covers, join } from '../../src/bridges/patterns.js';
import type { Interest } from '../../src/bridges/upstream.js';
import type { Qos } from '../../src/wire/messages.js';
import { overlap } from '../../src/wire/patterns.js';

const rule = (pattern: string, remote = pattern, qos: Qos = 1) => ({
  name: new NameRule({ pattern, remote }),
  qos,
});
const split = (pattern: string) => pattern.split('/');

/** As `pattern:qos`, sorted. */
function shown(interests: readonly Interest[]): string[] {
  return interests.map(({ pattern, qos }) => `${pattern}:${qos}`).toSorted();
}

describe('a gateway asks for', () => {
  it('nothing when nobody is subscribed, but for what is fixed', () => {
    expect(new Interests([rule('#')]).current()).toEqual([]);
    const fixed = [{ pattern: 'fleet/broadcast', qos: 1 }] as const;
    expect(new Interests([rule('#')], fixed).current()).toEqual(fixed);
  });

  it('what peers are subscribed to, as far as rules let it in, by its name there', () => {
    const interests = new Interests([
      rule('commands/#', 'site1/commands/#'),
      rule('news/+', 'news/+/all', 0),
    ]);
    for (const pattern of ['commands/3/led', 'news/sports', 'greenhouse/#', '$slipway/stats'])
      interests.added(pattern);
    expect(shown(interests.current())).toEqual(['news/sports/all:0', 'site1/commands/3/led:1']);
    interests.added('#');
    expect(shown(interests.current())).toEqual(['news/+/all:0', 'site1/commands/#:1']);
    interests.removed('#');
    interests.removed('commands/3/led');
    expect(shown(interests.current())).toEqual(['news/sports/all:0']);
  });

  it('each name once, with the highest QoS, when patterns overlap', () => {
    const interests = new Interests([rule('a/#', 'x/#', 0), rule('b/#', 'x/b/#', 2)]);
    for (const pattern of ['a/+/1', 'a/2/+', 'a/3', 'b/4/1']) interests.added(pattern);
    expect(shown(interests.current())).toEqual(['x/+/+:0', 'x/3:0', 'x/b/4/1:2']);
    interests.added('b/1');
    expect(shown(interests.current())).toEqual(['x/+/+:2', 'x/3:0', 'x/b/4/1:2']);
    interests.removed('b/1');
    expect(shown(interests.current())).toEqual(['x/+/+:0', 'x/3:0', 'x/b/4/1:2']);
  });

  it('what is fixed once, too', () => {
    const interests = new Interests([rule('#', '#', 0)], [{ pattern: 'fleet/devices/+', qos: 1 }]);
    interests.added('fleet/#');
    expect(shown(interests.current())).toEqual(['fleet/#:1']);
    interests.removed('fleet/#');
    expect(shown(interests.current())).toEqual(['fleet/devices/+:1']);
  });

  it('a pattern as long as one of those wants it whose name there is the same', () => {
    const interests = new Interests([rule('+/state')]);
    interests.added('#');
    interests.added('+/state/#');
    interests.removed('#');
    expect(shown(interests.current())).toEqual(['+/state:1']);
    interests.removed('+/state/#');
    expect(interests.current()).toEqual([]);
  });

  it('all of a rule by what is very deep or very long', () => {
    for (const pattern of [`a/${'b/'.repeat(64)}`, `a/${'b'.repeat(2000)}`]) {
      const interests = new Interests([rule('a/#', 'x/#')]);
      interests.added(pattern);
      expect(shown(interests.current())).toEqual(['x/#:1']);
    }
  });

  it('the same array while nothing has changed', () => {
    const interests = new Interests([rule('a/#')]);
    interests.added('a/+');
    const before = interests.current();
    interests.added('a/b');
    interests.added('c');
    interests.removed('a/b');
    expect(interests.current()).toBe(before);
  });
});

describe('of very many patterns', () => {
  it('a rule that asks for more than a thousand asks for all it has, others do not', () => {
    const interests = new Interests([rule('devices/#'), rule('news/#')]);
    interests.added('news/sports');
    for (let i = 0; i < 999; i++) interests.added(`devices/${i}/command`);
    expect(interests.current()).toHaveLength(1000);
    for (let i = 999; i < 100_000; i++) interests.added(`devices/${i}/command`);
    expect(shown(interests.current())).toEqual(['devices/#:1', 'news/sports:1']);
    for (let i = 0; i < 99_900; i++) interests.removed(`devices/${i}/command`);
    expect(interests.current()).toHaveLength(101);
  });

  it('a rule that asks for all it has goes on until half as many would do', () => {
    const interests = new Interests([rule('devices/#')]);
    for (let i = 0; i <= 1000; i++) interests.added(`devices/${i}/#`);
    const whole = interests.current();
    expect(shown(whole)).toEqual(['devices/#:1']);
    for (let i = 0; i < 500; i++) {
      interests.removed(`devices/${i}/#`);
      expect(interests.current()).toBe(whole);
    }
    interests.removed('devices/500/#');
    expect(interests.current()).toHaveLength(500);
    for (let i = 0; i < 500; i++) interests.added(`devices/${i}/#`);
    expect(interests.current()).toHaveLength(1000);
  });

  it('those that one covers do not count', () => {
    const interests = new Interests([rule('devices/#')]);
    interests.added('devices/+/command');
    for (let i = 0; i < 100_000; i++) interests.added(`devices/${i}/command`);
    expect(shown(interests.current())).toEqual(['devices/+/command:1']);
    interests.removed('devices/+/command');
    expect(shown(interests.current())).toEqual(['devices/#:1']);
    interests.added('devices/+/command');
    interests.removed('devices/7/command');
    expect(shown(interests.current())).toEqual(['devices/+/command:1']);
  });

  it('of many rules the largest ones give way', () => {
    const rules = ['a', 'b', 'c'].map((name) => rule(`${name}/#`));
    const interests = new Interests(rules);
    for (const [name, count] of [
      ['a', 400],
      ['b', 500],
      ['c', 300],
    ] as const)
      for (let i = 0; i < count; i++) interests.added(`${name}/${i}`);
    const patterns = interests.current().map(({ pattern }) => pattern);
    expect(patterns).toHaveLength(701);
    expect(patterns).toContain('b/#');
  });
});

const pattern = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', '', '+'), { maxLength: 3 }), fc.boolean())
  .map(([levels, rest]) => [...levels, ...(rest ? ['#'] : [])].join('/'))
  .filter((text) => text !== '');
const rules = fc.uniqueArray(
  fc.constantFrom(
    rule('#', 'x/#', 0),
    rule('a/#', 'x/a/#', 2),
    rule('+/b/#', 'x/b/+/#', 1),
    rule('b/+', 'y/+', 1),
    rule('a/+/+', '+/+', 0),
  ),
  { minLength: 1 },
);
const fixed = fc.constantFrom(
  [],
  [{ pattern: 'x/+/b', qos: 1 } as const],
  [{ pattern: 'y', qos: 2 } as const],
);

/** The same by brute force: whatever overlaps is joined, until nothing does. */
function byForce(wanted: readonly Interest[]): string[] {
  const sets = [...wanted];
  for (let i = 0; i < sets.length; i++) {
    for (let j = i + 1; j < sets.length; j++) {
      const [a, b] = [sets[i], sets[j]];
      if (!a || !b || !overlap(split(a.pattern), split(b.pattern))) continue;
      const joined = join(split(a.pattern), split(b.pattern))?.join('/') ?? expect.unreachable();
      sets.splice(j, 1);
      sets.splice(i, 1, { pattern: joined, qos: Math.max(a.qos, b.qos) as Qos });
      // What was looked at before may overlap this one.
      i = -1;
      break;
    }
  }
  return shown(sets);
}

describe('whatever peers do', () => {
  it('the patterns are those that brute force finds, and no two match one name', () => {
    const steps = fc.array(fc.tuple(pattern, fc.boolean(), fc.boolean()), { maxLength: 25 });
    fc.assert(
      fc.property(rules, fixed, steps, (inRules, always, plan) => {
        const interests = new Interests(inRules, always);
        const subscribed = new Set<string>();
        for (const [filter, subscribes, looks] of plan) {
          if (subscribes === subscribed.has(filter)) continue;
          if (subscribes) interests.added(filter);
          else interests.removed(filter);
          if (subscribes) subscribed.add(filter);
          else subscribed.delete(filter);
          if (looks) interests.current();
        }
        const wanted = inRules.flatMap(({ name, qos }) =>
          [...subscribed].flatMap((filter) => {
            const remote = name.patternToRemote(filter);
            return remote === undefined ? [] : [{ pattern: remote, qos }];
          }),
        );
        const current = interests.current();
        expect(shown(current)).toEqual(byForce([...always, ...wanted]));
        for (const a of current)
          for (const b of current)
            if (a !== b) expect(overlap(split(a.pattern), split(b.pattern))).toBe(false);
        for (const one of wanted) {
          const covering = current.find((each) => covers(split(each.pattern), split(one.pattern)));
          expect(covering?.qos ?? -1).toBeGreaterThanOrEqual(one.qos);
        }
      }),
      { numRuns: 5000 },
    );
  });
});
