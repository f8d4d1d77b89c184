import { BROADCAST_CHANNEL } from '../wire/channels.js';
import type { Reason } from '../wire/reasons.js';
import type { IdEntry } from './contract.js';
import type { Channel } from './outgoing.js';

/** How a channel is named in a message: by the id that one side declared for it (PROTOCOL.md §6.3). */
export interface Address {
  readonly id: number;
  /** Whether it is this side's own id rather than the other's. */
  readonly own: boolean;
}

/** Where channels come from; one that has an id is held. */
export interface ChannelSource<C extends Channel> {
  hold(name: string): C | Reason;
  release(channel: C): void;
}

/** Id 0 is the broadcast channel in either space (§6.4). */
const BROADCAST_ADDRESS: Address = { id: 0, own: false };

/** The channel ids of one session, both sides' spaces. */
export class IdTable<C extends Channel> {
  readonly #source: ChannelSource<C>;
  readonly #theirs = new Map<number, C>();
  readonly #theirIds = new Map<C, number>();
  readonly #own = new Map<C, { id: number; usable: boolean }>();
  readonly #ownChannels: C[] = [];
  /** The greatest id that the other side lets this one declare. */
  ownLimit = 0;

  constructor(source: ChannelSource<C>) {
    this.#source = source;
  }

  /** The other side declared `id`, anew perhaps. Returns the channel, or why there can be none. */
  declare(id: number, name: string): C | Reason {
    const channel = this.#source.hold(name);
    if (typeof channel === 'string') return channel;
    const before = this.#theirs.get(id);
    if (before !== undefined) {
      if (this.#theirIds.get(before) === id) this.#theirIds.delete(before);
      this.#source.release(before);
    }
    this.#theirs.set(id, channel);
    this.#theirIds.set(channel, id);
    return channel;
  }

  get size(): number {
    return this.#theirs.size + this.#ownChannels.length;
  }

  /** Both sides' ids. */
  *[Symbol.iterator](): Generator<IdEntry<C>> {
    for (const [id, channel] of this.#theirs) yield { own: false, id, channel, usable: true };
    for (const [channel, { id, usable }] of this.#own) yield { own: true, id, channel, usable };
  }

  /** Takes up what was kept of both sides' ids; the channels are held already, once an id. */
  restore(entries: Iterable<IdEntry<C>>): void {
    for (const { own, id, channel, usable } of entries) {
      if (own) {
        this.#ownChannels[id - 1] = channel;
        this.#own.set(channel, { id, usable });
      } else {
        this.#theirs.set(id, channel);
        this.#theirIds.set(channel, id);
      }
    }
  }

  /** The channel that a received id means. */
  lookup(id: number, own: boolean): C | string | undefined {
    if (id === 0) return BROADCAST_CHANNEL;
    return own ? this.#ownChannels[id - 1] : this.#theirs.get(id);
  }

  /** How to address `channel` now; undefined if only its name will do. */
  address(channel: C): Address | undefined {
    if (channel.name === BROADCAST_CHANNEL) return BROADCAST_ADDRESS;
    const theirs = this.#theirIds.get(channel);
    if (theirs !== undefined) return { id: theirs, own: false };
    const own = this.#own.get(channel);
    return own?.usable ? { id: own.id, own: true } : undefined;
  }

  /** Picks an id for `channel` if it has none and there is room; it must be declared before it is `usable`. */
  assign(channel: C): number | undefined {
    if (this.#ownChannels.length >= this.ownLimit || this.#own.has(channel) || this.address(channel))
      return undefined;
    const held = this.#source.hold(channel.name);
    if (typeof held === 'string') return undefined;
    const id = this.#ownChannels.push(held);
    this.#own.set(held, { id, usable: false });
    return id;
  }

  /** The other side acknowledged the declaration. */
  usable(channel: C): void {
    const own = this.#own.get(channel);
    if (own) own.usable = true;
  }

  clear(): void {
    for (const channel of this.#theirs.values()) this.#source.release(channel);
    for (const channel of this.#ownChannels) this.#source.release(channel);
    this.#theirs.clear();
    this.#theirIds.clear();
    this.#own.clear();
    this.#ownChannels.length = 0;
  }
}
