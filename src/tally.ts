/** How much each party has of something. */
export class Tally {
  readonly #amounts = new Map<string, number>();

  of(party: string): number {
    return this.#amounts.get(party) ?? 0;
  }

  add(party: string, amount = 1): void {
    if (amount > 0) this.#amounts.set(party, this.of(party) + amount);
  }

  remove(party: string, amount = 1): void {
    const left = this.of(party) - amount;
    if (left > 0) this.#amounts.set(party, left);
    else this.#amounts.delete(party);
  }
}
