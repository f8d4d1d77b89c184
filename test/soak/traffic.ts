/** A storm is told from a burst by how long it lasts: ms. */
export const WINDOW_MS = 10_000;

/** How many packets one board and the gateway exchange, and the most that they did within WINDOW_MS. */
export class Traffic {
  readonly #now: () => number;
  total = 0;
  most = 0;
  #window = 0;
  #inWindow = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  count(): void {
    const window = Math.floor(this.#now() / WINDOW_MS);
    if (window !== this.#window) this.#inWindow = 0;
    this.#window = window;
    this.#inWindow++;
    this.total++;
    this.most = Math.max(this.most, this.#inWindow);
  }
}
