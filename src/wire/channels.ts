import { MAX_CHANNEL_BYTES, MAX_IDENTITY_BYTES } from './limits.js';

/** Channel id 0 of either side; an emit on it reaches everyone connected (PROTOCOL.md §6.4). */
export const BROADCAST_CHANNEL = '$slipway/broadcast';

/** Half of a surrogate pair alone: a string that has one cannot be written in UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** What a shared subscription's pattern begins with (PROTOCOL.md §6.2). */
const SHARE = '$share/';

/**
 * What is wrong with a channel's name (PROTOCOL.md §6.1), as a short clause, or undefined when nothing is. `maxBytes`: how long it may be, in
 * UTF-8.
 */
export function channelProblem(name: string, maxBytes = MAX_CHANNEL_BYTES): string | undefined {
  const wildcard = name.includes('+') ? '+' : name.includes('#') ? '#' : undefined;
  if (wildcard !== undefined) {
    return `a channel's name cannot contain "${wildcard}": wildcards are for subscriptions`;
  }
  return textProblem('a channel', name, maxBytes);
}

/**
 * What is wrong with a pattern (PROTOCOL.md §6.2), as a short clause, or undefined when nothing is. `maxBytes`: how long it may be, in UTF-8.
 */
export function patternProblem(pattern: string, maxBytes = MAX_CHANNEL_BYTES): string | undefined {
  const filter = filterOf(pattern);
  if (isShared(pattern) && filter === '')
    return 'a shared subscription is "$share/<group>/<pattern>": neither can be empty';
  if (hasWildcard(pattern.slice(0, pattern.length - filter.length)))
    return 'the group of a shared subscription cannot contain a wildcard';
  if (hasWildcard(filter)) {
    const levels = filter.split('/');
    for (const [index, level] of levels.entries()) {
      if (level.length > 1 && hasWildcard(level)) {
        return `a wildcard must fill a whole level: "${level}" mixes it with other characters`;
      }
      if (level === '#' && index < levels.length - 1) return '"#" can only be the last level of a pattern';
    }
  }
  return textProblem('a pattern', pattern, maxBytes);
}

/** Whether the pattern is one of a shared subscription (PROTOCOL.md §6.2). */
export function isShared(pattern: string): boolean {
  return pattern.startsWith(SHARE);
}

/**
 * What channels are matched against: the pattern itself, or of a shared subscription what stands behind its group (PROTOCOL.md §6.2). Empty
 * if there is no group, or nothing behind it.
 */
export function filterOf(pattern: string): string {
  if (!isShared(pattern)) return pattern;
  const end = pattern.indexOf('/', SHARE.length);
  return end > SHARE.length ? pattern.slice(end + 1) : '';
}

/** What is wrong with an identity (PROTOCOL.md §4.1), as a short clause, or undefined when nothing is. */
export function identityProblem(identity: string): string | undefined {
  if (identity.startsWith('$')) return 'an identity cannot start with "$": such names are the gateway\'s';
  if (/\p{Cc}/u.test(identity)) return 'an identity cannot contain control characters';
  const bad = /[ /+#]/.exec(identity)?.[0];
  if (bad !== undefined) return `an identity cannot contain ${bad === ' ' ? 'a space' : `"${bad}"`}`;
  return textProblem('an identity', identity, MAX_IDENTITY_BYTES);
}

/** Whether a pattern could match more than the channel of its own name (PROTOCOL.md §6.2). */
export function hasWildcard(pattern: string): boolean {
  return pattern.includes('+') || pattern.includes('#');
}

function textProblem(what: string, text: string, maxBytes: number): string | undefined {
  if (text === '') return `${what} cannot be empty`;
  if (text.includes('\0')) return `${what} cannot contain the character U+0000`;
  if (LONE_SURROGATE.test(text)) return `${what} must be well-formed Unicode: this has half a surrogate pair`;
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) return `${what} can have ${maxBytes} bytes of UTF-8 at most: this has ${bytes}`;
  return undefined;
}
