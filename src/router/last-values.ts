import type { Clock } from '../clock.js';
import type { Count } from '../counters.js';
import { Tally } from '../tally.js';
import type { LastValue } from './channel.js';
import { LevelTree, levelsAllowed, levelsOf } from './level-tree.js';
import { extrasBytes, hasExpired } from './message.js';
import { bytesBeyond } from './names.js';

export interface LastValueLimits {
  /** How many channels may have a last value. Names that have more than 8 levels on average reach it sooner. */
  readonly maxLastValues: number;
  /** What all last values together may take, in bytes: of payload, of extras, of names beyond 255. */
  readonly maxLastValueBytes: number;
  /** What of both one party may have set; any number if left out. */
  readonly maxLastValuesPerParty?: number;
  readonly maxLastValueBytesPerParty?: number;
}

/** Where last values are kept so that they outlive the process. */
export interface LastValueKeeper {
  /** The value of the channel of that name was set, or cleared. */
  changed(channelName: string, value: LastValue | undefined): void;
  /** Whether so much waits to be kept that there must not be more. */
  readonly full: boolean;
}

/** A last value that is to be set. */
export type NewLastValue = Omit<LastValue, 'mark'>;

/** How often last values that have expired are looked for to make room for others, at most, ms. */
const SWEEP_MS = 1000;

/**
 * Sets and clears the last values of channels within limits (PROTOCOL.md §6.5). One that has expired is as if cleared. That costs no timer: it is
 * found out when somebody asks for it, or when its room is needed.
 */
export class LastValues {
  readonly #limits: LastValueLimits;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #expired: Count;
  readonly #values = new LevelTree<LastValue>(({ name }) => name);
  readonly #keeper: LastValueKeeper | undefined;
  readonly #countOf = new Tally();
  readonly #bytesOf = new Tally();
  /** Those that will expire, or have. */
  readonly #expiring = new Set<LastValue>();
  #sweptAt = Number.NEGATIVE_INFINITY;
  #count = 0;
  #bytes = 0;
  #mark = 0;

  /** `expired` counts those that did. */
  constructor(limits: LastValueLimits, clock: Pick<Clock, 'now'>, expired: Count, keeper?: LastValueKeeper) {
    this.#limits = limits;
    this.#clock = clock;
    this.#expired = expired;
    this.#keeper = keeper;
  }

  /** How many there may be. */
  get limit(): number {
    return this.#limits.maxLastValues;
  }

  get count(): number {
    return this.#count;
  }

  /** What all last values take, in bytes as limited. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts up with every value set, so that values set since an earlier mark can be told from the others. */
  get mark(): number {
    return this.#mark;
  }

  /** Goes on behind a mark that somebody remembers: what came before it may not all have been kept. */
  restoreMark(mark: number): void {
    this.#mark = Math.max(this.#mark, mark);
  }

  /** Why the value cannot be set, or cleared with 0 bytes of payload, if so. */
  refusal(value: NewLastValue): 'limit_reached' | 'share_used_up' | 'not_stored' | undefined {
    if (this.#keeper?.full === true) return 'not_stored';
    if (value.payload.length === 0) return undefined;
    const refusal = this.#overLimit(value);
    return refusal && this.#sweep() ? this.#overLimit(value) : refusal;
  }

  #overLimit(value: NewLastValue): 'limit_reached' | 'share_used_up' | undefined {
    if (!this.#hasRoom(value)) return 'limit_reached';
    if (value.party === undefined || this.#hasShare(value, value.party)) return undefined;
    return 'share_used_up';
  }

  #hasShare(value: NewLastValue, party: string): boolean {
    const { maxLastValuesPerParty, maxLastValueBytesPerParty } = this.#limits;
    const old = this.#values.get(value.name);
    const own = old?.party === party ? old : undefined;
    const count = this.#countOf.of(party) + (own ? 0 : 1);
    const bytes = this.#bytesOf.of(party) + bytesOf(value) - bytesOf(own);
    return !(count > (maxLastValuesPerParty ?? count) || bytes > (maxLastValueBytesPerParty ?? bytes));
  }

  #hasRoom(value: NewLastValue): boolean {
    const { maxLastValues, maxLastValueBytes } = this.#limits;
    const old = this.#values.get(value.name);
    if (this.#bytes + bytesOf(value) - bytesOf(old) > maxLastValueBytes) return false;
    if (old !== undefined) return true;
    return (
      this.#count < maxLastValues && this.#values.nodes + levelsOf(value.name) <= levelsAllowed(maxLastValues)
    );
  }

  /** Drops all that have expired. Returns whether there were any. Not more often than every now and then: it looks at very many. */
  #sweep(): boolean {
    const now = this.#clock.now();
    if (now - this.#sweptAt < SWEEP_MS) return false;
    this.#sweptAt = now;
    const before = this.#count;
    for (const value of this.#expiring) this.#dropExpired(value);
    return this.#count < before;
  }

  /** Returns whether it has expired: then it is gone. */
  #dropExpired(value: LastValue): boolean {
    if (!hasExpired(value.extras, this.#clock.now())) return false;
    this.#remove(value);
    this.#expired.add();
    this.#keeper?.changed(value.name, undefined);
    return true;
  }

  /** The last value of the channel of that name. */
  get(name: string): LastValue | undefined {
    const value = this.#values.get(name);
    return value && this.#dropExpired(value) ? undefined : value;
  }

  /** The values of the channels that the pattern matches, found as they are asked for; perhaps also what has expired. */
  matching(pattern: string): Generator<LastValue, void> {
    return this.#values.matchingNames(pattern);
  }

  /** Keeps the payload, which must not change afterwards; an empty one clears the value. */
  update(value: NewLastValue): void {
    const { name } = value;
    // What is cleared twice is no change: names that nobody knows must cost nothing.
    if (value.payload.length === 0 && this.#values.get(name) === undefined) return;
    this.restore({ ...value, mark: this.#mark + 1 });
    this.#keeper?.changed(name, this.#values.get(name));
  }

  /** Takes up a value that was kept, with its mark. */
  restore({ name, payload, qos, mark, party, extras }: LastValue): void {
    const old = this.#values.get(name);
    if (old !== undefined) this.#discount(old);
    if (payload.length === 0) {
      if (old !== undefined) this.#values.delete(name);
      return;
    }
    this.#mark = Math.max(this.#mark, mark);
    const value: LastValue = { name, payload: whole(payload), qos, mark, party, extras };
    this.#count += 1;
    this.#bytes += bytesOf(value);
    if (party !== undefined) {
      this.#countOf.add(party);
      this.#bytesOf.add(party, bytesOf(value));
    }
    if (extras?.expiresAt !== undefined) this.#expiring.add(value);
    this.#values.put(value);
  }

  #remove(value: LastValue): void {
    this.#discount(value);
    this.#values.delete(value.name);
  }

  #discount(value: LastValue): void {
    this.#count -= 1;
    this.#bytes -= bytesOf(value);
    this.#expiring.delete(value);
    if (value.party === undefined) return;
    this.#countOf.remove(value.party);
    this.#bytesOf.remove(value.party, bytesOf(value));
  }
}

/** What of a value counts as its bytes: names of up to 255 bytes are bounded by the number of values. */
function bytesOf(value: NewLastValue | undefined): number {
  if (value === undefined) return 0;
  return value.payload.length + extrasBytes(value.extras) + bytesBeyond(value.name);
}

/** Bytes that keep nothing but themselves in memory: a part of something larger would keep all of it. */
function whole(payload: Uint8Array): Uint8Array {
  return payload.length === payload.buffer.byteLength ? payload : new Uint8Array(payload);
}
