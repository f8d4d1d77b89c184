import type { Channel } from '../session/outgoing.js';

/** Channels by name, one object each for as long as someone holds it: ids are kept by object. */
export class ChannelNames {
  readonly #channels = new Map<string, { readonly name: string; holders: number }>();

  /** The channel of that name, if someone holds it. */
  find(name: string): Channel | undefined {
    return this.#channels.get(name);
  }

  hold(name: string): Channel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = { name, holders: 0 };
      this.#channels.set(name, channel);
    }
    channel.holders++;
    return channel;
  }

  release(channel: Channel): void {
    const held = this.#channels.get(channel.name);
    if (held && --held.holders === 0) this.#channels.delete(channel.name);
  }
}
