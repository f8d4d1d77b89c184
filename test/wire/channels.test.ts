import { describe, expect, it } from 'vitest';
import { channelProblem, hasWildcard, identityProblem, patternProblem } from '../../src/wire/channels.js';

const EURO = '€'; // 3 bytes of UTF-8

describe('channelProblem', () => {
  it.each(['a', 'greenhouse/3/temperature', '/', 'a//b', '$slipway/stats', 'ü/é', EURO.repeat(85), 'a b'])(
    'accepts %j',
    (name) => expect(channelProblem(name)).toBeUndefined(),
  );

  it.each([
    ['', 'empty'],
    ['a/+/b', '"+"'],
    ['a/#', '"#"'],
    ['a#', '"#"'],
    ['a\0b', 'U+0000'],
    ['\ud800', 'surrogate'],
    ['a'.repeat(256), '255 bytes of UTF-8 at most: this has 256'],
    [EURO.repeat(86), 'this has 258'],
  ])('refuses %j', (name, why) => expect(channelProblem(name)).toContain(why));
});

describe('patternProblem', () => {
  it.each(['a', '+', '#', 'a/+/b', '+/+', 'a/#', '/#', '$slipway/devices/+/state'])('accepts %j', (pattern) =>
    expect(patternProblem(pattern)).toBeUndefined(),
  );

  it.each([
    ['', 'empty'],
    ['a+', '"a+"'],
    ['a/b#', '"b#"'],
    ['##', '"##"'],
    ['#/a', 'last level'],
    ['a/#/', 'last level'],
    ['+/\0', 'U+0000'],
    ['+/'.repeat(128), '256'],
  ])('refuses %j', (pattern, why) => expect(patternProblem(pattern)).toContain(why));
});

describe('identityProblem', () => {
  it.each(['a', 'uno-3', 'grün', 'a$b', 'a'.repeat(64)])('accepts %j', (identity) =>
    expect(identityProblem(identity)).toBeUndefined(),
  );

  it.each([
    ['', 'empty'],
    ['$a', '"$"'],
    ['a b', 'a space'],
    ['a/b', '"/"'],
    ['a+', '"+"'],
    ['#', '"#"'],
    ['a\n', 'control'],
    ['a\u007f', 'control'],
    ['\0', 'control'],
    ['\udc00', 'surrogate'],
    ['a'.repeat(65), '64 bytes'],
  ])('refuses %j', (identity, why) => expect(identityProblem(identity)).toContain(why));
});

describe('hasWildcard', () => {
  it('tells patterns from names', () => {
    expect([hasWildcard('a/+'), hasWildcard('#'), hasWildcard('a/b')]).toEqual([true, true, false]);
  });
});
