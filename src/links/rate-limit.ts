/** What was not used may be used later, up to so many seconds' worth. */
const BURST_S = 10;
/** Parties remembered; who was not heard longest makes room. */
const MAX_PARTIES = 10_000;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Lets each party do something so many times a second, in bounded memory. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  /** `perSecond`: 0 allows nothing. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Whether it may happen at `now` (ms) once more. */
  take(party: string, now: number): boolean {
    const most = this.#perSecond * BURST_S;
    const bucket = this.#buckets.get(party) ?? { tokens: most, filledAt: now };
    // Again at the end of the line: the first is the one that was not heard longest.
    this.#buckets.delete(party);
    this.#buckets.set(party, bucket);
    if (this.#buckets.size > MAX_PARTIES) this.#forgetOne();
    const filled = ((now - bucket.filledAt) / 1000) * this.#perSecond;
    bucket.tokens = Math.min(most, bucket.tokens + filled);
    bucket.filledAt = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #forgetOne(): void {
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}
