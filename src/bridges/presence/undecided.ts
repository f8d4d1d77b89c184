import type { Cancel, Clock } from '../../clock.js';
import type { UpstreamRecords } from '../upstream.js';
import { SILENT_MS } from './roll-call.js';

/** By then all is decided and told, ms. */
const KEEP_MS = 2 * SILENT_MS;

const PREFIX = 'core/undecided/';

/**
 * What gateways said of devices and is not told yet, since they are to be heard themselves first, or the device may come up elsewhere: kept
 * until that is decided, for upstream does not say it again after a restart.
 */
export class Undecided {
  readonly #records: Pick<UpstreamRecords, 'entries' | 'put' | 'delete'>;
  readonly #clock: Clock;
  readonly #most: number;
  /** Since when each is kept, ms of the clock, by its key: the oldest first. */
  readonly #since = new Map<string, number>();
  #sweep: Cancel | undefined;

  /** No more than `most` are kept: without the others only what is told right after a restart may be behind. */
  constructor(records: Pick<UpstreamRecords, 'entries' | 'put' | 'delete'>, clock: Clock, most: number) {
    this.#records = records;
    this.#clock = clock;
    this.#most = most;
  }

  /** What an earlier process kept; it is to be heard once more. */
  *left(): Generator<readonly [name: string, payload: Uint8Array], void> {
    for (const [key, payload] of this.#records.entries()) {
      if (!key.startsWith(PREFIX)) continue;
      this.#keepFrom(key);
      yield [key.slice(PREFIX.length), payload];
    }
  }

  /** `payload` must not change any more. */
  keep(name: string, payload: Uint8Array): void {
    const key = PREFIX + name;
    if (!this.#since.has(key) && this.#since.size >= this.#most) return;
    this.#records.put(key, payload);
    this.#keepFrom(key);
  }

  forget(name: string): void {
    if (this.#since.delete(PREFIX + name)) this.#records.delete(PREFIX + name);
  }

  stop(): void {
    this.#sweep?.();
  }

  #keepFrom(key: string): void {
    this.#since.delete(key);
    this.#since.set(key, this.#clock.now());
    this.#sweep ??= this.#clock.schedule(KEEP_MS, () => this.#sweepOld());
  }

  #sweepOld(): void {
    this.#sweep = undefined;
    for (const [key, since] of this.#since) {
      const left = since + KEEP_MS - this.#clock.now();
      if (left > 0) {
        this.#sweep = this.#clock.schedule(left, () => this.#sweepOld());
        return;
      }
      this.#since.delete(key);
      this.#records.delete(key);
    }
  }
}
