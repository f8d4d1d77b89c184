import type { Logger } from 'pino';
import type { Clock } from '../clock.js';
import type { BridgeCounts } from './counts.js';
import type { RefusalReason } from './upstream.js';

/** How often what upstream does not take is logged, ms, by its reason: a rule that does not fit concerns every message. */
const SAY_MS = 60_000;
/** As many patterns that upstream does not let this gateway hear are logged in that time: each connection asks for all again. */
const MAX_PATTERNS_SAID = 10;

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
  /** Patterns that were logged since then. */
  readonly #patternsSaid = new Set<string>();
  #patternsSince = Number.NEGATIVE_INFINITY;

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
    const { bridge, clock, counts, logger } = this.#context;
    counts.add('interest_refused');
    const now = clock.now();
    if (now - this.#patternsSince >= SAY_MS) {
      this.#patternsSince = now;
      this.#patternsSaid.clear();
    }
    if (this.#patternsSaid.has(pattern) || this.#patternsSaid.size > MAX_PATTERNS_SAID) return;
    this.#patternsSaid.add(pattern);
    if (this.#patternsSaid.size > MAX_PATTERNS_SAID)
      return logger.warn(
        { bridge },
        `bridge ${bridge}: nor does anything come in of further patterns (counted as bridges.${bridge}.interest_refused): see what the login may hear`,
      );
    logger.warn({ bridge, pattern }, `bridge ${bridge}: nothing comes in of "${pattern}": ${why}`);
  }
}
