import type { Logger } from 'pino';
import type { Clock } from '../clock.js';

/** Lines at once, after a quiet while, and how many a second when it goes on. */
const BURST_LINES = 200;
const LINES_PER_SECOND = 20;

/**
 * Writes what peers cause, such as that they come and go, as long as it is not too much: nobody can fill a disk by
 * connecting again and again. What is left out is counted, and said with the next line that is written.
 */
export class QuietLogger {
  readonly #logger: Logger;
  readonly #clock: Clock;
  #lines = BURST_LINES;
  #filledAt: number;
  #leftOut = 0;

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
    this.#filledAt = clock.now();
  }

  info(fields: object, text: string): void {
    // What is not wanted anyway is not left out.
    if (this.#logger.isLevelEnabled('info') && this.#mayWrite()) this.#logger.info(fields, text);
  }

  warn(fields: object, text: string): void {
    if (this.#logger.isLevelEnabled('warn') && this.#mayWrite()) this.#logger.warn(fields, text);
  }

  #mayWrite(): boolean {
    const now = this.#clock.now();
    const filled = ((now - this.#filledAt) / 1000) * LINES_PER_SECOND;
    this.#lines = Math.min(BURST_LINES, this.#lines + filled);
    this.#filledAt = now;
    if (this.#lines < 1) {
      this.#leftOut += 1;
      return false;
    }
    this.#lines -= 1;
    if (this.#leftOut > 0) {
      this.#logger.warn({ lines: this.#leftOut }, `${this.#leftOut} lines about peers were left out`);
      this.#leftOut = 0;
    }
    return true;
  }
}
