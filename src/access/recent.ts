/** Keys that were seen lately, in bounded memory: the one that was not seen longest makes room. */
export class Recent {
  readonly #max: number;
  readonly #ms: number;
  readonly #seen = new Map<string, number>();

  /** `ms`: for how long a key counts after it was added. */
  constructor(max: number, ms: number) {
    this.#max = max;
    this.#ms = ms;
  }

  has(key: string, now: number): boolean {
    const at = this.#seen.get(key);
    if (at === undefined) return false;
    if (now - at < this.#ms) return true;
    this.#seen.delete(key);
    return false;
  }

  add(key: string, now: number): void {
    this.#seen.delete(key);
    this.#seen.set(key, now);
    if (this.#seen.size <= this.#max) return;
    for (const oldest of this.#seen.keys()) {
      this.#seen.delete(oldest);
      return;
    }
  }
}
