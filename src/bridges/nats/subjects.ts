/**
 * How names are spelt as subjects of NATS: `/` is `.`, `+` is `*`, `#` is `>`. What a token of a subject cannot hold is written as its bytes of
 * UTF-8, each `=` and two hex digits in capitals, and a level with nothing in it as `=` alone. No two names are spelt alike, and no name in
 * two ways. config/BRIDGES.md has the table.
 */

/**
 * The longest subject, or key of a bucket, that there is room for, bytes: with what stands around it in its line it must keep within the
 * 4,096 that a server takes by default. It cuts off whoever sends more.
 */
export const MAX_SUBJECT_BYTES = 3072;

/** Names whose subjects are spelt with the same characters, and keys with them. */
const PLAIN_NAME = /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/;
const PLAIN_SUBJECT = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

/** NATS's own, and blanks, controls and marks without width: written out, so that every gateway spells alike whatever Unicode it knows. */
const NOT_IN_SUBJECT =
  /[.*>=\p{Cc}\u0020\u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]/gu;
/** A key may have `[-/_=.a-zA-Z0-9]`; `*` and `>` are for patterns of keys. */
const NOT_IN_KEY = /[^-_=.*>a-zA-Z0-9]/gu;
const ESCAPED = /(?:=[0-9A-F]{2})+/g;
/** Where every client has what is for it alone. */
const INBOX = '_INBOX';

/** The subject of a name. It may be longer than a server takes. */
export function toSubject(name: string): string {
  if (PLAIN_NAME.test(name) && !name.startsWith(INBOX)) return name.replaceAll('/', '.');
  return name.split('/').map(toToken).join('.');
}

/**
 * The subjects that stand for a pattern, two where it ends with `#`, which is for its parent, too: `a/#` is `a` and `a.>`. Subjects of
 * NATS's own, as `$JS.…` and `_INBOX.…`, may be among what those stand for that begin with a wildcard: they are no names.
 */
export function toSubjects(pattern: string): string[] {
  const levels = pattern.split('/');
  const tokens = levels.map((level, i) => {
    if (level === '+') return '*';
    return level === '#' ? '>' : toToken(level, i);
  });
  if (levels.at(-1) !== '#') return [tokens.join('.')];
  // One level or more: `a/+/#` is `a.>`.
  if (levels.at(-2) === '+') return [[...tokens.slice(0, -2), '>'].join('.')];
  return levels.length === 1 ? ['>'] : [tokens.slice(0, -1).join('.'), tokens.join('.')];
}

/** The name that is spelt so; undefined if there is none: then it was no gateway who chose that subject. */
export function toName(subject: string): string | undefined {
  return nameOf(subject, toSubject);
}

/** The key of a bucket, or the pattern of keys, for a subject: of most the same. */
export function toKey(subject: string): string {
  return subject.replace(NOT_IN_KEY, escaped);
}

/** The name whose subject has that key; undefined if there is none. */
export function keyToName(key: string): string | undefined {
  return nameOf(key, (name) => toKey(toSubject(name)));
}

function nameOf(spelt: string, spell: (name: string) => string): string | undefined {
  if (PLAIN_SUBJECT.test(spelt) && !spelt.startsWith(INBOX)) return spelt.replaceAll('.', '/');
  const name = spelt
    .split('.')
    .map((token) => (token === '=' ? '' : unescaped(token)))
    .join('/');
  if (name === '' || /[+#\0]/.test(name)) return undefined;
  return spell(name) === spelt ? name : undefined;
}

function toToken(level: string, index: number): string {
  if (level === '') return '=';
  const token = level.replace(NOT_IN_SUBJECT, escaped);
  // The first token must not be one of NATS's own.
  const isReserved = index === 0 && (level.startsWith('$') || level === INBOX);
  return isReserved ? escaped(token.slice(0, 1)) + token.slice(1) : token;
}

function escaped(character: string): string {
  const bytes = [...Buffer.from(character)];
  return bytes.map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

function unescaped(token: string): string {
  return token.replace(ESCAPED, (run) => Buffer.from(run.replaceAll('=', ''), 'hex').toString());
}
