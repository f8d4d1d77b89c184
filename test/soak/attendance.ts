import type { DeviceState } from '../../src/wire/device-states.js';

/** What happens at one moment may be told in any order, ms. */
const MOMENT_MS = 1;
/** Longer than a run lasts, or a clock is off. */
const LONG_MS = 3_600_000;
/** A goodbye may be so late, and end a session that was begun since, ms. */
const GOODBYE_LATE_MS = 30_000;

interface Presence {
  readonly state: DeviceState;
  readonly since: number;
}

export interface AttendanceContext {
  readonly now: () => number;
  readonly schedule: (ms: number, task: () => void) => void;
  readonly violate: (what: string) => void;
  /** How long the identity's session outlives its link, ms. */
  readonly expiryMs: (identity: string) => number;
  /** Its firmware asks for a new session each time. */
  readonly isForgetful: (identity: string) => boolean;
  /** Whether the gateway has a session of that identity. */
  readonly hasSession: (identity: string) => boolean;
}

/**
 * Who is there, in the gateway's own words, and when sessions end: only by the rules (PROTOCOL.md §3.2, §4.3, §5.7), and when their
 * time is over, at once.
 */
export class Attendance {
  readonly #context: AttendanceContext;
  readonly #presence = new Map<string, Presence>();
  /** Moments at which something happened that ends a session: its peer asked for it, its queue was full. */
  readonly #saidGoodbye = new Map<string, number>();
  readonly #overfull = new Map<string, number>();
  /** Gateways so far: the time that a session has left is told anew by each, from its wall clock. */
  #process = 0;
  endings = 0;

  constructor(context: AttendanceContext) {
    this.#context = context;
  }

  of(identity: string): Presence {
    return this.#presence.get(identity) ?? { state: 'offline', since: 0 };
  }

  changed(identity: string, state: DeviceState): void {
    const { now, schedule, violate, expiryMs, hasSession } = this.#context;
    const presence = { state, since: now() };
    this.#presence.set(identity, presence);
    if (state !== 'offline' || expiryMs(identity) > LONG_MS) return;
    const process = this.#process;
    schedule(expiryMs(identity) + MOMENT_MS, () => {
      const still = this.#presence.get(identity) === presence && this.#process === process;
      if (still && hasSession(identity)) violate(`the session of ${identity} outlives its time`);
    });
  }

  /** The board leaves, and wants no session any more. */
  leavesForGood(identity: string): void {
    this.#saidGoodbye.set(identity, this.#context.now());
  }

  /** Its queue is full, and the gateway is told to end such sessions. One that is absent, and `alone`, is ended at once. */
  overfull(identity: string, alone: boolean): void {
    const { now, schedule, violate, hasSession } = this.#context;
    const at = now();
    this.#overfull.set(identity, at);
    const { state } = this.of(identity);
    if (state === 'online' || !alone) return;
    const process = this.#process;
    schedule(MOMENT_MS, () => {
      const { state: stateNow, since } = this.of(identity);
      const same = this.#process === process && stateNow !== 'online' && since <= at;
      if (same && hasSession(identity)) violate(`the full queue of ${identity}, which is absent, stays`);
    });
  }

  gatewayGone(): void {
    this.#process++;
    for (const [identity, { state }] of this.#presence) {
      if (state !== 'offline') this.#presence.set(identity, { state: 'offline', since: this.#context.now() });
    }
  }

  ended(identity: string): void {
    const { now, schedule, violate, expiryMs, isForgetful, hasSession } = this.#context;
    this.endings++;
    schedule(MOMENT_MS, () => {
      const { state: stateNow } = this.of(identity);
      if (stateNow !== 'offline' && !hasSession(identity))
        violate(`${identity} is said to be ${stateNow}, and its session is over`);
    });
    const { state, since } = this.of(identity);
    const expired =
      state === 'offline' && (now() >= since + expiryMs(identity) - MOMENT_MS || this.#isWallClock(identity));
    const forgotten = now() - (this.#saidGoodbye.get(identity) ?? Number.NEGATIVE_INFINITY) < GOODBYE_LATE_MS;
    const full = this.#overfull.get(identity) === now();
    if (!expired && !forgotten && !full && !isForgetful(identity))
      violate(`the gateway forgot the session of ${identity}`);
  }

  /** After a restart a session that is to last for seconds may be over at any time: the clock may have been set. */
  #isWallClock(identity: string): boolean {
    return this.#process > 0 && this.#context.expiryMs(identity) < LONG_MS;
  }
}
