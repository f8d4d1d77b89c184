import type { Clock } from '../../clock.js';
import { Deadlines } from '../../deadlines.js';
import { BEACON_MS } from './words.js';

/** A gateway of which nothing was heard for so long, ms, is not there: three beacons may be lost. */
export const SILENT_MS = 3.5 * BEACON_MS;

/** `awaited`: somebody spoke of it, but it was not heard itself yet. */
export type Standing = 'awaited' | 'heard' | 'silent';

/** Which other gateways are there: those that were heard lately. */
export class RollCall {
  readonly #changed: (gateway: string) => void;
  /** Those that are awaited or were heard. */
  readonly #silences: Deadlines<string>;
  readonly #standing = new Map<string, Standing>();

  /** `changed`: a gateway is `heard` now, or `silent`. */
  constructor(clock: Clock, changed: (gateway: string) => void) {
    this.#changed = changed;
    this.#silences = new Deadlines(clock, SILENT_MS, (gateway) => {
      this.#standing.set(gateway, 'silent');
      changed(gateway);
    });
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
    this.#silences.start(gateway);
  }

  heard(gateway: string): void {
    const before = this.#standing.get(gateway);
    this.#silences.start(gateway);
    if (before === 'heard') return;
    this.#standing.set(gateway, 'heard');
    this.#changed(gateway);
  }

  stop(): void {
    this.#silences.stopAll();
  }
}
