import {
  ACK_DELAY_MS,
  FIRST_RESEND_MS,
  MAX_LINE_RESEND_MS,
  MAX_RESEND_MS,
  MIN_RESEND_MS,
} from '../wire/limits.js';

/** The resend timer of RFC 6298, with the receiver's acknowledgement delay on top (PROTOCOL.md §5.4). */
export class RoundTrip {
  /** Smoothed round trip, ms; undefined until the first sample. */
  smoothed: number | undefined;
  /** The shortest round trip seen, ms; 0 until the first sample. */
  shortest = 0;
  #variation = 0;
  #base = FIRST_RESEND_MS;
  #doublings = 0;
  /** The longest wait, ms: short where there is no one else to be considerate of (§9). */
  #longest = MAX_RESEND_MS;

  /** Begins anew on another link. A line of its own, unlike a network, has no congestion to back off from. */
  restart(ownLine: boolean): void {
    this.smoothed = undefined;
    this.shortest = 0;
    this.#base = FIRST_RESEND_MS;
    this.#doublings = 0;
    this.#longest = ownLine ? MAX_LINE_RESEND_MS : MAX_RESEND_MS;
  }

  /** Takes a measured round trip, ms. Never from a message that was resent (Karn). */
  sample(ms: number): void {
    if (this.smoothed === undefined) {
      this.smoothed = ms;
      this.#variation = ms / 2;
      this.shortest = ms;
    } else {
      this.#variation += (Math.abs(this.smoothed - ms) - this.#variation) / 4;
      this.smoothed += (ms - this.smoothed) / 8;
      this.shortest = Math.min(this.shortest, ms);
    }
    this.#base = this.smoothed + Math.max(4 * this.#variation, 10) + ACK_DELAY_MS;
  }

  /**
   * Takes a round trip that may hold a wait of this side's own: it counts where nothing better is known. When all that is
   * sent has to be resent there are no other samples, and what was measured while the line stood still would stay.
   */
  atMost(ms: number): void {
    if (this.smoothed === undefined || ms < this.smoothed) this.sample(ms);
  }

  /** How long to wait for an acknowledgement before resending, ms. */
  timeout(): number {
    return Math.min(Math.max(this.#base, MIN_RESEND_MS) * 2 ** this.#doublings, this.#longest);
  }

  expired(): void {
    if (this.timeout() < this.#longest) this.#doublings++;
  }

  progressed(): void {
    this.#doublings = 0;
  }
}
