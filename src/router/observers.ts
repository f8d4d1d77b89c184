import { filterOf } from '../wire/channels.js';
import type { Qos } from '../wire/messages.js';
import type { Subscriber } from './subscriber.js';
import type { Subscription } from './subscription.js';

/**
 * Hears of subscriptions as they come and go. Whoever counts has it right: what began with a QoS ends with it, and one that changes its QoS
 * is another that begins before the old one ends. A subscriber may have two of one filter, one of them shared. Must not call the router.
 */
export interface SubscriptionObserver {
  /** `filter`: the pattern that channels are to match; of a shared subscription without its group (PROTOCOL.md §6.2). */
  subscribed(filter: string, subscriber: Subscriber, qos: Qos): void;
  unsubscribed(filter: string, subscriber: Subscriber, qos: Qos): void;
}

/** Those who observe subscriptions: mostly nobody. */
export class SubscriptionObservers {
  readonly #observers = new Set<SubscriptionObserver>();

  /** Tells the observer of all there are first. Returns what ends it. */
  add(observer: SubscriptionObserver, existing: Iterable<Subscription>): () => void {
    for (const { pattern, subscriber, options } of existing)
      observer.subscribed(filterOf(pattern), subscriber, options.qos);
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  began(subscriber: Subscriber, pattern: string, qos: Qos): void {
    if (this.#observers.size === 0) return;
    const filter = filterOf(pattern);
    for (const observer of this.#observers) observer.subscribed(filter, subscriber, qos);
  }

  ended(subscriber: Subscriber, pattern: string, qos: Qos): void {
    if (this.#observers.size === 0) return;
    const filter = filterOf(pattern);
    for (const observer of this.#observers) observer.unsubscribed(filter, subscriber, qos);
  }

  changed(subscriber: Subscriber, pattern: string, from: Qos, to: Qos): void {
    if (from === to) return;
    this.began(subscriber, pattern, to);
    this.ended(subscriber, pattern, from);
  }
}
