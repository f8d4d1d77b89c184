import { levelsOf } from './level-tree.js';
import type { Subscription } from './subscription.js';

/** So many characters of a pattern weigh as much as a level. */
const CHARACTERS_PER_LEVEL = 32;

/** From so many on it pays to find them by pattern. */
const MANY = 32;

/** All subscriptions of one subscriber, as a chain from the newest on: boards have few, and an array costs more than these. */
export class Portfolio {
  #newest: Subscription | undefined;
  /** All of them, once there are many. */
  #byPattern: Map<string, Subscription> | undefined;
  #size = 0;
  #weight = 0;

  get size(): number {
    return this.#size;
  }

  /** Of all its patterns, in levels: what bounds the memory that deep and long ones can take. */
  get weight(): number {
    return this.#weight;
  }

  /** The newest first. */
  *[Symbol.iterator](): Generator<Subscription, void> {
    for (let one = this.#newest; one !== undefined; one = one.older) yield one;
  }

  find(pattern: string): Subscription | undefined {
    if (this.#size >= MANY) {
      this.#byPattern ??= new Map([...this].map((each) => [each.pattern, each]));
      return this.#byPattern.get(pattern);
    }
    let one = this.#newest;
    while (one !== undefined && one.pattern !== pattern) one = one.older;
    return one;
  }

  add(subscription: Subscription): void {
    subscription.older = this.#newest;
    this.#newest = subscription;
    this.#byPattern?.set(subscription.pattern, subscription);
    this.#size += 1;
    this.#weight += weightOf(subscription.pattern);
  }

  /** Removes one that is there. */
  remove(subscription: Subscription): void {
    let newer = this.#newest;
    if (newer === subscription) this.#newest = subscription.older;
    while (newer !== undefined && newer.older !== subscription) newer = newer.older;
    if (newer !== undefined) newer.older = subscription.older;
    this.#size -= 1;
    if (this.#size < MANY) this.#byPattern = undefined;
    else this.#byPattern?.delete(subscription.pattern);
    this.#weight -= weightOf(subscription.pattern);
  }
}

/** What a pattern counts as in `Portfolio.weight`: one of up to 255 bytes and 8 levels, 8 at most. */
export function weightOf(pattern: string): number {
  return Math.max(levelsOf(pattern), Math.ceil(pattern.length / CHARACTERS_PER_LEVEL));
}
