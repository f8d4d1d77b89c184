import type { Cancel, Clock } from '../clock.js';

/** What a driver keeps going: the poll and wakeAt of a session. */
export interface Driven {
  poll(now: number): Uint8Array | undefined;
  wakeAt(): number | undefined;
}

/** Packets sent in one go before other work gets a turn. */
const BURST = 256;

/**
 * Gives a sans-I/O session its clock, its timer and its way out. However often it is woken in a turn of the event loop,
 * it polls once, so that what was caused together leaves together.
 */
export class Driver {
  readonly #driven: Driven;
  readonly #clock: Clock;
  readonly #send: (packet: Uint8Array) => void;
  #queued = false;
  #stopped = false;
  #cancelTimer: Cancel | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(driven: Driven, clock: Clock, send: (packet: Uint8Array) => void) {
    this.#driven = driven;
    this.#clock = clock;
    this.#send = send;
  }

  /** Something changed: poll at the end of this turn. */
  wake(): void {
    if (this.#queued || this.#stopped) return;
    this.#queued = true;
    this.#clock.defer(() => this.#run());
  }

  /** Polls now. */
  flush(): void {
    for (let i = 0; i < BURST && !this.#stopped; i++) {
      const packet = this.#driven.poll(this.#clock.now());
      if (!packet) return this.#schedule();
      this.#send(packet);
    }
    if (!this.#stopped) this.#arm(this.#clock.now());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #run(): void {
    this.#queued = false;
    if (!this.#stopped) this.flush();
  }

  #schedule(): void {
    const at = this.#driven.wakeAt();
    if (at === undefined) {
      this.#cancelTimer?.();
      this.#cancelTimer = undefined;
      this.#timerAt = Number.POSITIVE_INFINITY;
    } else if (!this.#stopped) this.#arm(at);
  }

  /** A timer that is due earlier than needed is left alone: it polls for nothing and is set again. */
  #arm(at: number): void {
    if (this.#cancelTimer && this.#timerAt <= at) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.schedule(Math.max(0, Math.ceil(at - this.#clock.now())), () => {
      this.#cancelTimer = undefined;
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#run();
    });
  }
}
