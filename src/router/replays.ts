import type { Cancel, Clock } from '../clock.js';
import type { FairTurns, Share, Worker } from '../fair-turns.js';
import type { Replay } from './last-value-replay.js';

/** How soon it is looked again whether there is room, ms. */
const LOOK_AGAIN_MS = 100;

/** What a session says of itself. */
export interface Receiver {
  /** Whether last values may be queued for it now: they must leave room for live messages. */
  readonly hasRoomForReplays: boolean;
  /** Whether nothing that is reliable waits for it. */
  readonly idle: boolean;
  readonly open: boolean;
}

/**
 * The last values that are still to be sent to one session (PROTOCOL.md §6.5): as many as there is room for, in turn with
 * other work. So a subscription to a great many costs nobody much at a time, and does not fill the session's queue.
 */
export class Replays implements Worker {
  readonly #receiver: Receiver;
  readonly #turns: FairTurns;
  readonly #clock: Clock;
  readonly #replays = new Map<string, Replay>();
  #lookAgain: Cancel | undefined;

  constructor(receiver: Receiver, turns: FairTurns, clock: Clock) {
    this.#receiver = receiver;
    this.#turns = turns;
    this.#clock = clock;
  }

  /** Whether there is nothing left to send. */
  get done(): boolean {
    return this.#replays.size === 0;
  }

  /** Begins, in place of what was left under the same key. */
  start(key: string, replay: Replay): void {
    this.#replays.delete(key);
    this.#replays.set(key, replay);
    this.goOn();
  }

  stop(key: string): void {
    this.#replays.delete(key);
  }

  stopAll(): void {
    this.#replays.clear();
    this.#turns.leave(this);
    this.#lookAgain?.();
    this.#lookAgain = undefined;
  }

  /** Sends what can be sent, now or when its turn comes; the rest when there is room. */
  goOn(): void {
    if (this.done) return;
    const share = this.#turns.begin();
    if (share === undefined || this.work(share)) this.#turns.wait(this);
  }

  work(share: Share): boolean {
    for (const [key, replay] of this.#replays) {
      let tryAgain = true;
      for (;;) {
        if (!this.#receiver.hasRoomForReplays) return this.#waitForRoom();
        const { done, value } = replay.next(tryAgain);
        if (done) break;
        // What does not even fit an empty queue never will.
        tryAgain = value !== 'queue_full' || !this.#receiver.idle;
        if (value === 'queue_full' && tryAgain) return this.#waitForRoom();
        if (share.over(1)) return true;
      }
      this.#replays.delete(key);
    }
    return false;
  }

  /** Of an absent session nothing is expected: it goes on when it is back. */
  #waitForRoom(): false {
    if (!this.#receiver.open) return false;
    this.#lookAgain ??= this.#clock.schedule(LOOK_AGAIN_MS, () => {
      this.#lookAgain = undefined;
      this.goOn();
    });
    return false;
  }
}
