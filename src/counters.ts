/** One of the counts. What is counted with every message is looked up by its name once. */
export class Count {
  value = 0;
  readonly #total: Count | undefined;

  constructor(total?: Count) {
    this.#total = total;
  }

  add(amount = 1): void {
    this.value += amount;
    this.#total?.add(amount);
  }
}

/**
 * Named counts of what happened: packets, drops, refusals, each by reason. A name is dotted, the general part first:
 * `serial.drop.crc`, `reject.queue_full`.
 */
export class Counters {
  readonly #counts = new Map<string, Count>();
  readonly #total: Counters | undefined;

  /** `total`: is told the same, so that one part's counts are there by themselves and in the whole. */
  constructor(total?: Counters) {
    this.#total = total;
  }

  /** The count of that name. */
  count(name: string): Count {
    let count = this.#counts.get(name);
    if (count === undefined) {
      count = new Count(this.#total?.count(name));
      this.#counts.set(name, count);
    }
    return count;
  }

  add(name: string, amount = 1): void {
    this.count(name).add(amount);
  }

  get(name: string): number {
    return this.#counts.get(name)?.value ?? 0;
  }

  /** All counts by name, in alphabetical order, but those of what never happened. */
  snapshot(): Record<string, number> {
    const counts = [...this.#counts].map(([name, { value }]): [string, number] => [name, value]);
    return Object.fromEntries(counts.filter(([, value]) => value > 0).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
