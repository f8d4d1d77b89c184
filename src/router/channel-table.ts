import { channelProblem, hasWildcard } from '../wire/channels.js';
import { Channel, type Route } from './channel.js';

/**
 * The channels that the router knows, and their routes. When it is full, it forgets a channel that holds nothing which
 * could not be had again, one not used lately first.
 */
export class ChannelTable {
  readonly #maxChannels: number;
  readonly #byName = new Map<string, Channel>();
  /** Channels with neither holder nor last value, in the order in which they are considered for forgetting. */
  readonly #forgettable = new Set<Channel>();
  /** Channels whose route is known. */
  readonly #routed = new Set<Channel>();

  constructor(maxChannels: number) {
    this.#maxChannels = maxChannels;
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
    if (this.#byName.size >= this.#maxChannels && !this.#forgetOne()) return 'limit_reached';
    const channel = new Channel(name);
    this.#byName.set(name, channel);
    this.#forgettable.add(channel);
    return channel;
  }

  setRoute(channel: Channel, route: Route): void {
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

  /** To be called when a channel gained or lost its holders or its last value. */
  reconsider(channel: Channel): void {
    if (channel.holders === 0 && channel.lastValue === undefined) this.#forgettable.add(channel);
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
      channel.forgotten = true;
      this.#forgetRoute(channel);
      this.#byName.delete(channel.name);
      return true;
    }
    return false;
  }
}
