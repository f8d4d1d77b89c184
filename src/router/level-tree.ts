/** Levels that the paths in a tree may have on average, shared ones counted once. */
const LEVELS_PER_PATH = 8;
/** The most levels that one path can have: 255 bytes, all of them `/`. */
const MAX_LEVELS = 256;

/** How many levels a tree of so many paths may have: what bounds the memory that deep paths can take. */
export function levelsAllowed(paths: number): number {
  return paths * LEVELS_PER_PATH + MAX_LEVELS;
}

export function levelsOf(path: string): number {
  return path.split('/').length;
}

/** A level at which paths part, or at which one ends and others go on. */
class Fork<T> {
  /** By their next level, what lies below: a value where it is the only one there, with all its further levels in its own path. */
  children: Map<string, Fork<T> | T> | undefined;
  value: T | undefined;
}

type Place<T> = Fork<T> | T | undefined;

/**
 * Values by path, a path being levels separated by `/`. It holds either patterns, and finds those that match a channel,
 * or channels, and finds those that a pattern matches (PROTOCOL.md §6.2). Paths must be valid; it does not check them.
 * A path takes one place from where no other shares its levels: very many cost little memory.
 */
export class LevelTree<T extends object> {
  readonly #root = new Fork<T>();
  readonly #pathOf: (value: T) => string;
  #nodes = 0;

  /** `pathOf`: the path of a value, which must not change. */
  constructor(pathOf: (value: T) => string) {
    this.#pathOf = pathOf;
  }

  /** How many places are taken, at most one for each level. */
  get nodes(): number {
    return this.#nodes;
  }

  get(path: string): T | undefined {
    let place: Place<T> = this.#root;
    for (const level of path.split('/')) {
      place = place.children?.get(level);
      if (!(place instanceof Fork)) break;
    }
    if (place instanceof Fork) return place.value;
    return place !== undefined && this.#pathOf(place) === path ? place : undefined;
  }

  /** Stores a value in place of an earlier one of the same path. */
  put(value: T): void {
    const path = this.#pathOf(value);
    const levels = path.split('/');
    let fork = this.#root;
    for (let depth = 0; ; depth++) {
      const level = levels[depth];
      if (level === undefined) {
        fork.value = value;
        return;
      }
      fork.children ??= new Map();
      const place = fork.children.get(level);
      if (place instanceof Fork) {
        fork = place;
      } else if (place === undefined || this.#pathOf(place) === path) {
        if (place === undefined) this.#nodes += 1;
        fork.children.set(level, value);
        return;
      } else {
        const below = new Fork<T>();
        this.#moveBelow(below, place, depth + 1);
        fork.children.set(level, below);
        fork = below;
      }
    }
  }

  /** Removes the value and every place that only it needed. */
  delete(path: string): void {
    this.#deleteBelow(this.#root, path, path.split('/'), 0);
  }

