import { Queue } from './queue.js';
import type { RoundTrip } from './round-trip.js';
import { after, distance } from './sequence.js';

/** What the sender remembers of one reliable message, whatever that says. */
export class Transmission {
  /** Its number, once it was sent. */
  seq = -1;
  /** The number of the packet that carried it last; packets of one sender count up. */
  packet = 0;
  sentAt = 0;
  /** How often it was sent over the link that stands. */
  sends = 0;
  /** How many of these the other side, though it spoke meanwhile, did not answer. Counted by the caller. */
  ignored = 0;
  /** The other side has it, though perhaps behind a gap: it is not sent again, and not yet delivered. */
  arrived = false;
  /** The other side refused it: it is done with, before its number is. */
  refused = false;
  lost = false;
}

/** What an ACK says anew. */
export interface Acknowledged<T> {
  /** Messages that arrived, in turn or behind a gap. */
  readonly arrived: readonly T[];
  /** Messages for which the other side took responsibility (§5.1), or which it refused. */
  readonly settled: readonly T[];
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
  readonly #urgent = new Queue<T>();
  readonly #waiting = new Queue<T>();
  /** From the oldest unacknowledged on, in order of number without gaps. */
  readonly #inFlight = new Queue<T>();
  readonly roundTrip: RoundTrip;
  #order: LinkOrder = { reliable: false, ordered: false };
  #window = 0;
  #next = 0;
  #lost = 0;
  #progressAt = 0;
  /** The highest packet number of which something arrived. */
  #arrivedPacket = 0;
  #sendings = 0;
  #resendings = 0;

  constructor(roundTrip: RoundTrip) {
    this.roundTrip = roundTrip;
  }

  /** Messages accepted and not yet acknowledged. */
  get pending(): number {
    return this.#urgent.length + this.#waiting.length + this.#inFlight.length;
  }

  /** What is not known to have been delivered, in order. */
  *[Symbol.iterator](): Generator<T> {
    yield* this.#inFlight;
    yield* this.#urgent;
    yield* this.#waiting;
  }

