import { KEEP_ALIVE_GRACE, MAX_UNANSWERED_PINGS, PING_INTERVAL_MS } from '../wire/limits.js';

/** Whether the other side of a link is still there (PROTOCOL.md §4.5). All times are the caller's, in ms. */
export class KeepAlive {
  readonly #role: 'gateway' | 'peer';
  #periodMs = 0;
  #heardAt = 0;
  #sentAt = 0;
  #unanswered = 0;
  #askedAt = 0;

  constructor(role: 'gateway' | 'peer') {
    this.#role = role;
  }

  /** Begins on a new link. A period of 0 promises nothing. */
  restart(periodMs: number, now: number): void {
    this.#periodMs = periodMs;
    this.#heardAt = now;
    this.#sentAt = now;
    this.#unanswered = 0;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  heard(now: number): void {
    this.#heardAt = now;
    this.#unanswered = 0;
  }

  sent(now: number): void {
    this.#sentAt = now;
  }

  /** When `check` is due: the next PING of a peer, or the moment at which the other side counts as gone. */
  deadline(): number {
    if (this.#periodMs === 0) return Number.POSITIVE_INFINITY;
    if (this.#role === 'gateway') return this.#heardAt + this.#periodMs * KEEP_ALIVE_GRACE;
    if (this.#unanswered > 0) return this.#askedAt + PING_INTERVAL_MS;
    return Math.min(this.#heardAt, this.#sentAt) + this.#periodMs;
  }

  /** What is to be done at `now`, if anything: ask with a PING, or take the other side as gone. */
  check(now: number): 'ask' | 'gone' | undefined {
    if (now < this.deadline()) return undefined;
    if (this.#role === 'gateway' || this.#unanswered >= MAX_UNANSWERED_PINGS) return 'gone';
    this.#unanswered++;
    this.#askedAt = now;
    return 'ask';
  }
}
