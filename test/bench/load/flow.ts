/**
 * How far each publisher may go: so many blocks ahead of the slowest of those who have to tell that they have one. A block is done
 * when all of them have it.
 */
export class Flow {
  readonly #tellers: number;
  readonly #window: number;
  /** By publisher. */
  readonly #sent: number[];
  readonly #done: number[];
  /** By publisher and teller. */
  readonly #told: number[][];

  constructor(publishers: number, tellers: number, window: number) {
    this.#tellers = tellers;
    this.#window = window;
    this.#sent = Array.from({ length: publishers }, () => 0);
    this.#done = Array.from({ length: publishers }, () => 0);
    this.#told = Array.from({ length: publishers }, () => Array.from({ length: tellers }, () => 0));
  }

  /** Counts a block as sent if it may be. Returns its number, or -1 if it may not. */
  send(publisher: number): number {
    const sent = this.#sent[publisher] as number;
    if (sent - (this.#done[publisher] as number) >= this.#window) return -1;
    this.#sent[publisher] = sent + 1;
    return sent;
  }

  /** A teller has another block of that publisher. */
  tell(publisher: number, teller: number): void {
    const told = this.#told[publisher] as number[];
    const before = told[teller] as number;
    told[teller] = before + 1;
    if (before > (this.#done[publisher] as number)) return;
    let least = before + 1;
    for (let n = 0; n < this.#tellers; n++) least = Math.min(least, told[n] as number);
    this.#done[publisher] = least;
  }

  /** Blocks that were sent and are not done. */
  get onTheWay(): number {
    return this.#sent.reduce((sum, sent, publisher) => sum + sent - (this.#done[publisher] as number), 0);
  }
}
