import { hasExpired } from '../../router/message.js';
import type { QueueLimits } from '../../session/contract.js';
import { Queue } from '../../session/queue.js';
import type { MqttRecorder } from './contract.js';
import type { OutgoingPublish } from './outgoing-publish.js';

/** Packet identifiers go from 1 to this. */
const MAX_ID = 0xffff;

/**
 * The messages of QoS 1 and 2 on their way to one client, from when they are accepted until they are done with: bounded, known to a
 * recorder, each under a packet identifier of its own from when it is first sent (MQTT 5, 4.3, 4.6, 4.9).
 */
export class Deliveries {
  readonly #limits: QueueLimits;
  readonly #recorder: MqttRecorder | undefined;
  readonly #waiting = new Queue<OutgoingPublish>();
  /** When the first of those that wait expires, ms. */
  #firstExpiry = Number.POSITIVE_INFINITY;
  /** By packet identifier, in the order in which PUBLISH was sent first ([MQTT-4.6.0-1]). */
  readonly #published = new Map<number, OutgoingPublish>();
  /** By packet identifier, in the order in which PUBREC came ([MQTT-4.6.0-4]). */
  readonly #released = new Map<number, OutgoingPublish>();
  /** Of the published, those that were not sent over this connection yet. */
  readonly #unsent = new Set<OutgoingPublish>();
  #lastId = 0;
  #bytes = 0;
  /** PUBLISH packets that may be unacknowledged on this connection. */
  #quota = 0;

  constructor(limits: QueueLimits, recorder: MqttRecorder | undefined) {
    this.#limits = limits;
    this.#recorder = recorder;
  }

  get pending(): number {
    return this.#waiting.length + this.#published.size + this.#released.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a message of so many bytes would be too much. */
  isFull(size: number): boolean {
    const { messages, bytes, total } = this.#limits;
    return this.pending >= messages || this.#bytes + size > bytes || total?.hasRoom(size) === false;
  }

  /** Messages in the order in which they are sent after a reconnect. */
  *[Symbol.iterator](): Generator<OutgoingPublish> {
    yield* this.#released.values();
    yield* this.#published.values();
    yield* this.#waiting;
  }

  /** PUBLISH packets that the client has to acknowledge, on this connection. */
  get unacknowledged(): number {
    return this.#published.size + this.#released.size - this.#unsent.size;
  }

  /** Another connection begins: PUBREL is due for the messages that it returns, then PUBLISH for what `next` gives. */
  restart(quota: number): Iterable<OutgoingPublish> {
    this.#quota = quota;
    this.#unsent.clear();
    for (const item of this.#published.values()) this.#unsent.add(item);
    return this.#released.values();
  }

  /** Takes up what a recorder kept, in order. */
  restore(items: readonly OutgoingPublish[]): void {
    for (const item of items) {
      this.count(item);
      if (item.stage === 'waiting') this.#push(item);
      else (item.stage === 'published' ? this.#published : this.#released).set(item.id, item);
    }
  }

  /** Takes a message, whether or not there is room. It is not kept yet. */
  count(item: OutgoingPublish): void {
    this.#bytes += item.size;
    this.#limits.total?.take(item.size);
  }

  /** Whether a message that comes now can be published at once: nothing is before it, and the client takes one more. */
  get isOpen(): boolean {
    return this.#waiting.length === 0 && this.#unsent.size === 0 && this.unacknowledged < this.#quota;
  }

  /** Keeps a message until its turn comes. */
  wait(item: OutgoingPublish): void {
    this.#push(item);
    this.#recorder?.outgoing(item);
  }

  #push(item: OutgoingPublish): void {
    this.#waiting.push(item);
    const expiresAt = item.extras?.expiresAt ?? Number.POSITIVE_INFINITY;
    if (expiresAt < this.#firstExpiry) this.#firstExpiry = expiresAt;
  }

  /** The message that is to be sent next, if the client takes one more ([MQTT-4.9.0-2]); it is taken out to be `published` or dropped. */
  next(): OutgoingPublish | undefined {
    if (this.unacknowledged >= this.#quota) return undefined;
    for (const item of this.#unsent) {
      this.#unsent.delete(item);
      return item;
    }
    return this.#waiting.shift();
  }

  /** A packet identifier that is not in use ([MQTT-2.2.1-4]). There is one, as fewer are unacknowledged than there are. */
  freeId(): number {
    do this.#lastId = this.#lastId === MAX_ID ? 1 : this.#lastId + 1;
    while (this.#published.has(this.#lastId) || this.#released.has(this.#lastId));
    return this.#lastId;
  }

  /** The message is about to be sent for the first time, under that identifier. */
  publish(item: OutgoingPublish, id: number): void {
    item.id = id;
    item.stage = 'published';
    this.#published.set(id, item);
    this.#recorder?.outgoing(item);
  }

  /** The message that was published under that identifier and not answered yet. */
  published(id: number): OutgoingPublish | undefined {
    return this.#published.get(id);
  }

  /** Whether PUBREL was sent under that identifier, and not answered yet. */
  isReleased(id: number): boolean {
    return this.#released.has(id);
  }

  /** The client has received the message: PUBREL is due. */
  release(item: OutgoingPublish): void {
    this.#published.delete(item.id);
    this.#unsent.delete(item);
    item.stage = 'released';
    this.#released.set(item.id, item);
    this.#recorder?.outgoing(item);
  }

  /** The client answered PUBREL. Returns whether there was one. */
  complete(id: number): boolean {
    const item = this.#released.get(id);
    if (item !== undefined) this.settle(item);
    return item !== undefined;
  }

  /** The message is done with. */
  settle(item: OutgoingPublish): void {
    this.discount(item);
    if (item.stage === 'published') {
      this.#published.delete(item.id);
      this.#unsent.delete(item);
    } else if (item.stage === 'released') this.#released.delete(item.id);
    this.#recorder?.settled(item);
  }

  /** A message that was only counted is done with. */
  discount(item: OutgoingPublish): void {
    this.#bytes -= item.size;
    this.#limits.total?.give(item.size);
  }

  /** Drops those that wait since before `time`, up to the first other. Returns how many. */
  dropWaitingSince(time: number): number {
    let count = 0;
    for (let item = this.#waiting.at(0); item && item.at < time; item = this.#waiting.at(0)) {
      this.#waiting.shift();
      this.settle(item);
      count++;
    }
    return count;
  }

  /** Drops those that wait and must not be sent any more ([MQTT-3.3.2-5]); `now`: ms. Returns how many. */
  dropExpired(now: number): number {
    if (now < this.#firstExpiry) return 0;
    this.#firstExpiry = Number.POSITIVE_INFINITY;
    let count = 0;
    for (const item of this.#waiting.drain()) {
      if (hasExpired(item.extras, now)) {
        this.settle(item);
        count++;
      } else this.#push(item);
    }
    return count;
  }

  /** The session is over. */
  end(): void {
    for (const item of this) this.discount(item);
  }
}
