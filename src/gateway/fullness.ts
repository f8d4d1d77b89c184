/** Whether a session has room for what is reliable: since when it has none, and whether that was said. */
export class Fullness {
  /** On the clock, in ms. */
  #since: number | undefined;
  #said = false;

  /** Its peer is there again: it has its time to catch up. */
  returned(): void {
    this.#since = undefined;
    this.#said = false;
  }

  /** Its peer is gone: that there is no room is news again. */
  left(): void {
    this.#said = false;
  }

  /** It took something. */
  hadRoom(): void {
    this.#since = undefined;
  }

  /** It had no room at `now`, ms, nor for `sinceMs` before. `first` since its peer came or left. */
  hadNone(now: number): { readonly sinceMs: number; readonly first: boolean } {
    this.#since ??= now;
    const first = !this.#said;
    this.#said = true;
    return { sinceMs: now - this.#since, first };
  }
}
