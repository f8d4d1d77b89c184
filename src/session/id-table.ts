import { BROADCAST_CHANNEL } from '../wire/channels.js';
import type { Reason } from '../wire/reasons.js';
import type { IdEntry, Recorder } from './contract.js';
import { IdSpace } from './id-space.js';
import type { Channel } from './outgoing.js';

/** How a channel is named in a message: by the id that one side declared for it (PROTOCOL.md §6.3). */
export interface Address {
  readonly id: number;
  /** Whether it is this side's own id rather than the other's. */
  readonly own: boolean;
}

/** Where channels come from; one that has an id is held. */
export interface ChannelSource<C extends Channel> {
  /** `forId`: an id is to stand for it. */
  hold(name: string, forId?: boolean): C | Reason;
  release(channel: C, forId?: boolean): void;
}

/** Id 0 is the broadcast channel in either space (§6.4). */
const BROADCAST_ADDRESS: Address = { id: 0, own: false };

/** The channel ids of one session, both sides' spaces. */
export class IdTable<C extends Channel> {
  readonly #source: ChannelSource<C>;
  readonly #recorder: Recorder<C> | undefined;
  #theirs: IdSpace<C> | undefined;
  #own: IdSpace<C> | undefined;
  /** Own ones that the other side has not acknowledged. */
  #unusable: Set<C> | undefined;
  #lastOwn = 0;
  /** Asked for last, as most often it is the next time, too; and its address. */
  #recent: C | undefined;
  #recentAddress: Address | undefined;
  /** The greatest id that the other side lets this one declare. */
  ownLimit = 0;

  constructor(source: ChannelSource<C>, recorder?: Recorder<C>) {
    this.#source = source;
    this.#recorder = recorder;
  }

  /** The other side declared `id`, anew perhaps. Returns why there can be no such channel. */
  declare(id: number, name: string): Reason | undefined {
    const channel = this.#source.hold(name, true);
    if (typeof channel === 'string') return channel;
    this.#theirs ??= new IdSpace();
    const before = this.#theirs.set(id, channel);
    this.#recent = undefined;
    if (before !== undefined) this.#source.release(before, true);
    this.#recorder?.declared({ own: false, id, channel, usable: true });
    return undefined;
  }

  get size(): number {
    return (this.#theirs?.size ?? 0) + (this.#own?.size ?? 0);
  }

  /** Both sides' ids. */
  *[Symbol.iterator](): Generator<IdEntry<C>> {
    for (const [id, channel] of this.#theirs ?? []) yield { own: false, id, channel, usable: true };
    for (const [id, channel] of this.#own ?? [])
      yield { own: true, id, channel, usable: !this.#unusable?.has(channel) };
  }

  /** Takes up what was kept of both sides' ids; the channels are held already, once an id. */
  restore(entries: Iterable<IdEntry<C>>): void {
    for (const { own, id, channel, usable } of entries) {
      if (own) this.#setOwn(id, channel, usable);
      else {
        this.#theirs ??= new IdSpace();
        this.#theirs.set(id, channel);
        this.#recent = undefined;
      }
    }
  }

  /** The channel that a received id means. */
  lookup(id: number, own: boolean): C | string | undefined {
    if (id === 0) return BROADCAST_CHANNEL;
    return (own ? this.#own : this.#theirs)?.thing(id);
  }

  /** How to address `channel` now; undefined if only its name will do. */
  address(channel: C): Address | undefined {
    if (channel !== this.#recent) {
      this.#recent = channel;
      this.#recentAddress = this.#findAddress(channel);
    }
    return this.#recentAddress;
  }

  #findAddress(channel: C): Address | undefined {
    if (channel.name === BROADCAST_CHANNEL) return BROADCAST_ADDRESS;
    const theirs = this.#theirs?.id(channel);
    if (theirs !== undefined) return { id: theirs, own: false };
    const own = this.#own?.id(channel);
    return own === undefined || this.#unusable?.has(channel) ? undefined : { id: own, own: true };
  }

  /** Picks an id for `channel` if it has none and there is room; it must be declared before it is `usable`. */
  assign(channel: C): number | undefined {
    if (this.address(channel) || this.#lastOwn >= this.ownLimit || this.#own?.id(channel)) return undefined;
    const held = this.#source.hold(channel.name, true);
    if (typeof held === 'string') return undefined;
    const id = this.#lastOwn + 1;
    this.#setOwn(id, held, false);
    this.#recorder?.declared({ own: true, id, channel: held, usable: false });
    return id;
  }

  #setOwn(id: number, channel: C, usable: boolean): void {
    this.#lastOwn = Math.max(this.#lastOwn, id);
    this.#own ??= new IdSpace();
    this.#own.set(id, channel);
    this.#recent = undefined;
    if (usable) return;
    this.#unusable ??= new Set();
    this.#unusable.add(channel);
  }

  /** The other side acknowledged the declaration, perhaps of an id that has been cleared since. */
  usable(id: number, channel: C): void {
    const declared = this.#own?.thing(id);
    if (declared?.name !== channel.name) return;
    this.#unusable?.delete(declared);
    this.#recent = undefined;
    this.#recorder?.declared({ own: true, id, channel: declared, usable: true });
  }

  clear(): void {
    this.#recorder?.idsCleared(this);
    for (const { channel } of this) this.#source.release(channel, true);
    this.#theirs = undefined;
    this.#own = undefined;
    this.#unusable = undefined;
    this.#recent = undefined;
    this.#lastOwn = 0;
  }
}
