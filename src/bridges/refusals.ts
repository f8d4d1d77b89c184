import type { Logger } from 'pino';
import type { Clock } from '../clock.js';
import type { BridgeCounts } from './counts.js';
import type { RefusalReason } from './upstream.js';

/** How often what upstream does not take is logged, ms, by its reason: a rule that does not fit concerns every message. */
const SAY_MS = 60_000;

export interface RefusalsContext {
  readonly bridge: string;
  readonly clock: Clock;
  readonly counts: BridgeCounts;
  readonly logger: Logger;
}

/** Counts and logs what upstream refuses to take, or to let this gateway hear. */
export class Refusals {
  readonly #context: RefusalsContext;
  readonly #saidAt = new Map<RefusalReason, number>();

  constructor(context: RefusalsContext) {
    this.#context = context;
  }

  message(reason: RefusalReason, why: string): void {
    const { bridge, clock, counts, logger } = this.#context;
    counts.drop(reason);
    const now = clock.now();
    if (now - (this.#saidAt.get(reason) ?? Number.NEGATIVE_INFINITY) < SAY_MS) return;
    this.#saidAt.set(reason, now);
    logger.warn({ bridge, reason }, `bridge ${bridge}: a message is dropped: ${why}`);
  }

  interest(pattern: string, why: string): void {
    const { bridge, counts, logger } = this.#context;
    counts.add('interest_refused');
    logger.warn({ bridge, pattern }, `bridge ${bridge}: nothing comes in of "${pattern}": ${why}`);
  }
}
