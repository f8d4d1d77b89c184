import type { Clock } from './clock.js';

/** How much is done in one turn of the event loop before what else waits gets its chance. */
const TURN = { ms: 2, deliveries: 16_384 };
/** How much one worker does while others wait. */
const SHARE = { ms: 0.5, deliveries: 4096 };
/** The clock is looked at after so many emits or deliveries: that takes longer than most of them. */
const LOOK_EVERY = 32;

/** What somebody may do now. */
export interface Share {
  /** When it began, ms of the clock. */
  readonly at: number;
  /** Whether it is used up, after another `work`, counted in emits: left out, it may have been a great deal. */
  over(work?: number): boolean;
}

/** Somebody with more to do than one turn allows. */
export interface Worker {
  /** Goes on until all is done or the share is over, one piece at least. Returns whether more is left. */
  work(share: Share): boolean;
}

/**
 * Shares the event loop's time among those who have work, so that a flood from one keeps nobody else waiting for longer
 * than a few turns. What comes is worked off at once while the turn has time; what is left over waits its turn, in line
 * with what others left over.
 */
export class FairTurns {
  readonly #clock: Clock;
  readonly #delivered: () => number;
  readonly #line = new Set<Worker>();
  #turn: Allowance | undefined;
  #scheduled = false;

  /** `delivered` counts deliveries up: each costs its time later, when the turn is over and it is sent. */
  constructor(clock: Clock, delivered: () => number) {
    this.#clock = clock;
    this.#delivered = delivered;
  }

  /** What somebody may do now; undefined when this turn's time is up: then `wait`. */
  begin(): Share | undefined {
    const now = this.#clock.now();
    if (this.#turn === undefined) {
      this.#turn = new Allowance(this.#clock, now, this.#delivered, TURN);
      this.#schedule();
    }
    if (this.#turn.overAt(now)) return undefined;
    return new Allowance(this.#clock, now, this.#delivered, SHARE);
  }

  /** The worker is called when its turn comes; it need not ask again while it waits. */
  wait(worker: Worker): void {
    this.#line.add(worker);
    this.#schedule();
  }

  /** The worker has nothing more to do. */
  leave(worker: Worker): void {
    this.#line.delete(worker);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.yield(this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#scheduled = false;
    this.#turn = undefined;
    // Whoever has more to do goes to the end of the line, which this loop comes to as well.
    for (const worker of this.#line) {
      const share = this.begin();
      if (share === undefined) break;
      this.#line.delete(worker);
      if (worker.work(share)) this.#line.add(worker);
    }
    // What comes now finds a turn of its own: who sends little need not stand in line behind those who send much.
    this.#turn = undefined;
    if (this.#line.size > 0) this.#schedule();
  };
}

class Allowance implements Share {
  readonly at: number;
  readonly #clock: Clock;
  readonly #delivered: () => number;
  readonly #until: number;
  readonly #limit: number;
  #work = 0;
  #lookAt: number;

  constructor(
    clock: Clock,
    now: number,
    delivered: () => number,
    { ms, deliveries }: { ms: number; deliveries: number },
  ) {
    this.at = now;
    this.#clock = clock;
    this.#delivered = delivered;
    this.#until = now + ms;
    this.#limit = delivered() + deliveries;
    this.#lookAt = delivered() + LOOK_EVERY;
  }

  over(work = LOOK_EVERY): boolean {
    this.#work += work;
    if (this.#work < LOOK_EVERY && this.#delivered() < this.#lookAt) return false;
    this.#work = 0;
    this.#lookAt = this.#delivered() + LOOK_EVERY;
    return this.overAt(this.#clock.now());
  }

  overAt(now: number): boolean {
    return now >= this.#until || this.#delivered() >= this.#limit;
  }
}
