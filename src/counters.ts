/**
 * Named counts of what happened: packets, drops, refusals, each by reason. A name is dotted, the general part first:
 * `serial.drop.crc`, `reject.queue_full`.
 */
export class Counters {
  readonly #counts = new Map<string, number>();
  readonly #total: Counters | undefined;

  /** `total`: is told the same, so that one part's counts are there by themselves and in the whole. */
  constructor(total?: Counters) {
    this.#total = total;
  }

  add(name: string, amount = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + amount);
    this.#total?.add(name, amount);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** All counts by name, in alphabetical order. */
  snapshot(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
