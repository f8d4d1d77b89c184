import { SLEEP_OVERTAKEN_MS } from '../wire/limits.js';
import { isNumbered, type Message } from '../wire/messages.js';
import type { Channel, Unreliable } from './outgoing.js';

/** What a peer says in answer: it may leave after the SLEEP without meaning that the peer is awake. */
const ANSWERS: ReadonlySet<Message['type']> = new Set(['ack', 'begin', 'pong', 'refuse', 'reject']);
/** What a message that is kept takes in memory besides its bytes. */
const KEPT_BYTES = 64;

/**
 * The announced silence of a peer (PROTOCOL.md §4.7): what ends it, and the last message of QoS 0 on each channel, kept for
 * its end. Times are ms on the caller's clock.
 */
export class Sleep<C extends Channel> {
  /** Until when the peer may be silent. */
  until = 0;
  /** The peer has said something that shows it to be awake. */
  roused = false;
  #since = 0;
  readonly #kept = new Map<string, { readonly emit: Unreliable<C>; readonly bytes: number }>();
  #bytes = 0;

  /** The peer says that it sleeps, perhaps again. */
  begin(until: number, now: number): void {
    this.until = until;
    this.#since = now;
    this.roused = false;
  }

  /** Judges a message that came over a link which keeps packets `ordered`, or does not. */
  heard(message: Message, ordered: boolean, now: number): void {
    if (message.type === 'sleep' || ANSWERS.has(message.type)) return;
    // What has no number may have been sent before the SLEEP that overtook it.
    const late = !ordered && !isNumbered(message) && now - this.#since < SLEEP_OVERTAKEN_MS;
    if (!late) this.roused = true;
  }

  /** How many messages are kept. */
  get size(): number {
    return this.#kept.size;
  }

  /**
   * Keeps a message of about `size` bytes in place of an older one on its channel, all of them together up to `limit`
   * bytes. Returns whether there was an older one, and whether there was room.
   */
  keep(emit: Unreliable<C>, size: number, limit: number): { superseded: boolean; kept: boolean } {
    const { name } = emit.channel;
    const bytes = size + KEPT_BYTES;
    const older = this.#kept.get(name);
    // Also when there is no room for the newer: what is out of date would be taken for the last value.
    if (older) {
      this.#kept.delete(name);
      this.#bytes -= older.bytes;
    }
    const kept = this.#bytes + bytes <= limit;
    if (kept) {
      this.#kept.set(name, { emit, bytes });
      this.#bytes += bytes;
    }
    return { superseded: older !== undefined, kept };
  }

  /** What was kept, in the order in which it came. */
  *[Symbol.iterator](): Generator<Unreliable<C>> {
    for (const { emit } of this.#kept.values()) yield emit;
  }
}