  /** The values of the stored patterns that match the channel `name`. */
  matchingPatterns(name: string): T[] {
    const levels = name.split('/');
    const found: T[] = [];
    const walk = (place: Place<T>, depth: number): void => {
      if (place === undefined) return;
      if (!(place instanceof Fork)) {
        if (matches(this.#levelsOf(place), levels, depth)) found.push(place);
        return;
      }
      const level = levels[depth];
      const { children } = place;
      // A leading wildcard does not match a channel that begins with `$`.
      const wildcards = depth > 0 || !name.startsWith('$');
      const rest = wildcards ? children?.get('#') : undefined;
      if (rest !== undefined) found.push(rest as T); // Nothing follows a #.
      if (level === undefined) {
        if (place.value !== undefined) found.push(place.value);
        return;
      }
      walk(children?.get(level), depth + 1);
      if (wildcards) walk(children?.get('+'), depth + 1);
    };
    walk(this.#root, 0);
    return found;
  }

  /**
   * The values of the stored channels that `pattern` matches, found as they are asked for. The tree may change
   * meanwhile: what stays in it is found once, what comes or goes may be found or not.
   */
  matchingNames(pattern: string): Generator<T, void> {
    return this.#matchingBelow(this.#root, pattern.split('/'), 0);
  }

  *#matchingBelow(place: Place<T>, levels: readonly string[], depth: number): Generator<T, void> {
    if (place === undefined) return;
    if (!(place instanceof Fork)) {
      if (matches(levels, this.#levelsOf(place), depth)) yield place;
      return;
    }
    const level = levels[depth];
    if ((level === undefined || level === '#') && place.value !== undefined) yield place.value;
    if (level === undefined || place.children === undefined) return;
    if (level !== '#' && level !== '+') {
      yield* this.#matchingBelow(place.children.get(level), levels, depth + 1);
      return;
    }
    for (const [name, child] of place.children) {
      if (depth === 0 && name.startsWith('$')) continue;
      if (level === '+') yield* this.#matchingBelow(child, levels, depth + 1);
      else yield* everything(child);
    }
  }

  /** Whether a stored pattern could match `prefix` itself or a channel below it. */
  hasPatternsAt(prefix: string): boolean {
    const levels = prefix.split('/');
    const walk = (place: Place<T>, depth: number): boolean => {
      if (place === undefined) return false;
      if (!(place instanceof Fork)) return reaches(this.#levelsOf(place), levels, depth);
      const level = levels[depth];
      const { children } = place;
      if (level === undefined) return place.value !== undefined || children !== undefined;
      if (children === undefined) return false;
      if (walk(children.get(level), depth + 1)) return true;
      const wildcards = depth > 0 || !prefix.startsWith('$');
      return wildcards && (children.has('#') || walk(children.get('+'), depth + 1));
    };
    return walk(this.#root, 0);
  }

  #levelsOf(value: T): string[] {
    return this.#pathOf(value).split('/');
  }

  /** Puts `value`, whose path goes through the new `fork` at `depth`, there or one level further. */
  #moveBelow(fork: Fork<T>, value: T, depth: number): void {
    const level = this.#levelsOf(value)[depth];
    if (level === undefined) fork.value = value;
    else {
      fork.children = new Map([[level, value]]);
      this.#nodes += 1;
    }
  }

  #deleteBelow(fork: Fork<T>, path: string, levels: readonly string[], depth: number): void {
    const level = levels[depth];
    if (level === undefined) {
      fork.value = undefined;
      return;
    }
    const { children } = fork;
    const place = children?.get(level);
    if (children === undefined || place === undefined) return;
    if (place instanceof Fork) {
      this.#deleteBelow(place, path, levels, depth + 1);
      const left = this.#onlyValueOf(place);
      if (left === place) return;
      if (left !== undefined) {
        children.set(level, left);
        return;
      }
    } else if (this.#pathOf(place) !== path) return;
    children.delete(level);
    this.#nodes -= 1;
    if (children.size === 0) fork.children = undefined;
  }

  /** What may stand in the place of a fork of which something was deleted: the one value that is left, or the fork itself. */
  #onlyValueOf(fork: Fork<T>): Place<T> {
    const { children } = fork;
    if (children === undefined) return fork.value;
    if (fork.value !== undefined || children.size > 1) return fork;
    for (const only of children.values()) {
      if (only instanceof Fork) return fork;
      this.#nodes -= 1;
      return only;
    }
    return fork;
  }
}

/** Whether the levels of a pattern match those of a name, from `depth` on. */
function matches(pattern: readonly string[], name: readonly string[], depth: number): boolean {
  for (let i = depth; ; i++) {
    const level = pattern[i];
    if (level === '#') return true;
    if (level === undefined || name[i] === undefined) return level === name[i];
    if (level !== '+' && level !== name[i]) return false;
  }
}

/** Whether a pattern could match `prefix` or a name below it, by the levels from `depth` on. */
function reaches(pattern: readonly string[], prefix: readonly string[], depth: number): boolean {
  for (let i = depth; ; i++) {
    const level = pattern[i];
    if (prefix[i] === undefined || level === '#') return true;
    if (level !== '+' && level !== prefix[i]) return false;
  }
}

function* everything<T>(place: Fork<T> | T): Generator<T, void> {
  if (!(place instanceof Fork)) {
    yield place;
    return;
  }
  if (place.value !== undefined) yield place.value;
  for (const child of place.children?.values() ?? []) yield* everything(child);
}
