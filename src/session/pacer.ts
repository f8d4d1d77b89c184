/**
 * Keeps what is sent and not known to be read within the buffer that the peer named (PROTOCOL.md §5.6). Positions are
 * bytes sent since the link came up.
 */
export class Pacer {
  /** Bytes that the peer can hold unread; 0 for no limit. */
  readonly buffer: number;
  #sent = 0;
  #confirmed = 0;
  /** Up to here an answer is on its way that will confirm it. */
  #asked = 0;
  #sentAt = 0;

  constructor(buffer: number) {
    this.buffer = buffer;
  }

  get active(): boolean {
    return this.buffer > 0;
  }

  /** Bytes sent and not known to be read. */
  get outstanding(): number {
    return this.#sent - this.#confirmed;
  }

  /** Whether `size` bytes may go now. Anything may when nothing is outstanding. */
  allows(size: number): boolean {
    const { outstanding } = this;
    return !this.active || outstanding === 0 || outstanding + size <= this.buffer;
  }

  /** Whether something was sent that nothing under way will confirm. */
  get unasked(): boolean {
    return this.#asked < this.#sent;
  }

  /** `size` bytes were sent, `asking` for an answer or not; returns the position after them, to be handed to `confirm`. */
  sent(size: number, now: number, asking: boolean): number {
    // Without a limit there is nothing to keep: one pacer serves all such peers.
    if (!this.active) return 0;
    this.#sent += size;
    this.#sentAt = now;
    if (asking) this.#asked = this.#sent;
    return this.#sent;
  }

  /** All up to `position` was read. */
  confirm(position: number): void {
    this.#confirmed = Math.max(this.#confirmed, Math.min(position, this.#sent));
  }

  /** When unconfirmed bytes are taken as gone, given the resend timer in ms. */
  deadline(timeout: number): number | undefined {
    return this.active && this.#sent > this.#confirmed ? this.#sentAt + timeout : undefined;
  }

  /** The answer that was on its way says nothing of what was read. */
  doubt(): void {
    this.#asked = this.#confirmed;
  }

  expire(): void {
    this.#confirmed = this.#sent;
    this.#asked = this.#sent;
  }
}
