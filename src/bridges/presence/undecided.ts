import type { Clock } from '../../clock.js';
import { Deadlines } from '../../deadlines.js';
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
  readonly #most: number;
  /** The keys of those that are kept. */
  readonly #kept: Deadlines<string>;

  /** No more than `most` are kept: without the others only what is told right after a restart may be behind. */
  constructor(records: Pick<UpstreamRecords, 'entries' | 'put' | 'delete'>, clock: Clock, most: number) {
    this.#records = records;
    this.#most = most;
    this.#kept = new Deadlines(clock, KEEP_MS, (key) => records.delete(key));
  }

  /** What an earlier process kept; it is to be heard once more. */
  *left(): Generator<readonly [name: string, payload: Uint8Array], void> {
    for (const [key, payload] of this.#records.entries()) {
      if (!key.startsWith(PREFIX)) continue;
      this.#kept.start(key);
      yield [key.slice(PREFIX.length), payload];
    }
  }

  /** `payload` must not change any more. */
  keep(name: string, payload: Uint8Array): void {
    const key = PREFIX + name;
    if (!this.#kept.has(key) && this.#kept.size >= this.#most) return;
    this.#records.put(key, payload);
    this.#kept.start(key);
  }

  forget(name: string): void {
    const key = PREFIX + name;
    if (!this.#kept.has(key)) return;
    this.#kept.stop(key);
    this.#records.delete(key);
  }

  stop(): void {
    this.#kept.stopAll();
  }
}
