import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LevelTree } from '../../src/router/level-tree.js';
import { plainlyMatches } from './inbox.js';

const MATCHING: [pattern: string, name: string][] = [
  ['a', 'a'],
  ['a/b/c', 'a/b/c'],
  ['#', 'a'],
  ['#', 'a/b/c'],
  ['#', '/'],
  ['sport/#', 'sport'],
  ['sport/#', 'sport/'],
  ['sport/#', 'sport/tennis/player'],
  ['sport/tennis/+', 'sport/tennis/player'],
  ['sport/+', 'sport/'],
  ['+', 'sport'],
  ['+/+', '/finance'],
  ['/+', '/finance'],
  ['+/tennis/#', 'sport/tennis'],
  ['+/tennis/#', 'sport/tennis/player/ranking'],
  ['+/+/#', 'a/b'],
  ['a//b', 'a//b'],
  ['a/+/b', 'a//b'],
  ['//#', '//'],
  ['$slipway/#', '$slipway/stats'],
  ['$slipway/+', '$slipway/stats'],
  ['$slipway/devices/+/state', '$slipway/devices/x/state'],
  ['$slipway/#', '$slipway'],
  ['a/+', 'a/$b'],
  ['a/#', 'a/$b'],
  ['Größe/+', 'Größe/°C'],
];

const NOT_MATCHING: [pattern: string, name: string][] = [
  ['a', 'b'],
  ['a', 'A'],
  ['a', 'a/'],
  ['a', '/a'],
  ['a/b', 'a'],
  ['a', 'a/b'],
  ['sport/+', 'sport'],
  ['sport/+', 'sport/tennis/player'],
  ['sport/#', 'sports'],
  ['sport/#', '/sport'],
  ['+', '/finance'],
  ['+', 'a/b'],
  ['+/+', 'a'],
  ['a/+/c', 'a/b/d'],
  ['+/+/#', 'a'],
  ['#', '$slipway/stats'],
  ['+/stats', '$slipway/stats'],
  ['+', '$slipway'],
  ['+/#', '$slipway/stats'],
  ['a//b', 'a/b'],
];

function patternsFound(pattern: string, name: string): object[] {
  const tree = new LevelTree<object>();
  tree.set(pattern, { pattern });
  return tree.matchingPatterns(name);
}

function namesFound(pattern: string, name: string): object[] {
  const tree = new LevelTree<object>();
  tree.set(name, { name });
  return tree.matchingNames(pattern);
}

describe('matching', () => {
  it.each(MATCHING)('%s matches %s', (pattern, name) => {
    expect(patternsFound(pattern, name)).toEqual([{ pattern }]);
    expect(namesFound(pattern, name)).toEqual([{ name }]);
    expect(plainlyMatches(pattern, name)).toBe(true);
  });

  it.each(NOT_MATCHING)('%s does not match %s', (pattern, name) => {
    expect(patternsFound(pattern, name)).toEqual([]);
    expect(namesFound(pattern, name)).toEqual([]);
    expect(plainlyMatches(pattern, name)).toBe(false);
  });

  it('takes the deepest path that a channel can have', () => {
    const name = '/'.repeat(255);
    expect(patternsFound(`${'+/'.repeat(127)}#`, name)).toHaveLength(1);
    expect(namesFound('#', name)).toHaveLength(1);
  });
});

describe('storing', () => {
  it('replaces the value of a path', () => {
    const tree = new LevelTree<{ n: number }>();
    tree.set('a/b', { n: 1 });
    tree.set('a/b', { n: 2 });
    expect(tree.get('a/b')).toEqual({ n: 2 });
    expect(tree.matchingPatterns('a/b')).toEqual([{ n: 2 }]);
    expect(tree.nodes).toBe(2);
  });

  it('does not take a path for its parent or child', () => {
    const tree = new LevelTree<object>();
    tree.set('a/b', {});
    expect(tree.get('a')).toBeUndefined();
    expect(tree.get('a/b/c')).toBeUndefined();
    tree.delete('a');
    tree.delete('a/b/c');
    expect(tree.get('a/b')).toBeDefined();
  });

  it('keeps what lies below and above a deleted path, and nothing else', () => {
    const tree = new LevelTree<object>();
    for (const path of ['a', 'a/b/c', 'a/b/c/d/e']) tree.set(path, { path });
    tree.delete('a/b/c');
    expect(tree.nodes).toBe(5);
    tree.delete('a/b/c/d/e');
    expect(tree.nodes).toBe(1);
    tree.delete('a');
    expect(tree.nodes).toBe(0);
  });
});

const level = fc.constantFrom('', 'a', 'b', '$s');
const name = fc
  .array(level, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join('/'))
  .filter((text) => text !== '');
const pattern = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
  .map(([levels, rest]) => [...levels, ...(rest ? ['#'] : [])].join('/'))
  .filter((text) => text !== '');

describe('any set of paths', () => {
  it('finds just the patterns that match a name, and gives back all memory', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(pattern),
        fc.uniqueArray(pattern),
        fc.array(name),
        (kept, dropped, names) => {
          const tree = new LevelTree<{ path: string }>();
          for (const path of [...dropped, ...kept]) tree.set(path, { path });
          const stored = kept.filter((path) => !dropped.includes(path));
          for (const path of dropped) tree.delete(path);
          for (const one of names) {
            const found = tree.matchingPatterns(one).map(({ path }) => path);
            expect(found.sort()).toEqual(stored.filter((path) => plainlyMatches(path, one)).sort());
          }
          for (const path of stored) tree.delete(path);
          expect(tree.nodes).toBe(0);
        },
      ),
    );
  });

  it('finds just the names that a pattern matches', () => {
    fc.assert(
      fc.property(fc.uniqueArray(name), fc.array(pattern), (names, patterns) => {
        const tree = new LevelTree<{ path: string }>();
        for (const path of names) tree.set(path, { path });
        for (const one of patterns) {
          const found = tree.matchingNames(one).map(({ path }) => path);
          expect(found.sort()).toEqual(names.filter((path) => plainlyMatches(one, path)).sort());
        }
      }),
    );
  });
});

describe('patterns below a prefix', () => {
  it.each([
    ['$slipway/links/+', true],
    ['$slipway/links/serial:bench', true],
    ['$slipway/links', true],
    ['$slipway/+/serial:bench', true],
    ['$slipway/+', true],
    ['$slipway/#', true],
    ['$slipway/stats', false],
    ['$slipway', false],
    ['#', false],
    ['+/links/+', false],
    ['slipway/links/+', false],
  ])('%s could match at or below $slipway/links: %s', (pattern, found) => {
    const tree = new LevelTree<object>();
    tree.set('other', {});
    tree.set(pattern, {});
    expect(tree.hasPatternsAt('$slipway/links')).toBe(found);
    tree.delete(pattern);
    expect(tree.hasPatternsAt('$slipway/links')).toBe(false);
  });

  it('may begin with a wildcard where the prefix does not begin with $', () => {
    const tree = new LevelTree<object>();
    tree.set('+/b', {});
    expect(tree.hasPatternsAt('a')).toBe(true);
    expect(tree.hasPatternsAt('a/b')).toBe(true);
    expect(tree.hasPatternsAt('a/c')).toBe(false);
  });
});
