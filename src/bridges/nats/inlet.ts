import { Queue } from '../../session/queue.js';
import type { IncomingMessage, UpstreamEvents } from '../upstream.js';

interface Item {
  /** Undefined: nothing for the bridge, and yet it has its place in the order. */
  readonly message: IncomingMessage | undefined;
  readonly taken: () => void;
  /** Asked when its turn comes: whether the bridge is not to have it any more. */
  readonly isStale: (() => boolean) | undefined;
}

/**
 * The way in for all that has an order: the bridge is given one message after the other, each when the one before has been taken. How much
 * waits here is bounded by who asks the server for it.
 */
export class Inlet {
  readonly #events: Pick<UpstreamEvents, 'incoming'>;
  readonly #items = new Queue<Item>();
  /** What is to be written down at the end of the turn, once for all that was taken in it. */
  readonly #afterwards = new Set<() => void>();
  #busy = false;
  #pumping = false;
  #closed = false;

  constructor(events: Pick<UpstreamEvents, 'incoming'>) {
    this.#events = events;
  }

  /** `taken` is called when the router has it, or it was dropped for a reason that is counted. */
  push(message: IncomingMessage | undefined, taken: () => void, isStale?: () => boolean): void {
    if (this.#closed) return;
    this.#items.push({ message, taken, isStale });
    this.#pump();
  }

  /** Runs `save` once, in this turn: together with what the router was given in it. */
  afterwards(save: () => void): void {
    this.#afterwards.add(save);
  }

  close(): void {
    this.#closed = true;
    this.#items.drain();
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (!this.#busy && !this.#closed) {
      const item = this.#items.shift();
      if (item === undefined) break;
      if (item.message === undefined || item.isStale?.()) {
        item.taken();
        continue;
      }
      this.#busy = true;
      this.#events.incoming(item.message, () => {
        this.#busy = false;
        // Also when the connection was closed meanwhile: the router has it.
        item.taken();
        this.#pump();
        if (!this.#pumping) this.#save();
      });
    }
    this.#pumping = false;
    this.#save();
  }

  #save(): void {
    for (const save of this.#afterwards) {
      this.#afterwards.delete(save);
      save();
    }
  }
}
