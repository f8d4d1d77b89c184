import type { Logger } from 'pino';

/** Below this part of its bounds a queue that was full is said to have room again. */
const ROOM = 0.9;

/** Says in the log when a bridge's queue gets full, and when it has room again: once each time. */
export class QueueFullness {
  readonly #bridge: string;
  readonly #limits: { readonly messages: number; readonly bytes: number };
  readonly #consequence: string;
  readonly #logger: Logger;
  #said = false;

  /** `consequence`: what happens as long as it is full. */
  constructor(
    bridge: string,
    limits: { messages: number; bytes: number },
    consequence: string,
    logger: Logger,
  ) {
    this.#bridge = bridge;
    this.#limits = limits;
    this.#consequence = consequence;
    this.#logger = logger;
  }

  /** There was no room. */
  full(messages: number, bytes: number): void {
    if (this.#said) return;
    this.#said = true;
    this.#logger.warn(
      { bridge: this.#bridge, messages, bytes },
      `the queue of the bridge ${this.#bridge} is full (${messages} messages, ${bytes} bytes): ${this.#consequence} (queue)`,
    );
  }

  /** Messages left it. */
  shrunk(messages: number, bytes: number): void {
    if (!this.#said || messages > ROOM * this.#limits.messages || bytes > ROOM * this.#limits.bytes) return;
    this.#said = false;
    this.#logger.info(
      { bridge: this.#bridge, messages, bytes },
      `the queue of the bridge ${this.#bridge} has room again`,
    );
  }
}
