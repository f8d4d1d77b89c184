import type { Cancel, Clock } from '../clock.js';

/** Between two turns of work the event loop is free for at least this long, in ms. */
const REST_MS = 2;
/** Work is cut into pieces of this many ms of the paced thing's time, … */
const STEP_MS = 1;
/** … and a turn ends when it has taken this many ms of the clock's. */
const TURN_MS = 5;
/** Whoever is further behind than this many ms stays behind: a laptop that wakes up does not replay the night. */
const MAX_DEBT_MS = 50;

/** Calls a function that simulates some milliseconds so that simulated time keeps up with a clock, as far as it can. */
export class Pacer {
  readonly #advance: (ms: number) => void;
  readonly #clock: Clock;
  #cancel: Cancel | undefined;
  #reached = 0;
  #lostMs = 0;

  /** @param advance simulates that many ms; it must not throw */
  constructor(advance: (ms: number) => void, clock: Clock) {
    this.#advance = advance;
    this.#clock = clock;
  }

  get running(): boolean {
    return this.#cancel !== undefined;
  }

  /** Milliseconds given up so far because they could not be simulated in time. */
  get lostMs(): number {
    return this.#lostMs;
  }

  start(): void {
    if (this.running) return;
    this.#reached = this.#clock.now();
    this.#rest();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #rest(): void {
    this.#cancel = this.#clock.schedule(REST_MS, () => this.#turn());
  }

  #turn(): void {
    const began = this.#clock.now();
    const excess = began - this.#reached - MAX_DEBT_MS;
    if (excess > 0) {
      this.#lostMs += excess;
      this.#reached += excess;
    }
    while (this.running && this.#reached < began && this.#clock.now() - began < TURN_MS) {
      const step = Math.min(STEP_MS, began - this.#reached);
      this.#reached += step;
      this.#advance(step);
    }
    if (this.running) this.#rest();
  }
}
