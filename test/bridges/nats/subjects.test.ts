import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyToName, toKey, toName, toSubject, toSubjects } from '../../../src/bridges/nats/subjects.js';
import { matches } from '../../../src/wire/patterns.js';

/** As NATS 2.9 has it (server/sublist.go): `*` is one token, `>` one or more. */
function natsMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '>') return tokens.length > i;
    if (tokens[i] === undefined || (wanted[i] !== '*' && wanted[i] !== tokens[i])) return false;
  }
  return tokens.length === wanted.length;
}

/** Subjects that a server takes and that are nobody's own (server/sublist.go, `isValidSubject`). */
function isUsable(subject: string): boolean {
  const tokens = subject.split('.');
  const isOwn = subject.startsWith('$') || tokens[0] === '_INBOX';
  return !isOwn && tokens.every((token) => token !== '' && !/[\s\p{Cc}*>]/u.test(token));
}

describe('a name as a subject', () => {
  it.each([
    ['greenhouse/3/temperature', 'greenhouse.3.temperature'],
    ['site-1/Room_2', 'site-1.Room_2'],
    ['a.b/c', 'a=2Eb.c'],
    ['a//b/', 'a.=.b.='],
    ['/', '=.='],
    ['1=2', '1=3D2'],
    ['=', '=3D'],
    ['a b\tc', 'a=20b=09c'],
    ['a*/>', 'a=2A.=3E'],
    ['Gewächshaus/21 °C', 'Gewächshaus.21=20°C'],
    ['a\u00a0b', 'a=C2=A0b'],
    ['room:1/@x/$y', 'room:1.@x.$y'],
    ['$SYS/x', '=24SYS.x'],
    ['_INBOX/x', '=5FINBOX.x'],
    ['_INBOXES/_INBOX', '_INBOXES._INBOX'],
  ])('%s is %s', (name, subject) => {
    expect(toSubject(name)).toBe(subject);
    expect(toName(subject)).toBe(name);
  });

  it.each([
    '$JS.API.INFO',
    '$KV.x.y',
    '_INBOX.abc.1',
    'a+b.c',
    'a.#',
    'a/b.c',
    'a=2e',
    'a=41',
    'a=',
    '=00',
    '=C3.x',
    '=2B',
    'a..b',
    '',
    '=',
  ])('none is spelt %s', (subject) => {
    expect(toName(subject)).toBeUndefined();
  });

  it.each([
    ['greenhouse/+/t', ['greenhouse.*.t']],
    ['greenhouse/#', ['greenhouse', 'greenhouse.>']],
    ['#', ['>']],
    ['+/#', ['>']],
    ['a/+/#', ['a.>']],
    ['a.b//#', ['a=2Eb.=', 'a=2Eb.=.>']],
    ['$x/+', ['=24x.*']],
  ])('of the pattern %s are %j', (pattern, subjects) => {
    expect(toSubjects(pattern)).toEqual(subjects);
  });

  it.each([
    ['greenhouse.3', 'greenhouse.3'],
    ['room:1.$y', 'room=3A1.=24y'],
    ['ä.=.a=2Eb', '=C3=A4.=.a=2Eb'],
    ['a.*.>', 'a.*.>'],
  ])('%s has the key %s', (subject, key) => {
    expect(toKey(subject)).toBe(key);
    if (!subject.includes('*')) expect(keyToName(key)).toBe(toName(subject));
  });

  it.each(['room:1', 'a=3a', 'a..b', '=5Fx', ''])('no name has the key %s', (key) => {
    expect(keyToName(key)).toBeUndefined();
  });
});

const character = fc.oneof(
  fc.constantFrom(
    'a',
    'B',
    '1',
    '.',
    '*',
    '>',
    '=',
    ' ',
    '$',
    '_',
    '-',
    ':',
    'ü',
    '\u00a0',
    '\u2009',
    '2E',
    '\ud83d\ude00',
  ),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
);
const level = fc.oneof(
  fc.constantFrom('a', 'b', '', '_INBOX', '=', '$x'),
  fc.array(character, { maxLength: 4 }).map((characters) => characters.join('').replaceAll(/[/+#\0]/g, '')),
);
const name = fc
  .array(level, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join('/'))
  .filter((text) => text !== '');
const pattern = fc
  .tuple(
    fc.array(fc.oneof(fc.constant('+'), fc.constantFrom('a', 'b', ''), level), { maxLength: 3 }),
    fc.boolean(),
  )
  .map(([levels, rest]) => [...levels, ...(rest ? ['#'] : [])].join('/'))
  .filter((text) => text !== '');
const runs = { numRuns: 5000 };

describe('of any name', () => {
  it('the subject is one that a server takes, and says the name', () => {
    fc.assert(
      fc.property(name, (text) => {
        const subject = toSubject(text);
        expect(isUsable(subject)).toBe(true);
        expect(toName(subject)).toBe(text);
      }),
      runs,
    );
  });

  it('the key is one that a bucket takes, and says the name', () => {
    fc.assert(
      fc.property(name, (text) => {
        const key = toKey(toSubject(text));
        expect(key).toMatch(/^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$/);
        expect(keyToName(key)).toBe(text);
      }),
      runs,
    );
  });

  it('a pattern stands for its subject, and its key, when it matches the name', () => {
    fc.assert(
      fc.property(pattern, name, (filter, text) => {
        // That wildcards do not stand for names that begin with "$" is not for NATS to know.
        fc.pre(!text.startsWith('$'));
        const expected = matches(filter.split('/'), text.split('/'));
        const subject = toSubject(text);
        const subjects = toSubjects(filter);
        expect(subjects.some((each) => natsMatches(each, subject))).toBe(expected);
        expect(subjects.some((each) => natsMatches(toKey(each), toKey(subject)))).toBe(expected);
      }),
      runs,
    );
  });
});

describe('of any subject', () => {
  it('there is a name only if that is its subject', () => {
    const subject = fc.array(fc.oneof(character, fc.constantFrom('.', '=', '=2', 'E', '=C3', '=A4')), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(subject, (parts) => {
        const text = parts.join('');
        const found = toName(text);
        if (found !== undefined) expect(toSubject(found)).toBe(text);
        const ofKey = keyToName(text);
        if (ofKey !== undefined) expect(toKey(toSubject(ofKey))).toBe(text);
      }),
      runs,
    );
  });
});
