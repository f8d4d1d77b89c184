import type { Cancel, Clock } from '../../src/clock.js';
import type { VirtualClock } from '../support/virtual-clock.js';

/** Stops a machine in the middle of whatever it does. Thrown by its host calls, caught by its `run`. */
class PowerLoss extends Error {
  constructor() {
    super('the power is gone');
  }
}

/**
 * One boot of a computer: code that can lose its power at any moment, and does nothing from then on.
 *
 * All that is in its memory goes with it, so a loss between two *host calls* (things that code does to the world around it:
 * a byte written, a message handed over, a record stored) should not be told from one at the next of them. That this is so of
 * the C client is not taken on trust: its boards also lose their power at any edge of their code's control flow (`powerOut`).
 */
export class Machine {
  readonly clock: Clock;
  readonly #died: () => void;
  #alive = true;
  #running = false;
  #callsLeft = Number.POSITIVE_INFINITY;

  /** `died` is called once, when nothing of the machine runs any more. `skew`: how far its wall clock is off, ms. */
  constructor(time: VirtualClock, died: () => void, skew: () => number = () => 0) {
    this.#died = died;
    this.clock = {
      now: () => time.now(),
      wallTime: () => time.wallTime() + skew(),
      schedule: (ms, task): Cancel => time.schedule(ms, () => this.run(task)),
      defer: (task) => time.defer(() => this.run(task)),
      yield: (task) => time.yield(() => this.run(task)),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Runs code of the machine, as far as it gets. */
  run(work: () => void): void {
    if (!this.#alive) return;
    // Inside of another run the loss has all of that to stop.
    if (this.#running) return work();
    this.#running = true;
    try {
      work();
    } catch (error) {
      if (!(error instanceof PowerLoss)) throw error;
      this.#died();
    } finally {
      this.#running = false;
    }
  }

  /** Marks a host call of the machine's code. */
  hostCall(): void {
    if (!this.#alive || --this.#callsLeft < 0) this.powerOut();
  }

  /** The power goes here, in the middle of the machine's code. */
  powerOut(): never {
    this.#alive = false;
    throw new PowerLoss();
  }

  /** The power goes at the host call that so many precede. */
  dieAfter(hostCalls: number): void {
    this.#callsLeft = Math.min(this.#callsLeft, hostCalls);
  }

  /** The power goes between two things that the machine does. */
  die(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#died();
  }
}
