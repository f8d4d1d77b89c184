/** Levels that the paths in a tree may have on average, shared ones counted once. */
const LEVELS_PER_PATH = 8;
/** What the fewest paths may have together: a path of 255 bytes, all of them `/`. */
const LEAST_LEVELS = 256;

/** Characters from which on it pays to look at no more levels than are needed. */
const LONG_PATH = 256;

/** How many levels a tree of so many paths may have: what bounds the memory that deep paths can take. */
export function levelsAllowed(paths: number): number {
  return paths * LEVELS_PER_PATH + LEAST_LEVELS;
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
 * A peer chooses how many levels they have, up to 65,536: hence no recursion.
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
    /** Of the value that moves down before the new one, as long as they share their levels. */
    let moved: readonly string[] | undefined;
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
        moved ??= this.#pathOf(place).split('/');
        this.#moveBelow(below, place, moved[depth + 1]);
        fork.children.set(level, below);
        fork = below;
      }
    }
  }

  /** Removes the value and every place that only it needed. */
  delete(path: string): void {
    const levels = path.split('/');
    const forks = [this.#root];
    for (let fork = this.#root; forks.length <= levels.length; forks.push(fork)) {
      const place: Place<T> = fork.children?.get(levels[forks.length - 1] as string);
      if (place === undefined) return;
      if (!(place instanceof Fork)) {
        if (this.#pathOf(place) !== path) return;
        this.#remove(fork, levels[forks.length - 1] as string);
        break;
      }
      fork = place;
    }
    if (forks.length > levels.length) (forks[levels.length] as Fork<T>).value = undefined;
    for (let depth = forks.length - 1; depth > 0; depth--) {
      const fork = forks[depth] as Fork<T>;
      const left = this.#onlyValueOf(fork);
      if (left === fork) return;
      const parent = forks[depth - 1] as Fork<T>;
      const level = levels[depth - 1] as string;
      if (left === undefined) this.#remove(parent, level);
      else parent.children?.set(level, left);
    }
  }

  #remove(fork: Fork<T>, level: string): void {
    fork.children?.delete(level);
    this.#nodes -= 1;
    if (fork.children?.size === 0) fork.children = undefined;
  }

  /** The values of the stored patterns that match the channel `name`. */
  matchingPatterns(name: string): T[] {
    const levels = name.split('/');
    const found: T[] = [];
    const places: (Fork<T> | T)[] = [this.#root];
    const depths = [0];
    for (let place = places.pop(); place !== undefined; place = places.pop()) {
      const depth = depths.pop() as number;
      if (!(place instanceof Fork)) {
        if (matches(this.#levelsOf(place, levels.length), levels, depth)) found.push(place);
        continue;
      }
      const level = levels[depth];
      const { children } = place;
      if (level === undefined && place.value !== undefined) found.push(place.value);
      if (children === undefined) continue;
      // A leading wildcard does not match a channel that begins with `$`.
      const wildcards = depth > 0 || !name.startsWith('$');
      const rest = wildcards ? children.get('#') : undefined;
      if (rest !== undefined) found.push(rest as T); // Nothing follows a #.
      if (level === undefined) continue;
      const anything = wildcards ? children.get('+') : undefined;
      if (anything !== undefined) {
        places.push(anything);
        depths.push(depth + 1);
      }
      const same = children.get(level);
      if (same !== undefined) {
        places.push(same);
        depths.push(depth + 1);
      }
    }
    return found;
  }

  /**
   * The values of the stored channels that `pattern` matches, found as they are asked for. The tree may change
   * meanwhile: what stays in it is found once, what comes or goes may be found or not.
   */
  *matchingNames(pattern: string): Generator<T, void> {
    const levels = pattern.split('/');
    const open: { places: Iterator<Place<T>>; depth: number }[] = [
      { places: [this.#root].values(), depth: 0 },
    ];
    for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
      const { value: place, done } = last.places.next();
      const { depth } = last;
      if (done === true) open.pop();
      else if (place instanceof Fork) {
        const level = levels[depth];
        if ((level === undefined || level === '#') && place.value !== undefined) yield place.value;
        // All that is below a # matches it.
        if (level !== undefined)
          open.push({ places: this.#below(place, level), depth: level === '#' ? depth : depth + 1 });
      } else if (place !== undefined && matches(levels, this.#levelsOf(place, levels.length), depth))
        yield place;
    }
  }

  /** What lies below the fork by names that the level of a pattern matches. */
  *#below(fork: Fork<T>, level: string): Generator<Place<T>, void> {
    const { children } = fork;
    if (level !== '#' && level !== '+') yield children?.get(level);
    else {
      for (const [name, place] of children ?? []) {
        if (fork !== this.#root || !name.startsWith('$')) yield place;
      }
    }
  }

  /** Whether a stored pattern could match `prefix` itself or a channel below it. */
  hasPatternsAt(prefix: string): boolean {
    const levels = prefix.split('/');
    const walk = (place: Place<T>, depth: number): boolean => {
      if (place === undefined) return false;
      if (!(place instanceof Fork)) return reaches(this.#levelsOf(place, levels.length), levels, depth);
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

  /** Of the value's path: as many as are needed to compare it with one that has `count`. */
  #levelsOf(value: T, count: number): string[] {
    const path = this.#pathOf(value);
    // With a limit it takes longer, but for very many levels.
    return path.length > LONG_PATH ? path.split('/', count + 1) : path.split('/');
  }

  /** Puts `value`, whose path goes through the new `fork`, there or, if it has one, below it at its next `level`. */
  #moveBelow(fork: Fork<T>, value: T, level: string | undefined): void {
    if (level === undefined) fork.value = value;
    else {
      fork.children = new Map([[level, value]]);
      this.#nodes += 1;
    }
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
