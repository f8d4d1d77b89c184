import type { Cancel, Clock } from '../clock.js';

/** New patterns are told together after so many ms: who subscribes to one thing mostly subscribes to more. */
const GATHER_MS = 20;
/** How long a pattern that nobody is subscribed to any more is still asked for, ms: many are back at once. */
const LINGER_MS = 5000;

/** What a watch tells, as few times as it can. */
export interface InterestChanges {
  added(pattern: string): void;
  removed(pattern: string): void;
  /** All that was to be told for now is. */
  changed(): void;
}

/** Follows what peers are subscribed to: each pattern that anybody is subscribed to, and for a while after. */
export class InterestWatch {
  readonly #clock: Clock;
  readonly #changes: InterestChanges;
  /** How many subscriptions there are to each pattern. */
  readonly #counts = new Map<string, number>();
  readonly #told = new Set<string>();
  readonly #new = new Set<string>();
  /** Patterns that were told and that nobody is subscribed to any more, since when, ms of the clock: the oldest first. */
  readonly #lingering = new Map<string, number>();
  #gathering: Cancel | undefined;
  #sweeping: Cancel | undefined;

  constructor(clock: Clock, changes: InterestChanges) {
    this.#clock = clock;
    this.#changes = changes;
  }

  subscribed(pattern: string): void {
    this.#counts.set(pattern, (this.#counts.get(pattern) ?? 0) + 1);
    this.#lingering.delete(pattern);
    if (this.#told.has(pattern)) return;
    this.#new.add(pattern);
    this.#gathering ??= this.#clock.schedule(GATHER_MS, () => this.#tellNew());
  }

  unsubscribed(pattern: string): void {
    const count = (this.#counts.get(pattern) ?? 0) - 1;
    if (count > 0) {
      this.#counts.set(pattern, count);
      return;
    }
    this.#counts.delete(pattern);
    this.#new.delete(pattern);
    if (!this.#told.has(pattern)) return;
    this.#lingering.set(pattern, this.#clock.now());
    this.#sweepIn(LINGER_MS);
  }

  /**
   * Tells at once what is gathered. At the start that is all that sessions had asked for before: upstream must not be asked to forget it
   * for a moment.
   */
  flush(): void {
    this.#gathering?.();
    this.#tellNew();
  }

  stop(): void {
    this.#gathering?.();
    this.#sweeping?.();
  }

  #tellNew(): void {
    this.#gathering = undefined;
    if (this.#new.size === 0) return;
    for (const pattern of this.#new) {
      this.#told.add(pattern);
      this.#changes.added(pattern);
    }
    this.#new.clear();
    this.#changes.changed();
  }

  #sweepIn(ms: number): void {
    // A fraction of a millisecond may be too little to move a clock on.
    this.#sweeping ??= this.#clock.schedule(Math.ceil(ms), () => this.#sweep());
  }

  #sweep(): void {
    this.#sweeping = undefined;
    const now = this.#clock.now();
    let removed = 0;
    for (const [pattern, since] of this.#lingering) {
      // Not compared otherwise than it is waited for: fractions of a millisecond are rounded.
      const left = since + LINGER_MS - now;
      if (left > 0) {
        this.#sweepIn(left);
        break;
      }
      this.#lingering.delete(pattern);
      this.#told.delete(pattern);
      this.#changes.removed(pattern);
      removed += 1;
    }
    if (removed > 0) this.#changes.changed();
  }
}
