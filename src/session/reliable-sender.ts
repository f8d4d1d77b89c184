import { Queue } from './queue.js';
import type { RoundTrip } from './round-trip.js';
import { after, distance } from './sequence.js';

/** What the sender remembers of one reliable message, whatever that says. */
export class Transmission {
  seq = -1;
  /** The number of the packet that carried it last; packets of one sender count up. */
  packet = 0;
  sentAt = 0;
  resends = 0;
  acknowledged = false;
  lost = false;
}

export interface LinkOrder {
  /** The link itself loses nothing: never resend. */
  readonly reliable: boolean;
  /** Packets keep their order: one that overtook another means that the other is lost. */
  readonly ordered: boolean;
}

/** On an unordered link, this many later packets acknowledged mean that one is lost (as in QUIC, RFC 9002 §6.1). */
const REORDER_TOLERANCE = 3;

/**
 * One direction's window (PROTOCOL.md §5.2–5.4): numbers what is sent, takes acknowledgements, tells what to resend and
 * when. It knows no bytes and owns no timer.
 */
export class ReliableSender<T extends Transmission> {
  readonly #waiting = new Queue<T>();
  /** From the oldest unacknowledged on, in order of number without gaps. */
  readonly #inFlight = new Queue<T>();
  readonly #roundTrip: RoundTrip;
  #order: LinkOrder = { reliable: false, ordered: false };
  #window = 0;
  #next = 0;
  #lost = 0;
  #progressAt = 0;
  /** The highest packet number of which something was acknowledged. */
  #acknowledgedPacket = 0;

  constructor(roundTrip: RoundTrip) {
    this.#roundTrip = roundTrip;
  }

