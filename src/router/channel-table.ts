import { channelProblem } from '../wire/channels.js';
import { Channel } from './channel.js';
import { LevelTree } from './level-tree.js';

/** Levels that the names in a tree may have on average, shared ones counted once. */
export const LEVELS_PER_NAME = 8;
/** The most levels that one name can have: 255 bytes, all of them `/`. */
export const MAX_LEVELS = 256;

/**
 * The channels that the router knows, by name and by pattern. When it is full, it forgets a channel that holds nothing
 * which could not be had again, one not used lately first.
 */
export class ChannelTable {
  readonly #maxChannels: number;
  readonly #maxLevels: number;
  readonly #byName = new Map<string, Channel>();
  readonly #tree = new LevelTree<Channel>();
  /** Channels with neither holder nor last value, in the order in which they are considered for forgetting. */
  readonly #forgettable = new Set<Channel>();

  constructor(maxChannels: number) {
    this.#maxChannels = maxChannels;
    this.#maxLevels = maxChannels * LEVELS_PER_NAME + MAX_LEVELS;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** The channel of that name, made known if need be, or why that cannot be (PROTOCOL.md §6.1, §7). */
  find(target: Channel | string): Channel | 'bad_channel' | 'limit_reached' {
    if (typeof target !== 'string' && !target.forgotten) {
      target.recent = true;
      return target;
    }
    const name = typeof target === 'string' ? target : target.name;
    const known = this.#byName.get(name);
    if (known !== undefined) {
      known.recent = true;
      return known;
    }
    if (channelProblem(name) !== undefined) return 'bad_channel';
    if (!this.#makeRoom(name.split('/').length)) return 'limit_reached';
    const channel = new Channel(name);
    this.#byName.set(name, channel);
    this.#tree.set(name, channel);
    this.#forgettable.add(channel);
    return channel;
  }

  matching(pattern: string): Channel[] {
    return this.#tree.matchingNames(pattern);
  }

  /** Every channel's route is to be found anew. */
  forgetRoutes(): void {
    for (const channel of this.#byName.values()) channel.route = undefined;
  }

  /** To be called when a channel gained or lost its holders or its last value. */
  reconsider(channel: Channel): void {
    if (channel.holders === 0 && channel.lastValue === undefined) this.#forgettable.add(channel);
    else this.#forgettable.delete(channel);
  }

  #makeRoom(levels: number): boolean {
    while (this.#byName.size >= this.#maxChannels || this.#tree.nodes + levels > this.#maxLevels) {
      if (!this.#forgetOne()) return false;
    }
    return true;
  }

  /** Second chance: a channel used since it was last considered goes to the end of the line instead. */
  #forgetOne(): boolean {
    for (const channel of this.#forgettable) {
      this.#forgettable.delete(channel);
      if (channel.recent) {
        channel.recent = false;
        this.#forgettable.add(channel);
        continue;
      }
      channel.forgotten = true;
      this.#byName.delete(channel.name);
      this.#tree.delete(channel.name);
      return true;
    }
    return false;
  }
}
