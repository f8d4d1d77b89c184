import type { Clock } from '../clock.js';

/** How much is done in one turn of the event loop before what else waits gets its chance. */
const TURN = { ms: 4, deliveries: 1024 };
/** How much one worker does while others wait. */
const SHARE = { ms: 1, deliveries: 256 };

/** What somebody may do now. */
export interface Share {
  /** Whether it is used up. */
  readonly over: boolean;
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
    if (this.#turn === undefined) {
      this.#turn = this.#allow(TURN);
      this.#schedule();
    }
    return this.#turn.over ? undefined : this.#allow(SHARE);
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

  #allow({ ms, deliveries }: { ms: number; deliveries: number }): Allowance {
    return new Allowance(
      this.#clock,
      this.#clock.now() + ms,
      this.#delivered,
      this.#delivered() + deliveries,
    );
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
  readonly #clock: Clock;
  readonly #until: number;
  readonly #delivered: () => number;
  readonly #limit: number;

  constructor(clock: Clock, until: number, delivered: () => number, limit: number) {
    this.#clock = clock;
    this.#until = until;
    this.#delivered = delivered;
    this.#limit = limit;
  }

  get over(): boolean {
    return this.#delivered() >= this.#limit || this.#clock.now() >= this.#until;
  }
}
