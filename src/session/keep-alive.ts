import {
  KEEP_ALIVE_GRACE,
  MAX_UNANSWERED_PINGS,
  PING_INTERVAL_MS,
  UDP_KEEP_ALIVE_S,
} from '../wire/limits.js';

/** Whether the other side of a link is still there (PROTOCOL.md §4.5, §4.7). All times are the caller's, in ms. */
export class KeepAlive {
  readonly #role: 'gateway' | 'peer';
  #periodMs = 0;
  #heardAt = 0;
  #sentAt = 0;
  #unanswered = 0;
  #askedAt = 0;
  /** The peer sleeps until then; 0 when it is awake. */
  #sleepsUntil = 0;

  constructor(role: 'gateway' | 'peer') {
    this.#role = role;
  }

  /** Begins on a new link. A period of 0 promises nothing. */
  restart(periodMs: number, now: number): void {
    this.#periodMs = periodMs;
    this.#heardAt = now;
    this.#sentAt = now;
    this.#unanswered = 0;
    this.#sleepsUntil = 0;
  }

  /** The peer, which is this side or the other, is silent until then. */
  sleep(until: number): void {
    this.#sleepsUntil = until;
  }

  wake(): void {
    this.#sleepsUntil = 0;
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
    if (this.#sleepsUntil > 0) return this.#endOfSleep();
    if (this.#periodMs === 0) return Number.POSITIVE_INFINITY;
    if (this.#role === 'gateway') return this.#heardAt + this.#periodMs * KEEP_ALIVE_GRACE;
    if (this.#unanswered > 0) return this.#askedAt + PING_INTERVAL_MS;
    return Math.min(this.#heardAt, this.#sentAt) + this.#periodMs;
  }

  #endOfSleep(): number {
    if (this.#role === 'peer') return this.#sleepsUntil;
    // A peer that promised to say something after its sleep is held to that, even if it promised nothing else.
    const period = this.#periodMs || UDP_KEEP_ALIVE_S * 1000;
    return Math.max(this.#sleepsUntil, this.#heardAt) + period * KEEP_ALIVE_GRACE;
  }

  /** What is to be done at `now`, if anything: ask with a PING, or take the other side as gone. */
  check(now: number): 'ask' | 'gone' | undefined {
    if (now < this.deadline()) return undefined;
    if (this.#role === 'gateway' || this.#unanswered >= MAX_UNANSWERED_PINGS) return 'gone';
    this.#sleepsUntil = 0;
    this.#unanswered++;
    this.#askedAt = now;
    return 'ask';
  }
}