  /** How many messages went out over the link that stands, repeated ones included, and how many of those were. */
  get sendings(): { readonly all: number; readonly repeated: number } {
    return { all: this.#sendings, repeated: this.#resendings };
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** The number that the next new message gets. */
  get nextSeq(): number {
    return this.#next;
  }

  /**
   * The oldest message in flight that is not known to have arrived. If there is none, one that was refused: the ACK that ends
   * it may be lost, and nothing but a duplicate brings another (§7).
   */
  get oldest(): T | undefined {
    for (const item of this.#inFlight) if (!item.arrived) return item;
    const first = this.#inFlight.at(0);
    return first?.refused ? first : undefined;
  }

  /** Takes up a numbering, and the items that have one of its numbers, in order. */
  restore(next: number, numbered: readonly T[]): void {
    this.#next = next;
    for (const item of numbered) this.#inFlight.push(item);
  }

  /** The messages that wait and have no number yet, oldest first: takes out those that `isOver` names, up to the first other. */
  dropWaiting(isOver: (item: T) => boolean): T[] {
    const dropped: T[] = [];
    for (let item = this.#waiting.at(0); item && isOver(item); item = this.#waiting.at(0)) {
      this.#waiting.shift();
      dropped.push(item);
    }
    return dropped;
  }

  /**
   * Goes on over a new link with the numbering as it stands: what was in flight is sent again, also what an ACK showed to
   * have arrived behind a gap (§5.3): who held it may have lost it with its process.
   */
  resume(window: number, order: LinkOrder, now: number): void {
    this.#window = window;
    this.#order = order;
    this.roundTrip.restart(order.ordered);
    this.#progressAt = now;
    this.#sendings = 0;
    this.#resendings = 0;
    for (const item of this.#inFlight) {
      item.sends = 0;
      item.ignored = 0;
      if (item.refused) continue;
      item.arrived = false;
      this.#lose(item);
    }
  }

  /** The other side slept (§4.7): what was in flight, it may have missed. */
  repeat(now: number): void {
    if (this.#order.reliable) return;
    this.roundTrip.progressed();
    this.#progressAt = now;
    for (const item of this.#inFlight) {
      item.ignored = 0;
      this.#lose(item);
    }
  }

  /**
   * Drops all before `received`, of which the peer said that it arrived under the old numbering (§4.3). Returns those that
   * are done with by that.
   */
  settleBefore(received: number): T[] {
    const steps = distance(this.#next - this.#inFlight.length, received);
    if (steps > this.#inFlight.length) return [];
    const settled: T[] = [];
    for (let i = 0; i < steps; i++) {
      const item = this.#shift();
      if (item) settled.push(item);
    }
    return settled;
  }

  /**
   * Starts a new numbering at `next`; returns what was unacknowledged, in order, to be pushed anew as the caller decides:
   * not what was refused, which only waited behind a gap.
   */
  restart(next: number): T[] {
    const unacknowledged = [...this.#inFlight.drain(), ...this.#urgent.drain(), ...this.#waiting.drain()];
    for (const item of unacknowledged) {
      item.seq = -1;
      item.lost = false;
      item.arrived = false;
      item.sends = 0;
      item.ignored = 0;
    }
    this.#next = next;
    this.#lost = 0;
    return unacknowledged;
  }

  /** Queues a message: behind all that waits or, with `urgent`, before what is not. */
  push(item: T, urgent = false): void {
    (urgent ? this.#urgent : this.#waiting).push(item);
  }

  /** What to send next: lost ones first, then new ones while the window has room. Call `sent` or `drop` with it. */
  peek(): T | undefined {
    // A window that shrank on a new link holds for what was in flight, too.
    const within = this.#lost > 0 ? Math.min(this.#inFlight.length, this.#window) : 0;
    for (let i = 0; i < within; i++) {
      const item = this.#inFlight.at(i);
      if (item?.lost) return item;
    }
    return this.#inFlight.length < this.#window ? this.#queue.at(0) : undefined;
  }

  /** Where the next new message comes from. */
  get #queue(): Queue<T> {
    return this.#urgent.length > 0 ? this.#urgent : this.#waiting;
  }

  /** The item of `peek` left in packet number `packet`. */
  sent(item: T, packet: number, now: number): void {
    if (item.lost) {
      item.lost = false;
      this.#lost--;
    } else {
      this.#queue.shift();
      item.seq = this.#next;
      this.#next = after(this.#next);
      if (this.#inFlight.length === 0) this.#progressAt = now;
      this.#inFlight.push(item);
    }
    this.#sendings++;
    if (item.sends > 0) this.#resendings++;
    item.sends++;
    item.packet = packet;
    item.sentAt = now;
  }

  /** The item of `peek`, never sent, cannot be sent at all. */
  drop(item: T): void {
    if (this.#queue.at(0) === item) this.#queue.shift();
  }

  /** Takes an ACK. Returns undefined if it does not fit what is in flight. */
  acknowledge(next: number, bitmap: Uint8Array, now: number): Acknowledged<T> | undefined {
    const oldest = (this.#next - this.#inFlight.length) & 0xffff;
    const steps = distance(oldest, next);
    if (steps > this.#inFlight.length) return undefined;
    const arrived: T[] = [];
    const settled: T[] = [];
    for (let i = 0; i < steps; i++) {
      const item = this.#shift();
      if (!item) break;
      if (!item.arrived) this.#arrive(item, arrived);
      settled.push(item);
    }
    for (let i = 0; i < bitmap.length * 8; i++) {
      if (!((bitmap[i >> 3] as number) & (1 << (i & 7)))) continue;
      const item = this.#inFlight.at(i + 1);
      if (item && !item.arrived) this.#arrive(item, arrived);
    }
    // Only of what was sent last, which the ACK may answer (the others may wait for one since long); never of a message that was
    // resent (Karn), nor of one that another link carried.
    let newest: T | undefined;
    for (const item of arrived) if (!newest || item.packet >= newest.packet) newest = item;
    if (newest?.sends === 1) this.roundTrip.sample(now - newest.sentAt);
    if (arrived.length > 0) {
      this.roundTrip.progressed();
      this.#progressAt = now;
    }
    this.#detectLoss(now, bitmap.length > 0 && bitmap.every((byte) => byte === 0));
    return { arrived, settled };
  }

  /** The message `seq` was refused; it counts as done. Returns it, or undefined if it is not in flight. */
  refused(seq: number): T | undefined {
    const item = this.#inFlight.at(distance(this.#next - this.#inFlight.length, seq));
    if (!item || item.seq !== seq || item.refused) return undefined;
    if (!item.arrived) this.#arrive(item, []);
    item.refused = true;
    return item;
  }

  /** Marks as lost what is overdue at `now`. Returns whether the resend timer expired. */
  tick(now: number): boolean {
    if (this.#order.reliable) return false;
    this.#detectLoss(now, false);
    const { oldest } = this;
    if (!oldest || oldest.lost || now < this.#expiry(oldest)) return false;
    this.#lose(oldest);
    this.roundTrip.expired();
    return true;
  }

  /** When `tick` has something to do; undefined if nothing is in flight. */
  deadline(): number | undefined {
    if (this.#order.reliable) return undefined;
    const { oldest } = this;
    if (!oldest || oldest.lost) return undefined;
    let deadline = this.#expiry(oldest);
    for (const item of this.#inFlight) {
      if (item.arrived || item.lost || item.packet >= this.#arrivedPacket) continue;
      deadline = Math.min(deadline, item.sentAt + this.#patience(item));
    }
    return deadline;
  }

  #expiry(oldest: T): number {
    return Math.max(oldest.sentAt, this.#progressAt) + this.roundTrip.timeout();
  }

  #arrive(item: T, news: T[]): void {
    if (item.lost) {
      item.lost = false;
      this.#lost--;
    }
    item.arrived = true;
    this.#arrivedPacket = Math.max(this.#arrivedPacket, item.packet);
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
    if (item.lost || (item.arrived && !item.refused)) return;
    item.lost = true;
    this.#lost++;
  }

  /** Within this time of its sending, in ms, nothing that the other side says can speak of the message. */
  #silence(item: T): number {
    const { smoothed, shortest } = this.roundTrip;
    return smoothed === undefined && item.sends > 1 ? this.roundTrip.timeout() : shortest;
  }

  /** How long an overtaken message may still be under way, ms. */
  #patience(item: T): number {
    const least = this.#silence(item);
    if (this.#order.ordered || this.#arrivedPacket - item.packet >= REORDER_TOLERANCE) return least;
    return Math.max(((this.roundTrip.smoothed ?? 0) * 9) / 8, least);
  }

  #detectLoss(now: number, receiverKeepsNothing: boolean): void {
    if (this.#order.reliable) return;
    for (const item of this.#inFlight) {
      if (item.arrived || item.lost) continue;
      // The same sum as in `deadline`, so that rounding cannot make the two disagree.
      const overtaken = item.packet < this.#arrivedPacket && now >= item.sentAt + this.#patience(item);
      const discarded = receiverKeepsNothing && now - item.sentAt >= this.#silence(item);
      if (overtaken || discarded) this.#lose(item);
    }
  }
}
