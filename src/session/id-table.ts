/** How a channel is named in a message: by the id that one side declared for it (PROTOCOL.md §6.3). */
export interface Address {
  readonly id: number;
  /** Whether it is this side's own id rather than the other's. */
  readonly own: boolean;
}

/** The channel ids of one session, both sides' spaces. */
export class IdTable<C> {
  readonly #theirs = new Map<number, C>();
  readonly #theirIds = new Map<C, number>();
  readonly #own = new Map<C, { id: number; usable: boolean }>();
  readonly #ownChannels: C[] = [];
  /** The greatest id that the other side lets this one declare. */
  ownLimit = 0;

  /** The other side declared `id`. */
  declare(id: number, channel: C): void {
    const before = this.#theirs.get(id);
    if (before !== undefined && this.#theirIds.get(before) === id) this.#theirIds.delete(before);
    this.#theirs.set(id, channel);
    this.#theirIds.set(channel, id);
  }

  /** The channel that a received id means. */
  lookup(id: number, own: boolean): C | undefined {
    return own ? this.#ownChannels[id - 1] : this.#theirs.get(id);
  }

  /** How to address `channel` now; undefined if only its name will do. */
  address(channel: C): Address | undefined {
    const theirs = this.#theirIds.get(channel);
    if (theirs !== undefined) return { id: theirs, own: false };
    const own = this.#own.get(channel);
    return own?.usable ? { id: own.id, own: true } : undefined;
  }

  /** Picks an id for `channel` if it has none and there is room; it must be declared before it is `usable`. */
  assign(channel: C): number | undefined {
    if (this.#ownChannels.length >= this.ownLimit || this.#own.has(channel) || this.#theirIds.has(channel)) {
      return undefined;
    }
    const id = this.#ownChannels.push(channel);
    this.#own.set(channel, { id, usable: false });
    return id;
  }

  /** The other side acknowledged the declaration. */
  usable(channel: C): void {
    const own = this.#own.get(channel);
    if (own) own.usable = true;
  }

  get declared(): number {
    return this.#theirs.size;
  }

  clear(): void {
    this.#theirs.clear();
    this.#theirIds.clear();
    this.#own.clear();
    this.#ownChannels.length = 0;
  }
}
