import type { Logger } from 'pino';
import type { Cancel, Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import type { QueueLimits } from '../session/contract.js';
import type { Places } from './places.js';
import type { QuietLogger } from './quiet-logger.js';
import type { Resident } from './resident.js';

export interface HeldLimits {
  /** Of one session's queue, and of all together. */
  readonly queue: QueueLimits;
  /** A session whose queue is full is ended, rather than emits to it refused. */
  readonly endFull: boolean;
  /** How long a message may wait for its session, ms; 0 for as long as the session stands. */
  readonly queueAgeMs: number;
}

export interface HeldMessagesContext {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
  /** For what peers cause. */
  readonly peerLog: QuietLogger;
  readonly limits: HeldLimits;
  readonly places: Places;
}

/** How long a session that is there may have a full queue before it is ended, where that is configured. */
const CATCH_UP_MS = 10_000;
/** What a message takes in a queue besides its payload, at most: head, number, name. */
const MESSAGE_OVERHEAD_BYTES = 300;

/** How often old messages are looked for, ms. */
const SWEEP_MS = 60_000;

/** What is held for sessions that are slow or absent: what happens when it is too much, or too old (PROTOCOL.md §5.7). */
export class HeldMessages {
  readonly #context: HeldMessagesContext;
  #sweep: Cancel | undefined;

  constructor(context: HeldMessagesContext) {
    this.#context = context;
    if (context.limits.queueAgeMs > 0) this.#dropOld();
  }

  stop(): void {
    this.#sweep?.();
  }

  /** A message of so many bytes found no room; `first`, for the first time `sinceMs` ago. */
  full(session: Resident, bytes: number, sinceMs: number, first: boolean): void {
    if (first) this.#say(session);
    if (this.#context.limits.endFull) this.#makeWay(session, bytes, sinceMs);
  }

  #say({ identity, open }: Resident): void {
    this.#context.peerLog.warn(
      { identity, open },
      `the queue of ${identity}, which is ${open ? 'slow' : 'absent'}, is full: reliable emits to it are refused (limits.queue)`,
    );
  }

  /**
   * An emit was refused because a session had no room: ends that session, or the absent one that holds most if it is all
   * queues together that are full, so that the next emit finds room. One that is there has a while to catch up.
   */
  #makeWay(session: Resident, bytes: number, sinceMs: number): void {
    const { clock, limits, counters, places } = this.#context;
    const all = limits.queue.total?.hasRoom(bytes + MESSAGE_OVERHEAD_BYTES) === false;
    const victim = all ? places.fullestAbsent() : session;
    if (!victim || (victim.attentive && sinceMs < CATCH_UP_MS)) return;
    // Not now: the router is in the middle of an emit.
    clock.defer(() => {
      const { identity, pending } = victim;
      if (!places.residents.has(victim)) return;
      counters.add('session.ended_full');
      this.#context.peerLog.warn(
        { identity, lost: pending },
        `the session of ${identity} is ended, its queue is full: ${pending} messages for it are lost (limits.queue.when_full)`,
      );
      victim.evict('queue_full');
    });
  }

  /** Drops what has waited too long; again every so often. */
  #dropOld(): void {
    const { clock, counters, limits, logger, places } = this.#context;
    const before = clock.now() - limits.queueAgeMs;
    for (const resident of places.residents) {
      const { identity, pending } = resident;
      const dropped = pending > 0 ? resident.dropWaitingSince(before) : 0;
      if (dropped === 0) continue;
      counters.add('session.drop.too_old', dropped);
      logger.warn(
        { identity, dropped },
        `${dropped} messages for ${identity} have waited too long (limits.queue.age)`,
      );
    }
    this.#sweep = clock.schedule(SWEEP_MS, () => this.#dropOld());
  }
}
