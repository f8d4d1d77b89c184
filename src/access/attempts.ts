/** So many may fail in a row before the first pause. */
const FREE_FAILURES = 5;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** After so long without a failure there was none. */
const FORGET_MS = 15 * 60_000;
/** Remembered; whose last failure is longest ago makes room. */
const MAX_KEYS = 10_000;

interface Record {
  failures: number;
  failedAt: number;
}

/**
 * How often somebody failed, and how long they have to wait for it: after five failures 1 s, twice as long with each further
 * one, up to a minute. Attempts during the pause do not count. In bounded memory.
 */
export class Attempts {
  readonly #records = new Map<string, Record>();

  /** How long `key` still has to wait, ms; 0 for not at all. */
  pause(key: string, now: number): number {
    const record = this.#recordOf(key, now);
    return record ? Math.max(0, record.failedAt + pauseAfter(record.failures) - now) : 0;
  }

  failed(key: string, now: number): void {
    const failures = (this.#recordOf(key, now)?.failures ?? 0) + 1;
    // Again at the end of the line: the first is the one whose last failure is longest ago.
    this.#records.delete(key);
    this.#records.set(key, { failures, failedAt: now });
    if (this.#records.size <= MAX_KEYS) return;
    for (const oldest of this.#records.keys()) {
      this.#records.delete(oldest);
      return;
    }
  }

  #recordOf(key: string, now: number): Record | undefined {
    const record = this.#records.get(key);
    if (record === undefined || now - record.failedAt < FORGET_MS) return record;
    this.#records.delete(key);
    return undefined;
  }
}

function pauseAfter(failures: number): number {
  if (failures < FREE_FAILURES) return 0;
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - FREE_FAILURES));
}
