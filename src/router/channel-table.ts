import type { Rights } from '../access/rights.js';
import { channelProblem, hasWildcard } from '../wire/channels.js';
import { Channel, type Route } from './channel.js';
import { MAX_NAME_BYTES } from './names.js';

/** Rights that a channel remembers. */
const MAX_EMITTERS = 1000;

/** The channels that are in use, and their routes. When it is full, it forgets one that nobody holds, not used lately first. */
export class ChannelTable {
  readonly #maxChannels: number;
  readonly #byName = new Map<string, Channel>();
  /** Channels without a holder, in the order in which they are considered for forgetting. */
  readonly #forgettable = new Set<Channel>();
  /** Channels whose route is known. */
  readonly #routed = new Set<Channel>();
  /** Channels of which it is known who may emit on them. */
  readonly #emittedOn = new Set<Channel>();

  constructor(maxChannels: number) {
    this.#maxChannels = maxChannels;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** The channel of that name, if it is listed. */
  get(name: string): Channel | undefined {
    return this.#byName.get(name);
  }

  /**
   * The channel of that name, listed if it was not, or why that cannot be (PROTOCOL.md §6.1, §7). One with a long name is not listed: a
   * great many of them could take any amount of memory.
   */
  list(name: string): Channel | 'bad_channel' | 'limit_reached' {
    const known = this.#byName.get(name);
    if (known !== undefined) {
      known.recent = true;
      return known;
    }
    if (channelProblem(name, MAX_NAME_BYTES) !== undefined) return 'bad_channel';
    const channel = new Channel(name);
    if (channel.long) return channel;
    if (this.#byName.size >= this.#maxChannels && !this.#forgetOne()) return 'limit_reached';
    channel.listed = true;
    this.#byName.set(name, channel);
    this.#forgettable.add(channel);
    return channel;
  }

  /** Keeps the route up to date from now on, if the channel is listed. */
  setRoute(channel: Channel, route: Route): void {
    if (!channel.listed) return;
    channel.route = route;
    this.#routed.add(channel);
  }

  /**
   * The subscriptions to that pattern changed: routes that it may be part of are found anew when they are next needed.
   * A wildcard forgets all of them rather than look for those that it matches. So a change costs no more than the
   * emits before it, which found the routes, and one change after another costs nothing.
   */
  forgetRoutes(pattern: string): void {
    if (hasWildcard(pattern)) {
      for (const channel of this.#routed) channel.route = undefined;
      this.#routed.clear();
    } else {
      const channel = this.#byName.get(pattern);
      if (channel !== undefined) this.#forgetRoute(channel);
    }
  }

  /** Remembers that those rights allow to emit on the channel, if it is listed. */
  addEmitter(channel: Channel, rights: Rights): void {
    if (!channel.listed) return;
    if (channel.emitters === undefined || channel.emitters.size >= MAX_EMITTERS) channel.emitters = new Set();
    channel.emitters.add(rights);
    this.#emittedOn.add(channel);
  }

  /** Rights are not what they were: who may emit on what is found anew. Costs no more than the emits that found it. */
  forgetEmitters(): void {
    for (const channel of this.#emittedOn) channel.emitters = undefined;
    this.#emittedOn.clear();
  }

  /** To be called when a channel gained or lost its holders. */
  reconsider(channel: Channel): void {
    if (channel.holders === 0) this.#forgettable.add(channel);
    else this.#forgettable.delete(channel);
  }

  #forgetRoute(channel: Channel): void {
    channel.route = undefined;
    this.#routed.delete(channel);
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
      channel.listed = false;
      channel.emitters = undefined;
      this.#emittedOn.delete(channel);
      this.#forgetRoute(channel);
      this.#byName.delete(channel.name);
      return true;
    }
    return false;
  }
}
