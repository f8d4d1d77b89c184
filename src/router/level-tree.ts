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

interface Node<T> {
  children: Map<string, Node<T>> | undefined;
  value: T | undefined;
}

/**
 * Values by path, a path being levels separated by `/`. It holds either patterns, and finds those that match a channel,
 * or channels, and finds those that a pattern matches (PROTOCOL.md §6.2). Paths must be valid; it does not check them.
 */
export class LevelTree<T extends object> {
  readonly #root: Node<T> = { children: undefined, value: undefined };
  #nodes = 0;

  /** How many levels are stored, shared ones once. */
  get nodes(): number {
    return this.#nodes;
  }

  get(path: string): T | undefined {
    let node: Node<T> | undefined = this.#root;
    for (const level of path.split('/')) {
      node = node.children?.get(level);
      if (node === undefined) return undefined;
    }
    return node.value;
  }

  set(path: string, value: T): void {
    let node = this.#root;
    for (const level of path.split('/')) {
      node.children ??= new Map();
      let child = node.children.get(level);
      if (child === undefined) {
        child = { children: undefined, value: undefined };
        node.children.set(level, child);
        this.#nodes += 1;
      }
      node = child;
    }
    node.value = value;
  }

  /** Removes the value and every level that only it needed. */
  delete(path: string): void {
    this.#deleteBelow(this.#root, path.split('/'), 0);
  }

  /** The values of the stored patterns that match the channel `name`. */
  matchingPatterns(name: string): T[] {
    const levels = name.split('/');
    const found: T[] = [];
    const walk = (node: Node<T>, depth: number): void => {
      const level = levels[depth];
      const children = node.children;
      // A leading wildcard does not match a channel that begins with `$`.
      const wildcards = depth > 0 || !name.startsWith('$');
      const rest = wildcards ? children?.get('#') : undefined;
      if (rest?.value !== undefined) found.push(rest.value);
      if (level === undefined) {
        if (node.value !== undefined) found.push(node.value);
        return;
      }
      const exact = children?.get(level);
      if (exact !== undefined) walk(exact, depth + 1);
      const any = wildcards ? children?.get('+') : undefined;
      if (any !== undefined) walk(any, depth + 1);
    };
    walk(this.#root, 0);
    return found;
  }

  /** The values of the stored channels that `pattern` matches. */
  matchingNames(pattern: string): T[] {
    const levels = pattern.split('/');
    const found: T[] = [];
    const walk = (node: Node<T>, depth: number): void => {
      const level = levels[depth];
      if ((level === undefined || level === '#') && node.value !== undefined) found.push(node.value);
      if (level === undefined || node.children === undefined) return;
      if (level !== '#' && level !== '+') {
        const child = node.children.get(level);
        if (child !== undefined) walk(child, depth + 1);
        return;
      }
      for (const [name, child] of node.children) {
        if (depth === 0 && name.startsWith('$')) continue;
        if (level === '+') walk(child, depth + 1);
        else takeAll(child, found);
      }
    };
    walk(this.#root, 0);
    return found;
  }

  /** Whether a stored pattern could match `prefix` itself or a channel below it. */
  hasPatternsAt(prefix: string): boolean {
    const levels = prefix.split('/');
    const walk = (node: Node<T>, depth: number): boolean => {
      const level = levels[depth];
      const { children } = node;
      if (level === undefined) return node.value !== undefined || children !== undefined;
      if (children === undefined) return false;
      const wildcards = depth > 0 || !prefix.startsWith('$');
      if (wildcards && children.has('#')) return true;
      return [level, ...(wildcards ? ['+'] : [])].some((name) => {
        const child = children.get(name);
        return child !== undefined && walk(child, depth + 1);
      });
    };
    return walk(this.#root, 0);
  }

  #deleteBelow(node: Node<T>, levels: readonly string[], depth: number): void {
    const level = levels[depth];
    if (level === undefined) {
      node.value = undefined;
      return;
    }
    const child = node.children?.get(level);
    if (child === undefined) return;
    this.#deleteBelow(child, levels, depth + 1);
    if (child.value !== undefined || child.children !== undefined) return;
    node.children?.delete(level);
    if (node.children?.size === 0) node.children = undefined;
    this.#nodes -= 1;
  }
}

function takeAll<T>(node: Node<T>, found: T[]): void {
  if (node.value !== undefined) found.push(node.value);
  if (node.children === undefined) return;
  for (const child of node.children.values()) takeAll(child, found);
}
