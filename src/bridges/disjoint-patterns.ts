import type { Levels } from '../wire/patterns.js';
import { covers, join } from './patterns.js';

/** A pattern of the set, and the highest QoS of those that it stands for. */
interface Member<Rank> {
  readonly levels: Levels;
  rank: Rank;
}

class Node<Rank> {
  readonly children = new Map<string, Node<Rank>>();
  member: Member<Rank> | undefined;
}

/**
 * Patterns of which no two match the same name, each with a rank. Two that do are replaced by the narrowest one that covers both, which
 * has the higher rank of the two; the order in which they come makes no difference. None may begin with `$`. It goes as deep as the
 * longest pattern has levels: they are to be bounded.
 */
export class DisjointPatterns<Rank extends number> {
  readonly #root = new Node<Rank>();
  readonly #members = new Set<Member<Rank>>();

  get size(): number {
    return this.#members.size;
  }

  *[Symbol.iterator](): Generator<{ pattern: string; rank: Rank }> {
    for (const { levels, rank } of this.#members) yield { pattern: levels.join('/'), rank };
  }

  /** Returns whether that changes anything: not if a pattern of no lower rank covers this one. */
  add(pattern: Levels, rank: Rank): boolean {
    let levels = pattern;
    let highest = rank;
    for (;;) {
      const other = overlapping(this.#root, levels, 0);
      if (other === undefined) break;
      if (other.rank > highest) highest = other.rank;
      if (covers(other.levels, levels)) {
        if (other.rank === highest) return false;
        other.rank = highest;
        return true;
      }
      this.#remove(other);
      // Names that both match begin alike: there is one that covers both.
      levels = join(other.levels, levels) ?? ['#'];
    }
    this.#put({ levels, rank: highest });
    return true;
  }

  #put(member: Member<Rank>): void {
    let node = this.#root;
    for (const level of member.levels) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = new Node();
        node.children.set(level, child);
      }
      node = child;
    }
    node.member = member;
    this.#members.add(member);
  }

  #remove(member: Member<Rank>): void {
    const path = [this.#root];
    for (const level of member.levels) {
      const child = path.at(-1)?.children.get(level);
      if (child !== undefined) path.push(child);
    }
    const last = path.at(-1);
    if (last) last.member = undefined;
    // Every branch leads to a member.
    for (let depth = path.length - 1; depth > 0; depth--) {
      const node = path[depth];
      if (node?.member !== undefined || (node?.children.size ?? 0) > 0) break;
      path[depth - 1]?.children.delete(member.levels[depth - 1] ?? '');
    }
    this.#members.delete(member);
  }
}

/** A member below the node that matches a name that the levels from `depth` on match as well. */
function overlapping<Rank>(node: Node<Rank>, levels: Levels, depth: number): Member<Rank> | undefined {
  // The parent's level included: "a/#" is for "a".
  const rest = node.children.get('#')?.member;
  if (rest !== undefined) return rest;
  const level = levels[depth];
  if (level === undefined) return node.member;
  if (level === '#') return anyOf(node);
  if (level === '+') {
    for (const child of node.children.values()) {
      const found = overlapping(child, levels, depth + 1);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  for (const key of [level, '+']) {
    const child = node.children.get(key);
    const found = child && overlapping(child, levels, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function anyOf<Rank>(node: Node<Rank>): Member<Rank> | undefined {
  let at: Node<Rank> | undefined = node;
  while (at !== undefined && at.member === undefined) at = first(at.children.values());
  return at?.member;
}

function first<Value>(values: Iterable<Value>): Value | undefined {
  for (const value of values) return value;
  return undefined;
}
