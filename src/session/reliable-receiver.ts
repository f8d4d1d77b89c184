import { messageSize } from '../wire/encode.js';
import { ACK_DELAY_MS, MAX_BITMAP_BYTES, MAX_BITMAP_NUMBERS } from '../wire/limits.js';
import type { Ack, Reliable } from '../wire/messages.js';
import { after, distance, isBefore } from './sequence.js';

type Numbered = Reliable & { readonly seq: number };

/** What may be held out of order, in bytes: a window of UDP's largest packets. */
const MAX_HELD_BYTES = 262_144;

const NOTHING = new Uint8Array();

/** What became of a message: its turn came, it is a duplicate, it is kept for later, or it is beyond the window. */
export type Verdict = 'deliver' | 'duplicate' | 'held' | 'beyond';

/**
 * The receiving end of one direction's window (PROTOCOL.md §5.2–5.3): order, duplicates, acknowledgements. The caller
 * bounds what is held by the window that it announced.
 */
export class ReliableReceiver {
  #expected = 0;
  #window = 0;
  /** How many messages the sender will have in flight at most: it waits for an acknowledgement after these. */
  #senderInFlight = 0;
  /** What came out of order. Nearly always nothing: then there is no map. */
  #held: Map<number, Numbered> | undefined;
  #heldBytes = 0;
  /** Refused messages whose REJECT is not acknowledged yet (§7). */
  #withheld: Set<number> | undefined;
  #unacknowledged = 0;
  #ackDueAt: number | undefined;
  /** What the sender was told last of `acknowledged`: its window begins there. */
  #told = 0;

  /** Begins or goes on with a numbering. */
  resume(window: number, senderInFlight: number): void {
    this.#window = window;
    this.#senderInFlight = senderInFlight;
    this.#told = this.acknowledged;
  }

  restart(expected: number): void {
    this.#expected = expected;
    this.#held = undefined;
    this.#heldBytes = 0;
    this.#withheld = undefined;
    this.#unacknowledged = 0;
    this.#ackDueAt = undefined;
  }

  /** Takes up what was kept of a numbering. */
  restore(expected: number, withheld: readonly number[]): void {
    this.restart(expected);
    if (withheld.length > 0) this.#withheld = new Set(withheld);
  }

  /** Refused messages whose REJECT is not acknowledged yet, in order. */
  get withheld(): readonly number[] {
    return [...(this.#withheld ?? [])];
  }

  /** The number expected next. */
  get expected(): number {
    return this.#expected;
  }

  /** All before this number arrived and was taken, or refused with the sender's knowledge. */
  get acknowledged(): number {
    // Messages are taken, and so withheld, in order of number: the first is the oldest.
    for (const oldest of this.#withheld ?? []) return oldest;
    return this.#expected;
  }

  /**
   * What was taken behind the oldest message whose refusal is not acknowledged yet, as an ACK's bitmap behind
   * `acknowledged`; empty when there is none (§4.3).
   */
  get takenBehind(): Uint8Array {
    const withheld = this.#withheld;
    if (!withheld) return NOTHING;
    const first = after(this.acknowledged);
    const taken = new Uint8Array((distance(first, this.#expected) + 7) >> 3);
    for (let bit = 0; bit < distance(first, this.#expected); bit++)
      if (!withheld.has((first + bit) & 0xffff)) setBit(taken, bit);
    return taken;
  }

  /** Judges a message as it arrives. What is kept of it is copied. */
  receive(message: Numbered, now: number): Verdict {
    const old = isBefore(message.seq, this.#expected);
    // Nobody is answered without end who acknowledges no REJECT, or does not wait for acknowledgements while a disk is stuck.
    if (!old && distance(this.#told, message.seq) >= this.#window) return 'beyond';
    if (message.seq === this.#expected) {
      this.#expected = after(this.#expected);
      this.#unacknowledged++;
      const atOnce = this.#unacknowledged >= Math.min(2, this.#senderInFlight) || this.#held !== undefined;
      this.#ackDueAt = atOnce ? now : (this.#ackDueAt ?? now + ACK_DELAY_MS);
      return 'deliver';
    }
    this.#ackDueAt = now;
    if (old || this.#held?.has(message.seq)) return 'duplicate';
    const size = messageSize(message);
    if (this.#heldBytes + size > MAX_HELD_BYTES) return 'beyond';
    this.#heldBytes += size;
    this.#held ??= new Map();
    this.#held.set(
      message.seq,
      'payload' in message ? { ...message, payload: new Uint8Array(message.payload) } : message,
    );
    return 'held';
  }

  /** The held message whose turn has come, if any. */
  nextHeld(): Numbered | undefined {
    const message = this.#held?.get(this.#expected);
    if (!this.#held || !message) return undefined;
    this.#held.delete(this.#expected);
    if (this.#held.size === 0) this.#held = undefined;
    this.#heldBytes -= messageSize(message);
    this.#expected = after(this.#expected);
    return message;
  }

  /** Holds back the acknowledgement of `seq` and of all after it. */
  withhold(seq: number): void {
    this.#withheld ??= new Set();
    this.#withheld.add(seq);
  }

  release(seq: number, now: number): void {
    if (!this.#withheld?.delete(seq)) return;
    if (this.#withheld.size === 0) this.#withheld = undefined;
    this.#ackDueAt = now;
  }

  /** Asks for an ACK at once, as BEGIN does (§4.2). */
  acknowledgeNow(now: number): void {
    this.#ackDueAt = now;
  }

  /** When an ACK has to leave, at the latest. */
  get ackDueAt(): number | undefined {
    return this.#ackDueAt;
  }

  /** The ACK as things stand; the caller sends it. */
  takeAck(): Ack {
    this.#unacknowledged = 0;
    this.#ackDueAt = undefined;
    this.#told = this.acknowledged;
    return { type: 'ack', next: this.#told, bitmap: this.#bitmap() };
  }

  #bitmap(): Uint8Array {
    // While a refusal is on its way, what comes after it is no sign of loss.
    if (!this.#held || this.#withheld) return new Uint8Array();
    const bitmap = new Uint8Array(MAX_BITMAP_BYTES);
    let length = 1;
    for (const seq of this.#held.keys()) {
      const bit = distance(this.#expected, seq) - 1;
      if (bit >= MAX_BITMAP_NUMBERS) continue;
      setBit(bitmap, bit);
      length = Math.max(length, (bit >> 3) + 1);
    }
    return bitmap.subarray(0, length);
  }
}

function setBit(bitmap: Uint8Array, bit: number): void {
  bitmap[bit >> 3] = (bitmap[bit >> 3] as number) | (1 << (bit & 7));
}
