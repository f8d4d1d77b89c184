import { MAX_NAME_BYTES } from '../router/names.js';
import { isWildcard, type Levels, matches } from '../wire/patterns.js';
import { intersect } from './patterns.js';

/** The names that a rule of a bridge carries: what each is called on the other side. Wildcards correspond by their positions. */
export class NameRule {
  /** The pattern here. */
  readonly pattern: string;
  /** The pattern there, which has the same wildcards in the same order. */
  readonly remote: string;
  readonly #toRemote: Translation;
  readonly #toLocal: Translation;
  readonly #levels: Levels;

  /** Both patterns must be valid, and fit each other as the config demands it. */
  constructor({ pattern, remote }: { readonly pattern: string; readonly remote: string }) {
    this.pattern = pattern;
    this.remote = remote;
    this.#toRemote = new Translation(pattern, remote);
    this.#toLocal = new Translation(remote, pattern);
    this.#levels = pattern.split('/');
  }

  /**
   * What the channel of that name is called there. Undefined when the rule is not for it, or no name there can be its own: it would be
   * empty, begin with `$` or have more than 65,535 bytes.
   */
  toRemote(channelName: string): string | undefined {
    return this.#toRemote.ofName(channelName);
  }

  /** What the remote name is called here; undefined as of `toRemote`. */
  toLocal(remoteName: string): string | undefined {
    return this.#toLocal.ofName(remoteName);
  }

  /** The pattern there for as much of the pattern here as the rule is for; undefined if that is nothing. */
  patternToRemote(pattern: string): string | undefined {
    const inside = intersect(this.#levels, pattern.split('/'));
    return inside && this.#toRemote.ofPattern(inside);
  }
}

/** From the names of one pattern to those of another. */
class Translation {
  readonly #from: Levels;
  readonly #to: Levels;
  /** Where the only wildcard is `#`, all that changes is what stands before it. */
  readonly #prefix: { readonly from: string; readonly to: string } | undefined;

  constructor(from: string, to: string) {
    this.#from = from.split('/');
    this.#to = to.split('/');
    const wildcards = this.#from.filter(isWildcard);
    if (wildcards.length === 1 && from.endsWith('/#') && to.endsWith('/#'))
      this.#prefix = { from: from.slice(0, -2), to: to.slice(0, -2) };
  }

  ofName(name: string): string | undefined {
    const translated = this.#prefix === undefined ? this.#byLevels(name) : withPrefix(name, this.#prefix);
    return translated !== undefined && isName(translated) ? translated : undefined;
  }

  /** Of a pattern that is within that of the names. */
  ofPattern(pattern: Levels): string | undefined {
    const translated = this.#translate(pattern).join('/');
    return translated === '' || translated.startsWith('$') ? undefined : translated;
  }

  #byLevels(name: string): string | undefined {
    const levels = name.split('/');
    return matches(this.#from, levels) ? this.#translate(levels).join('/') : undefined;
  }

  #translate(levels: Levels): string[] {
    const translated: string[] = [];
    /** Up to where the wildcards of the names have been used. */
    let at = 0;
    for (const level of this.#to) {
      if (level === '#') {
        for (const rest of levels.slice(this.#from.length - 1)) translated.push(rest);
      } else if (level === '+') {
        at = this.#from.indexOf('+', at);
        translated.push(levels[at++] ?? '');
      } else {
        translated.push(level);
      }
    }
    return translated;
  }
}

function withPrefix(name: string, { from, to }: { from: string; to: string }): string | undefined {
  if (!name.startsWith(from)) return undefined;
  // The parent's level included: "a/#" is for "a".
  if (name.length !== from.length && name[from.length] !== '/') return undefined;
  return to + name.slice(from.length);
}

function isName(text: string): boolean {
  if (text === '' || text.startsWith('$')) return false;
  // A character takes three bytes at most; one of four bytes is two of a string's.
  return text.length * 3 <= MAX_NAME_BYTES || Buffer.byteLength(text) <= MAX_NAME_BYTES;
}
