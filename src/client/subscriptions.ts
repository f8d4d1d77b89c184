import { LevelTree } from '../router/level-tree.js';
import { filterOf } from '../wire/channels.js';
import type { Qos } from '../wire/messages.js';
import type { ReceivedMessage, Subscription } from './subscription.js';

/** Everyone in this program who subscribed to one pattern: for the gateway they are one subscription. */
export interface Audience {
  readonly pattern: string;
  readonly members: Set<Subscription>;
  /** Those who wait for the gateway's answer. */
  readonly waiting: { resolve: () => void; reject: (error: Error) => void }[];
}

/** Audiences whose patterns match the same: their own, and those of shared subscriptions (PROTOCOL.md §6.2). */
interface Stand {
  readonly filter: string;
  readonly audiences: Set<Audience>;
}

/** Routes of channels seen; all are forgotten when there are more. */
const MAX_ROUTES = 10_000;

/** The subscriptions of a client, by pattern. */
export class ClientSubscriptions {
  readonly #audiences = new Map<string, Audience>();
  readonly #tree = new LevelTree<Stand>(({ filter }) => filter);
  readonly #routes = new Map<string, readonly Subscription[]>();

  add(subscription: Subscription): Audience {
    const { pattern } = subscription;
    let audience = this.#audiences.get(pattern);
    if (!audience) {
      audience = { pattern, members: new Set(), waiting: [] };
      this.#audiences.set(pattern, audience);
      this.#standFor(pattern).audiences.add(audience);
    }
    audience.members.add(subscription);
    this.#routes.clear();
    return audience;
  }

  /** Returns the audience that is empty now, if so. */
  remove(subscription: Subscription): Audience | undefined {
    const audience = this.#audiences.get(subscription.pattern);
    if (!audience?.members.delete(subscription)) return undefined;
    this.#routes.clear();
    if (audience.members.size > 0) return undefined;
    this.#audiences.delete(audience.pattern);
    const stand = this.#standFor(audience.pattern);
    stand.audiences.delete(audience);
    if (stand.audiences.size === 0) this.#tree.delete(stand.filter);
    return audience;
  }

  #standFor(pattern: string): Stand {
    const filter = filterOf(pattern);
    const known = this.#tree.get(filter);
    if (known) return known;
    const stand: Stand = { filter, audiences: new Set() };
    this.#tree.put(stand);
    return stand;
  }

  /** All subscriptions to exactly this pattern. */
  to(pattern: string): readonly Subscription[] {
    return [...(this.#audiences.get(pattern)?.members ?? [])];
  }

  [Symbol.iterator](): Iterator<Audience> {
    return this.#audiences.values();
  }

  /** Whether anybody subscribed to the channel. */
  has(channel: string): boolean {
    return this.#routeOf(channel).length > 0;
  }

  /** Hands a message to all who subscribed to its channel; `overflow` is told of those who had no room for it. */
  deliver(message: ReceivedMessage, overflow: (subscription: Subscription) => void): void {
    for (const subscription of this.#routeOf(message.channel)) {
      if (!subscription.take(message)) overflow(subscription);
    }
  }

  #routeOf(channel: string): readonly Subscription[] {
    let route = this.#routes.get(channel);
    if (!route) {
      if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
      const audiences = this.#tree.matchingPatterns(channel).flatMap((stand) => [...stand.audiences]);
      route = audiences.flatMap(({ members }) => [...members]);
      this.#routes.set(channel, route);
    }
    return route;
  }
}

/** What one SUBSCRIBE has to ask for so that every member gets what it wants. */
export function combined(audience: Audience): { qos: Qos; noLocal: boolean; noLastValue: boolean } {
  const all = [...audience.members].map((member) => member.options);
  return {
    qos: Math.max(...all.map(({ qos }) => qos)) as Qos,
    noLocal: all.every(({ noLocal }) => noLocal),
    noLastValue: all.every(({ noLastValue }) => noLastValue),
  };
}
