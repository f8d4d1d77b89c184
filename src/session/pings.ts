import type { Ping } from '../wire/messages.js';

/** The PINGs that one side sends, and how long the last one took. All times are the caller's, in ms. */
export class Pings {
  /** One is to leave with the next packet. */
  wanted = false;
  /** How long the last one took to be answered; undefined until one was, over the link that stands. */
  roundTripMs: number | undefined;
  /** Of the last one. It counts on over new links: an answer that comes late must not be taken for one to a later PING. */
  #token = 0;
  /** When the last one was made; undefined once it is answered. */
  #madeAt: number | undefined;

  /** Begins on a new link. */
  restart(): void {
    this.wanted = false;
    this.roundTripMs = undefined;
    this.#madeAt = undefined;
  }

  make(now: number): Ping {
    this.#madeAt = now;
    this.#token = (this.#token + 1) & 0xff;
    return { type: 'ping', token: this.#token };
  }

  /** The other side answered. Returns how long that took at most, if it is known. */
  answered(token: number, now: number): number | undefined {
    if (token !== this.#token || this.#madeAt === undefined) return undefined;
    this.roundTripMs = now - this.#madeAt;
    this.#madeAt = undefined;
    return this.roundTripMs;
  }
}
