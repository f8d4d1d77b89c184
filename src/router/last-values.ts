import { Tally } from '../tally.js';
import type { Qos } from '../wire/messages.js';
import type { LastValue } from './channel.js';
import { LevelTree, levelsAllowed, levelsOf } from './level-tree.js';

export interface LastValueLimits {
  /** How many channels may have a last value. Names that have more than 8 levels on average reach it sooner. */
  readonly maxLastValues: number;
  /** What all last values together may take, in bytes of payload. */
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

/** Sets and clears the last values of channels within limits (PROTOCOL.md §6.5). */
export class LastValues {
  readonly #limits: LastValueLimits;
  readonly #values = new LevelTree<LastValue>(({ name }) => name);
  readonly #keeper: LastValueKeeper | undefined;
  readonly #countOf = new Tally();
  readonly #bytesOf = new Tally();
  #count = 0;
  #bytes = 0;
  #mark = 0;

  constructor(limits: LastValueLimits, keeper?: LastValueKeeper) {
    this.#limits = limits;
    this.#keeper = keeper;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of payload that all last values take. */
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

  /**
   * Why the value of the channel of that name cannot be set, or cleared with 0 bytes, if so. `party`: who sets it, if that is
   * to count for anyone.
   */
  refusal(
    name: string,
    payloadLength: number,
    party: string | undefined,
  ): 'limit_reached' | 'share_used_up' | 'not_stored' | undefined {
    if (this.#keeper?.full === true) return 'not_stored';
    if (payloadLength === 0) return undefined;
    if (!this.#hasRoom(name, payloadLength)) return 'limit_reached';
    if (party === undefined || this.#hasShare(name, payloadLength, party)) return undefined;
    return 'share_used_up';
  }

  #hasShare(name: string, payloadLength: number, party: string): boolean {
    const { maxLastValuesPerParty, maxLastValueBytesPerParty } = this.#limits;
    const old = this.#values.get(name);
    const own = old?.party === party ? old : undefined;
    const count = this.#countOf.of(party) + (own ? 0 : 1);
    const bytes = this.#bytesOf.of(party) + payloadLength - (own?.payload.length ?? 0);
    return !(count > (maxLastValuesPerParty ?? count) || bytes > (maxLastValueBytesPerParty ?? bytes));
  }

  #hasRoom(name: string, payloadLength: number): boolean {
    const { maxLastValues, maxLastValueBytes } = this.#limits;
    const old = this.#values.get(name);
    if (this.#bytes + payloadLength - (old?.payload.length ?? 0) > maxLastValueBytes) return false;
    if (old !== undefined) return true;
    return this.#count < maxLastValues && this.#values.nodes + levelsOf(name) <= levelsAllowed(maxLastValues);
  }

  /** The last value of the channel of that name. */
  get(name: string): LastValue | undefined {
    return this.#values.get(name);
  }

  /** The values of the channels that the pattern matches, found as they are asked for. */
  matching(pattern: string): Generator<LastValue, void> {
    return this.#values.matchingNames(pattern);
  }

  /** Keeps the payload, which must not change afterwards; an empty one clears the value. */
  update(name: string, payload: Uint8Array, qos: Qos, party?: string): void {
    // What is cleared twice is no change: names that nobody knows must cost nothing.
    if (payload.length === 0 && this.#values.get(name) === undefined) return;
    this.restore(name, payload, qos, this.#mark + 1, party);
    this.#keeper?.changed(name, this.#values.get(name));
  }

  /** Takes up a value that was kept, with its mark. */
  restore(name: string, payload: Uint8Array, qos: Qos, mark: number, party?: string): void {
    const old = this.#values.get(name);
    if (old !== undefined) {
      this.#count -= 1;
      this.#bytes -= old.payload.length;
      if (old.party !== undefined) {
        this.#countOf.remove(old.party);
        this.#bytesOf.remove(old.party, old.payload.length);
      }
    }
    if (payload.length === 0) {
      if (old !== undefined) this.#values.delete(name);
      return;
    }
    this.#count += 1;
    this.#bytes += payload.length;
    if (party !== undefined) {
      this.#countOf.add(party);
      this.#bytesOf.add(party, payload.length);
    }
    this.#mark = Math.max(this.#mark, mark);
    this.#values.put({ name, payload: whole(payload), qos, mark, party });
  }
}

/** Bytes that keep nothing but themselves in memory: a part of something larger would keep all of it. */
function whole(payload: Uint8Array): Uint8Array {
  return payload.length === payload.buffer.byteLength ? payload : new Uint8Array(payload);
}
