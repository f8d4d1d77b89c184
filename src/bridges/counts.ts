import type { Count, Counters } from '../counters.js';

/** What one bridge counts, as `bridges.<name>.…` among all that the gateway counts. */
export class BridgeCounts {
  /** Messages that went upstream; a reliable one when upstream has it. */
  readonly out: Count;
  /** Messages from upstream that the router took. */
  readonly in: Count;
  readonly #counters: Counters;
  readonly #prefix: string;
  readonly #drops = new Map<string, Count>();

  constructor(counters: Counters, bridge: string) {
    this.#counters = counters;
    this.#prefix = `bridges.${bridge}`;
    this.out = counters.count(`${this.#prefix}.out`);
    this.in = counters.count(`${this.#prefix}.in`);
  }

  /** Counts what is neither passed on nor dropped, as `loop`. */
  add(what: string, amount = 1): void {
    this.#counters.add(`${this.#prefix}.${what}`, amount);
  }

  drop(reason: string, amount = 1): void {
    let count = this.#drops.get(reason);
    if (count === undefined) {
      count = this.#counters.count(`${this.#prefix}.drop.${reason}`);
      this.#drops.set(reason, count);
    }
    count.add(amount);
  }

  /** What was dropped so far, by reason; also what the upstream counts by itself. */
  get drops(): Record<string, number> {
    const prefix = `${this.#prefix}.drop.`;
    const all = Object.entries(this.#counters.snapshot());
    const drops = all.filter(([name]) => name.startsWith(prefix));
    return Object.fromEntries(drops.map(([name, count]) => [name.slice(prefix.length), count]));
  }
}
