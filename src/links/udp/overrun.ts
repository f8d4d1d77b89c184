/** A turn of the event loop with so many datagrams left others in the socket: the system hands over 32 at most. */
const FULL_TURN = 16;
/** After so long without a full turn, ms, whatever there was is over. */
const QUIET_MS = 100;

/** Tells whether datagrams come faster than they are worked off: then turn after turn is full of them. */
export class Overrun {
  readonly #now: () => number;
  readonly #afterTurn: (task: () => void) => void;
  #inTurn = 0;
  #since = 0;
  #lastFullAt = Number.NEGATIVE_INFINITY;

  /** `now` in ms; `afterTurn` runs a task once all that is ready has had its turn. */
  constructor(now: () => number, afterTurn: (task: () => void) => void) {
    this.#now = now;
    this.#afterTurn = afterTurn;
  }

  /** To be called for each datagram. */
  count(): void {
    if (this.#inTurn++ === 0) this.#afterTurn(this.#endTurn);
  }

  /** For how long, ms, datagrams have come faster than they were worked off. */
  get ms(): number {
    const now = this.#now();
    return now - this.#lastFullAt > QUIET_MS ? 0 : now - this.#since;
  }

  readonly #endTurn = (): void => {
    const now = this.#now();
    if (this.#inTurn < FULL_TURN) this.#lastFullAt = Number.NEGATIVE_INFINITY;
    else {
      if (now - this.#lastFullAt > QUIET_MS) this.#since = now;
      this.#lastFullAt = now;
    }
    this.#inTurn = 0;
  };
}
