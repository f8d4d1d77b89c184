import {
  KEEP_ALIVE_GRACE,
  MAX_UNANSWERED_PINGS,
  PING_INTERVAL_MS,
  UDP_KEEP_ALIVE_S,
} from '../wire/limits.js';

/** Whether the other side of a link is still there (PROTOCOL.md §4.5, §4.7). All times are the caller's, in ms. */
export interface KeepAlive {
  readonly heardAt: number;
  /** Begins on a new link. A period of 0 promises nothing. */
  restart(periodMs: number, now: number): void;
  heard(now: number): void;
  sent(now: number): void;
  /** The peer, which is this side or the other, is silent until then. */
  sleep(until: number): void;
  wake(): void;
  /** When `check` is due. */
  deadline(): number;
  /** What is to be done at `now`, if anything: ask with a PING, or take the other side as gone. */
  check(now: number): 'ask' | 'gone' | undefined;
}

/** A gateway's: it holds a peer to what that promised. There is one for each session, so it keeps no more than it needs. */
export class GatewayKeepAlive implements KeepAlive {
  heardAt = 0;
  #periodMs = 0;
  /** The peer sleeps until then; 0 when it is awake. */
  #sleepsUntil = 0;

  restart(periodMs: number, now: number): void {
    this.#periodMs = periodMs;
    this.heardAt = now;
    this.#sleepsUntil = 0;
  }

  heard(now: number): void {
    this.heardAt = now;
  }

  sent(): void {}

  sleep(until: number): void {
    this.#sleepsUntil = until;
  }

  wake(): void {
    this.#sleepsUntil = 0;
  }

  /** When the peer counts as gone. */
  deadline(): number {
    if (this.#sleepsUntil === 0)
      return this.#periodMs === 0
        ? Number.POSITIVE_INFINITY
        : this.heardAt + this.#periodMs * KEEP_ALIVE_GRACE;
    // A peer that promised to say something after its sleep is held to that, even if it promised nothing else.
    const period = this.#periodMs || UDP_KEEP_ALIVE_S * 1000;
    return Math.max(this.#sleepsUntil, this.heardAt) + period * KEEP_ALIVE_GRACE;
  }

  check(now: number): 'gone' | undefined {
    return now < this.deadline() ? undefined : 'gone';
  }
}

/** A peer's: it says something in time, and asks whether the gateway is there. */
export class PeerKeepAlive implements KeepAlive {
  heardAt = 0;
  #periodMs = 0;
  #sentAt = 0;
  #unanswered = 0;
  #askedAt = 0;
  /** This side sleeps until then; 0 when it is awake. */
  #sleepsUntil = 0;

  restart(periodMs: number, now: number): void {
    this.#periodMs = periodMs;
    this.heardAt = now;
    this.#sentAt = now;
    this.#unanswered = 0;
    this.#sleepsUntil = 0;
  }

  heard(now: number): void {
    this.heardAt = now;
    this.#unanswered = 0;
  }

  sent(now: number): void {
    this.#sentAt = now;
  }

  sleep(until: number): void {
    this.#sleepsUntil = until;
  }

  wake(): void {
    this.#sleepsUntil = 0;
  }

  /** When the next PING is due, or the gateway counts as gone. */
  deadline(): number {
    if (this.#sleepsUntil > 0) return this.#sleepsUntil;
    if (this.#periodMs === 0) return Number.POSITIVE_INFINITY;
    if (this.#unanswered > 0) return this.#askedAt + PING_INTERVAL_MS;
    return Math.min(this.heardAt, this.#sentAt) + this.#periodMs;
  }

  check(now: number): 'ask' | 'gone' | undefined {
    if (now < this.deadline()) return undefined;
    if (this.#unanswered >= MAX_UNANSWERED_PINGS) return 'gone';
    this.#sleepsUntil = 0;
    this.#unanswered++;
    this.#askedAt = now;
    return 'ask';
  }
}
