import type { Cancel, Clock } from '../../clock.js';
import { BEACON_MS } from './words.js';

/** A gateway of which nothing was heard for so long, ms, is not there: three beacons may be lost. */
export const SILENT_MS = 3.5 * BEACON_MS;

/** `awaited`: somebody spoke of it, but it was not heard itself yet. */
export type Standing = 'awaited' | 'heard' | 'silent';

/** Which other gateways are there: those that were heard lately. */
export class RollCall {
  readonly #clock: Clock;
  readonly #changed: (gateway: string) => void;
  /** Since when nothing was heard of those that are awaited or were heard, ms of the clock: the longest first. */
  readonly #since = new Map<string, number>();
  readonly #standing = new Map<string, Standing>();
  #check: Cancel | undefined;

  /** `changed`: a gateway is `heard` now, or `silent`. */
  constructor(clock: Clock, changed: (gateway: string) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  /** Of how many gateways it knows. */
  get size(): number {
    return this.#standing.size;
  }

  of(gateway: string): Standing | undefined {
    return this.#standing.get(gateway);
  }

  /** Something was said in the name of that gateway, `stored` if that may be long ago: it is to be heard soon. */
  mentioned(gateway: string, stored: boolean): void {
    const standing = this.#standing.get(gateway);
    if (standing !== undefined && (stored || standing !== 'silent')) return;
    this.#standing.set(gateway, 'awaited');
    this.#wait(gateway);
  }

  heard(gateway: string): void {
    const before = this.#standing.get(gateway);
    this.#wait(gateway);
    if (before === 'heard') return;
    this.#standing.set(gateway, 'heard');
    this.#changed(gateway);
  }

  stop(): void {
    this.#check?.();
    this.#check = undefined;
  }

  #wait(gateway: string): void {
    this.#since.delete(gateway);
    this.#since.set(gateway, this.#clock.now());
    this.#check ??= this.#clock.schedule(SILENT_MS, () => this.#checkAll());
  }

  #checkAll(): void {
    this.#check = undefined;
    for (const [gateway, since] of this.#since) {
      const left = since + SILENT_MS - this.#clock.now();
      if (left > 0) {
        this.#check = this.#clock.schedule(left, () => this.#checkAll());
        return;
      }
      this.#since.delete(gateway);
      this.#standing.set(gateway, 'silent');
      this.#changed(gateway);
    }
  }
}
