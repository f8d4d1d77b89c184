/**
 * Notices when something stands still for too long. It looks seldom: whatever it watches pays nothing for being watched
 * while all goes well.
 */
export class StallWatch {
  readonly #ms: number;
  readonly #since: () => number | undefined;
  readonly #stalled: () => void;
  #timer: NodeJS.Timeout | undefined;

  /**
   * `since` tells since when nothing has moved (ms, as `performance.now`), or undefined when nothing has to. `stalled` is
   * called when that was `ms` ago.
   */
  constructor(ms: number, since: () => number | undefined, stalled: () => void) {
    this.#ms = ms;
    this.#since = since;
    this.#stalled = stalled;
  }

  /** From now on something may stand still. Costs nothing when that is known already. */
  start(): void {
    if (this.#timer === undefined) this.#wait(this.#ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    this.#timer = undefined;
    const since = this.#since();
    if (since === undefined) return;
    const left = this.#ms - (performance.now() - since);
    if (left > 0) this.#wait(left);
    else this.#stalled();
  }
}
