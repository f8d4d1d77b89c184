import { LevelTree } from '../router/level-tree.js';
import { filterOf } from '../wire/channels.js';
import type { ReceivedMessage } from './subscription.js';

const MAX_MESSAGES = 10_000;
const MAX_BYTES = 16 * 1_048_576;

/**
 * Messages on what an earlier run of this program subscribed to: the gateway held them and sends them at once, before this
 * run has come to subscribe. They wait here for it.
 */
export class Unclaimed {
  #messages: ReceivedMessage[] = [];
  #bytes = 0;

  /** Returns false when there is no room for it. */
  keep(message: ReceivedMessage): boolean {
    const bytes = this.#bytes + message.payload.length;
    if (this.#messages.length >= MAX_MESSAGES || bytes > MAX_BYTES) return false;
    this.#messages.push(message);
    this.#bytes = bytes;
    return true;
  }

  /** Takes out those that `pattern` matches, in the order in which they came. */
  claim(pattern: string): ReceivedMessage[] {
    const tree = new LevelTree<{ pattern: string }>((one) => one.pattern);
    tree.put({ pattern: filterOf(pattern) });
    const claimed: ReceivedMessage[] = [];
    const rest: ReceivedMessage[] = [];
    for (const message of this.#messages) {
      const matches = tree.matchingPatterns(message.channel).length > 0;
      (matches ? claimed : rest).push(message);
      if (matches) this.#bytes -= message.payload.length;
    }
    this.#messages = rest;
    return claimed;
  }
}
