import type { Logger } from 'pino';
import type { BridgeQueueLimits } from './queue.js';

/** Below this part of its bounds a queue that was full has room again. */
const ROOM = 0.9;

/** Whether a bridge's queue is full: the log says when it gets so, and when it has room again. */
export class QueueFullness {
  readonly #bridge: string;
  readonly #limits: BridgeQueueLimits;
  readonly #logger: Logger;
  #full = false;

  constructor(bridge: string, limits: BridgeQueueLimits, logger: Logger) {
    this.#bridge = bridge;
    this.#limits = limits;
    this.#logger = logger;
  }

  get full(): boolean {
    return this.#full;
  }

  /** There was no room for another message. */
  noRoom(messages: number, bytes: number): void {
    if (this.#full) return;
    this.#full = true;
    const consequence =
      this.#limits.whenFull === 'refuse'
        ? 'reliable emits that it should carry are refused'
        : 'the oldest are dropped';
    this.#logger.warn(
      { bridge: this.#bridge, messages, bytes },
      `the queue of the bridge ${this.#bridge} is full, with ${messages} messages of ${bytes} bytes: ${consequence} (bridges.queue)`,
    );
  }

  /** So much is left in it. */
  shrunk(messages: number, bytes: number): void {
    const { messages: most, bytes: mostBytes } = this.#limits;
    if (!this.#full || messages > ROOM * most || bytes > ROOM * mostBytes) return;
    this.#full = false;
    this.#logger.info(
      { bridge: this.#bridge, messages, bytes },
      `the queue of the bridge ${this.#bridge} has room again`,
    );
  }
}
