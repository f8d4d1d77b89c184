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

function newTree(): LevelTree<{ path: string }> {
  return new LevelTree(({ path }) => path);
}

function patternsFound(pattern: string, name: string): object[] {
  const tree = newTree();
  tree.put({ path: pattern });
  return tree.matchingPatterns(name);
}

function namesFound(pattern: string, name: string): object[] {
  const tree = newTree();
  tree.put({ path: name });
  return [...tree.matchingNames(pattern)];
}

describe('matching', () => {
  it.each(MATCHING)('%s matches %s', (pattern, name) => {
    expect(patternsFound(pattern, name)).toEqual([{ path: pattern }]);
    expect(namesFound(pattern, name)).toEqual([{ path: name }]);
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
    const tree = new LevelTree<{ path: string; n: number }>(({ path }) => path);
    tree.put({ path: 'a/b', n: 1 });
    tree.put({ path: 'a/b', n: 2 });
    expect(tree.get('a/b')).toMatchObject({ n: 2 });
    expect(tree.matchingPatterns('a/b')).toMatchObject([{ n: 2 }]);
    expect(tree.nodes).toBe(1);
  });

  it('does not take a path for its parent or child', () => {
    const tree = newTree();
    tree.put({ path: 'a/b' });
    expect(tree.get('a')).toBeUndefined();
    expect(tree.get('a/b/c')).toBeUndefined();
    tree.delete('a');
    tree.delete('a/b/c');
    expect(tree.get('a/b')).toBeDefined();
  });

  it('takes one place for what no other path shares, however the paths came and went', () => {
    const tree = newTree();
    for (const path of ['a/b/c/d/e', 'a/b/c', 'a/b/x/y', 'z']) tree.put({ path });
    // a, b, c, d; x; z
    expect(tree.nodes).toBe(6);
    for (const path of ['a/b/c', 'a/b/x/y']) tree.delete(path);
    expect(tree.nodes).toBe(2);
    expect(tree.get('a/b/c/d/e')).toBeDefined();
  });

  it('keeps what lies below and above a deleted path, and nothing else', () => {
    const tree = newTree();
    for (const path of ['a', 'a/b/c', 'a/b/c/d/e']) tree.put({ path });
    tree.delete('a/b/c');
    expect(tree.nodes).toBe(2);
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
          const tree = newTree();
          for (const path of [...dropped, ...kept]) tree.put({ path });
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
        const tree = newTree();
        for (const path of names) tree.put({ path });
        for (const one of patterns) {
          const found = [...tree.matchingNames(one)].map(({ path }) => path);
          expect(found.sort()).toEqual(names.filter((path) => plainlyMatches(one, path)).sort());
        }
      }),
    );
  });
});

describe('patterns below a prefix', () => {
  it('are just those that match it, or a name below it', () => {
    const below = ['', '/', '/a', '/b', '/$s', '/a/a', '/a/b/a', '/b/b/b/b'];
    fc.assert(
      fc.property(fc.uniqueArray(pattern), fc.array(name), (patterns, prefixes) => {
        const tree = newTree();
        for (const path of patterns) tree.put({ path });
        for (const prefix of prefixes) {
          const few = patterns.filter((path) => path.split('/').length <= prefix.split('/').length + 1);
          const found = few.some((path) => below.some((end) => plainlyMatches(path, prefix + end)));
          if (found) expect(tree.hasPatternsAt(prefix)).toBe(true);
          else if (few.length === patterns.length) expect(tree.hasPatternsAt(prefix)).toBe(false);
        }
      }),
    );
  });

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
    const tree = newTree();
    tree.put({ path: 'other' });
    tree.put({ path: pattern });
    expect(tree.hasPatternsAt('$slipway/links')).toBe(found);
    tree.delete(pattern);
    expect(tree.hasPatternsAt('$slipway/links')).toBe(false);
  });

  it('may begin with a wildcard where the prefix does not begin with $', () => {
    const tree = newTree();
    tree.put({ path: '+/b' });
    expect(tree.hasPatternsAt('a')).toBe(true);
    expect(tree.hasPatternsAt('a/b')).toBe(true);
    expect(tree.hasPatternsAt('a/c')).toBe(false);
  });
});
