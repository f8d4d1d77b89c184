import type { Reason } from '../wire/reasons.js';
import type { QueueLimits, Recorder } from './contract.js';
import type { Channel, Outgoing } from './outgoing.js';
import { ReliableSender } from './reliable-sender.js';
import { RoundTrip } from './round-trip.js';

/** What is sent again under a new numbering: the rest speaks of the old one, or of its ids. */
const OUTLIVES: ReadonlySet<string> = new Set(['unsubscribe', 'emit', 'will', 'sleep']);

/** Who acts on what becomes of messages. */
export interface OutgoingQueueOwner<C extends Channel> {
  /** The other side answered the message, or never will. */
  settled(content: Outgoing<C>['content'], refusal: Reason | undefined): void;
}

/**
 * The reliable messages of one direction, from when they are accepted until they are done with (PROTOCOL.md §5.1, §5.7):
 * bounded, and known to a recorder.
 */
export class OutgoingQueue<C extends Channel> extends ReliableSender<Outgoing<C>> {
  readonly #limits: QueueLimits;
  readonly #recorder: Recorder<C> | undefined;
  readonly #owner: OutgoingQueueOwner<C>;
  #bytes = 0;

  constructor(limits: QueueLimits, recorder: Recorder<C> | undefined, owner: OutgoingQueueOwner<C>) {
    super(new RoundTrip());
    this.#limits = limits;
    this.#recorder = recorder;
    this.#owner = owner;
  }

  /** What it holds, by the sender's own estimate of what each message costs. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a message of so many bytes would be too much. */
  isFull(size: number): boolean {
    const { messages, bytes, total } = this.#limits;
    return this.pending >= messages || this.#bytes + size > bytes || total?.hasRoom(size) === false;
  }

  /** Takes a message, whether or not the queue is full. */
  accept(item: Outgoing<C>): void {
    this.#add(item);
    this.#recorder?.outgoing(item);
  }

  /** Takes up what a recorder kept; `items` that have a number come first, in order. */
  takeUp(next: number, items: readonly Outgoing<C>[]): void {
    this.restore(
      next,
      items.filter(({ seq }) => seq >= 0),
    );
    for (const item of items) {
      if (item.seq >= 0) this.#count(item);
      else this.#add(item);
    }
  }

  /** The item has got its number, and leaves with the packet that is being built. */
  numbered(item: Outgoing<C>): void {
    this.#recorder?.outgoing(item);
  }

  /** The other side answered `item`, or never will; its number, if it has one, is not done with. */
  settle(item: Outgoing<C>, refusal: Reason | undefined): void {
    this.#uncount(item);
    this.#owner.settled(item.content, refusal);
    item.settle?.(refusal);
  }

  /** These are done with, their numbers included; those that were refused are settled already. */
  finish(items: readonly Outgoing<C>[], refusal?: Reason): void {
    for (const item of items) {
      if (!item.refused) this.settle(item, refusal);
      this.#recorder?.settled(item);
    }
  }

  /**
   * Begins a new numbering. Returns, in order, what is to be accepted anew: not what the other side took behind the
   * oldest message in flight, as `taken` tells, a bitmap like an ACK's.
   */
  renumber(next: number, taken: Uint8Array = new Uint8Array()): Outgoing<C>[] {
    const again: Outgoing<C>[] = [];
    const { inFlight } = this;
    for (const [place, item] of this.restart(next).entries()) {
      if (place > 0 && place < inFlight && hasBit(taken, place - 1)) {
        this.finish([item]);
        continue;
      }
      if (!item.refused) this.#uncount(item);
      if (!item.refused && OUTLIVES.has(item.content.type)) again.push(item);
      else this.#recorder?.settled(item);
    }
    return again;
  }

  /** Settles all that waits. What was recorded is the caller's to remove. */
  end(reason: Reason): void {
    for (const item of this.restart(0)) if (!item.refused) this.settle(item, reason);
  }

  /** Drops emits that have waited, without a number, since before `time`. Returns how many. */
  dropWaitingSince(time: number): number {
    const dropped = this.dropWaiting((item) => item.content.type === 'emit' && item.at < time);
    this.finish(dropped, 'timeout');
    return dropped.length;
  }

  #add(item: Outgoing<C>): void {
    this.#count(item);
    // Until a REJECT is through, nothing that the other side sends is acknowledged: it must not wait in line.
    this.push(item, item.content.type === 'reject');
  }

  #count(item: Outgoing<C>): void {
    this.#bytes += item.size;
    this.#limits.total?.take(item.size);
  }

  #uncount(item: Outgoing<C>): void {
    this.#bytes -= item.size;
    this.#limits.total?.give(item.size);
  }
}

function hasBit(bitmap: Uint8Array, bit: number): boolean {
  return (((bitmap[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1;
}
