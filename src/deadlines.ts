import type { Cancel, Clock } from './clock.js';

/**
 * Waits of one length, for very many at once: they end in the order in which they began, so one map and one timer do for
 * all of them.
 */
export class Deadlines<T> {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #ended: (item: T) => void;
  /** When each wait ends, ms of the clock; in that order. */
  readonly #ends = new Map<T, number>();
  #cancelTimer: Cancel | undefined;

  /** `ended` is called when an item has waited for `ms` milliseconds. */
  constructor(clock: Clock, ms: number, ended: (item: T) => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#ended = ended;
  }

  get size(): number {
    return this.#ends.size;
  }

  has(item: T): boolean {
    return this.#ends.has(item);
  }

  /** The item waits from now on, whether or not it waited before. */
  start(item: T): void {
    this.#ends.delete(item);
    this.#ends.set(item, Math.ceil(this.#clock.now() + this.#ms));
    this.#cancelTimer ??= this.#clock.schedule(this.#ms, () => this.#end());
  }

  /** The item waits no more. */
  stop(item: T): void {
    if (this.#ends.delete(item) && this.#ends.size === 0) this.stopAll();
  }

  stopAll(): void {
    this.#ends.clear();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** What waits, longest first. */
  [Symbol.iterator](): Iterator<T> {
    return this.#ends.keys();
  }

  #end(): void {
    this.#cancelTimer = undefined;
    const now = this.#clock.now();
    const ended: T[] = [];
    for (const [item, end] of this.#ends) {
      if (end > now) {
        this.#cancelTimer = this.#clock.schedule(Math.ceil(end - now), () => this.#end());
        break;
      }
      ended.push(item);
      this.#ends.delete(item);
    }
    for (const item of ended) this.#ended(item);
  }
}
