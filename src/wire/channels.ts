import { MAX_CHANNEL_BYTES, MAX_IDENTITY_BYTES } from './limits.js';

/** Channel id 0 of either side; an emit on it reaches everyone connected (PROTOCOL.md §6.4). */
export const BROADCAST_CHANNEL = '$slipway/broadcast';

/** Half of a surrogate pair alone: a string that has one cannot be written in UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** What is wrong with a channel's name (PROTOCOL.md §6.1), as a short clause, or undefined when nothing is. */
export function channelProblem(name: string): string | undefined {
  const wildcard = name.includes('+') ? '+' : name.includes('#') ? '#' : undefined;
  if (wildcard !== undefined) {
    return `a channel's name cannot contain "${wildcard}": wildcards are for subscriptions`;
  }
  return textProblem('a channel', name, MAX_CHANNEL_BYTES);
}

/** What is wrong with a pattern (PROTOCOL.md §6.2), as a short clause, or undefined when nothing is. */
export function patternProblem(pattern: string): string | undefined {
  if (hasWildcard(pattern)) {
    const levels = pattern.split('/');
    for (const [index, level] of levels.entries()) {
      if (level.length > 1 && hasWildcard(level)) {
        return `a wildcard must fill a whole level: "${level}" mixes it with other characters`;
      }
      if (level === '#' && index < levels.length - 1) return '"#" can only be the last level of a pattern';
    }
  }
  return textProblem('a pattern', pattern, MAX_CHANNEL_BYTES);
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