  /** Messages accepted and not yet acknowledged. */
  get pending(): number {
    return this.#waiting.length + this.#inFlight.length;
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** The number that the next new message gets. */
  get nextSeq(): number {
    return this.#next;
  }

  get oldest(): T | undefined {
    return this.#inFlight.at(0);
  }

  /** Goes on over a new link with the numbering as it stands: what was in flight is sent again. */
  resume(window: number, order: LinkOrder, now: number): void {
    this.#window = window;
    this.#order = order;
    this.#roundTrip.onLine(order.ordered);
    this.#progressAt = now;
    for (const item of this.#inFlight) this.#lose(item);
  }

  /** Drops all before `received`, of which the peer said that it arrived under the old numbering (§4.3). */
  settleBefore(received: number): T[] {
    const steps = distance(this.#next - this.#inFlight.length, received);
    const settled: T[] = [];
    for (let i = 0; i < steps && steps <= 0x3fff; i++) {
      const item = this.#shift();
      if (!item) break;
      settled.push(item);
    }
    return settled;
  }

  /** Starts a new numbering at `next`; returns what was unacknowledged, in order, to be pushed anew as the caller decides. */
  restart(next: number): T[] {
    const unacknowledged = [
      ...this.#inFlight.drain().filter((item) => !item.acknowledged),
      ...this.#waiting.drain(),
    ];
    for (const item of unacknowledged) {
      item.lost = false;
      item.resends = 0;
    }
    this.#next = next;
    this.#lost = 0;
    return unacknowledged;
  }

  push(item: T): void {
    this.#waiting.push(item);
  }

  /** What to send next: lost ones first, then new ones while the window has room. Call `sent` or `drop` with it. */
  peek(): T | undefined {
    if (this.#lost > 0) {
      for (const item of this.#inFlight) if (item.lost) return item;
    }
    return this.#inFlight.length < this.#window ? this.#waiting.at(0) : undefined;
  }

  /** The item of `peek` left in packet number `packet`. */
  sent(item: T, packet: number, now: number): void {
    if (item.lost) {
      item.lost = false;
      item.resends++;
      this.#lost--;
    } else {
      this.#waiting.shift();
      item.seq = this.#next;
      this.#next = after(this.#next);
      if (this.#inFlight.length === 0) this.#progressAt = now;
      this.#inFlight.push(item);
    }
    item.packet = packet;
    item.sentAt = now;
  }

  /** The item of `peek`, never sent, cannot be sent at all. */
  drop(item: T): void {
    if (this.#waiting.at(0) === item) this.#waiting.shift();
  }

  /** Takes an ACK. Returns what it newly acknowledges, or undefined if it does not fit what is in flight. */
  acknowledge(next: number, bitmap: Uint8Array, now: number): T[] | undefined {
    const oldest = (this.#next - this.#inFlight.length) & 0xffff;
    const steps = distance(oldest, next);
    if (steps > this.#inFlight.length) return undefined;
    const news: T[] = [];
    for (let i = 0; i < steps; i++) {
      const item = this.#shift();
      if (item && !item.acknowledged) {
        this.#acknowledge(item, news);
      }
    }
    for (let i = 0; i < bitmap.length * 8; i++) {
      if (!((bitmap[i >> 3] as number) & (1 << (i & 7)))) continue;
      const item = this.#inFlight.at(i + 1);
      if (item && !item.acknowledged) this.#acknowledge(item, news);
    }
    const newest = news.findLast((item) => item.resends === 0);
    if (newest) this.#roundTrip.sample(now - newest.sentAt);
    if (news.length > 0) {
      this.#roundTrip.progressed();
      this.#progressAt = now;
    }
    this.#detectLoss(now, bitmap.length > 0 && bitmap.every((byte) => byte === 0));
    return news;
  }

  /** The message `seq` was refused; it counts as done. Returns it, or undefined if it is not in flight. */
  refused(seq: number): T | undefined {
    const item = this.#inFlight.at(distance(this.#next - this.#inFlight.length, seq));
    if (!item || item.seq !== seq || item.acknowledged) return undefined;
    this.#acknowledge(item, []);
    return item;
  }

  /** Marks as lost what is overdue at `now`. Returns whether the resend timer expired. */
  tick(now: number): boolean {
    if (this.#order.reliable) return false;
    this.#detectLoss(now, false);
    const oldest = this.#oldestOpen();
    if (!oldest || oldest.lost || now < this.#expiry(oldest)) return false;
    this.#lose(oldest);
    this.#roundTrip.expired();
    return true;
  }

  /** When `tick` has something to do; undefined if nothing is in flight. */
  deadline(): number | undefined {
    if (this.#order.reliable) return undefined;
    const oldest = this.#oldestOpen();
    if (!oldest || oldest.lost) return undefined;
    let deadline = this.#expiry(oldest);
    for (const item of this.#inFlight) {
      if (item.acknowledged || item.lost || item.packet >= this.#acknowledgedPacket) continue;
      deadline = Math.min(deadline, item.sentAt + this.#patience(item));
    }
    return deadline;
  }

  #expiry(oldest: T): number {
    return Math.max(oldest.sentAt, this.#progressAt) + this.#roundTrip.timeout();
  }

  #oldestOpen(): T | undefined {
    for (const item of this.#inFlight) if (!item.acknowledged) return item;
    return undefined;
  }

  #acknowledge(item: T, news: T[]): void {
    if (item.lost) {
      item.lost = false;
      this.#lost--;
    }
    item.acknowledged = true;
    this.#acknowledgedPacket = Math.max(this.#acknowledgedPacket, item.packet);
    news.push(item);
  }

  #shift(): T | undefined {
    const item = this.#inFlight.shift();
    if (item?.lost) {
      item.lost = false;
      this.#lost--;
    }
    return item;
  }

  #lose(item: T): void {
    if (item.lost || item.acknowledged) return;
    item.lost = true;
    this.#lost++;
  }

  /** How long an overtaken message may still be under way, ms. */
  #patience(item: T): number {
    // Nothing said within the shortest round trip can speak of it.
    const least = this.#roundTrip.shortest;
    if (this.#order.ordered || this.#acknowledgedPacket - item.packet >= REORDER_TOLERANCE) return least;
    return Math.max(((this.#roundTrip.smoothed ?? 0) * 9) / 8, least);
  }

  #detectLoss(now: number, receiverKeepsNothing: boolean): void {
    if (this.#order.reliable) return;
    for (const item of this.#inFlight) {
      if (item.acknowledged || item.lost) continue;
      // The same sum as in `deadline`, so that rounding cannot make the two disagree.
      const overtaken = item.packet < this.#acknowledgedPacket && now >= item.sentAt + this.#patience(item);
      const discarded = receiverKeepsNothing && now - item.sentAt >= this.#roundTrip.shortest;
      if (overtaken || discarded) this.#lose(item);
    }
  }
}
