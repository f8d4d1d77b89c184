import { type Alarm, type Alarms, NOT_SET } from './alarms.js';

/** What a driver keeps going: the poll and wakeAt of a session. */
export interface Driven {
  poll(now: number): Uint8Array | undefined;
  wakeAt(): number | undefined;
}

/** Where its packets go: mostly the link itself. */
export interface WayOut {
  /** Whether packets wait in it: until they are gone, and it wakes the driver, no more are made. */
  readonly blocked?: boolean;
  send(packet: Uint8Array): void;
}

/** Packets sent in one go before other work gets a turn. */
const BURST = 256;

/**
 * Gives a sans-I/O session its clock, its timer and its way out. Woken by the first thing that comes in a turn of the event
 * loop it polls at once, and for all that comes in the same turn once more at its end, so that much leaves together
 * and little need not wait.
 */
export class Driver implements Alarm {
  alarmAt = 0;
  alarmPlace = NOT_SET;
  readonly #driven: Driven;
  readonly #alarms: Alarms;
  readonly #wayOut: WayOut;
  #queued = false;
  #stopped = false;
  /** The last turn in which it was woken. */
  #turn = -1;

  constructor(driven: Driven, alarms: Alarms, wayOut: WayOut) {
    this.#driven = driven;
    this.#alarms = alarms;
    this.#wayOut = wayOut;
  }

  /** Something changed: poll when whoever changed it is done, or at the end of the turn. */
  wake(): void {
    if (this.#queued || this.#stopped) return;
    this.#queued = true;
    const { turn } = this.#alarms;
    if (turn === this.#turn) return this.#alarms.atTurnEnd(this);
    this.#turn = turn;
    this.#alarms.soon(this);
  }

  /** Polls now. */
  flush(): void {
    if (this.#wayOut.blocked) return;
    const { clock } = this.#alarms;
    for (let i = 0; i < BURST && !this.#stopped; i++) {
      const packet = this.#driven.poll(clock.now());
      if (!packet) return this.#schedule();
      this.#wayOut.send(packet);
    }
    if (!this.#stopped) this.#alarms.set(this, clock.now());
  }

  stop(): void {
    this.#stopped = true;
    this.#alarms.cancel(this);
  }

  /** It was woken, or it is the time that the session named. */
  ring(): void {
    this.#queued = false;
    if (!this.#stopped) this.flush();
  }

  #schedule(): void {
    const at = this.#driven.wakeAt();
    if (at === undefined) this.#alarms.cancel(this);
    else if (!this.#stopped) this.#alarms.set(this, at);
  }
}
