import type { Recipient, Route } from './channel.js';
import { LevelTree, levelsAllowed, levelsOf } from './level-tree.js';
import { higherQos, type SubscribeOptions, type Subscriber } from './subscriber.js';

/** One subscriber's subscription to one pattern. */
export interface Subscription extends SubscribeOptions {
  readonly subscriber: Subscriber;
  readonly pattern: string;
}

export interface SubscriptionLimits {
  /** Subscriptions of all subscribers together. */
  readonly maxSubscriptions: number;
  readonly maxSubscriptionsPerSubscriber: number;
}

/** All subscriptions to one pattern. */
interface Audience {
  readonly subscriptions: Set<Subscription>;
  /** Their route, shared by the channels that no other pattern matches: a great many channels then cost little memory. */
  route: Route | undefined;
}

const NONE: ReadonlyMap<string, Subscription> = new Map();
const NOBODY: Route = [];

/** Who subscribed to what: by pattern, to find the recipients of a channel, and by subscriber (PROTOCOL.md §6.2). */
export class Subscriptions {
  readonly #limits: SubscriptionLimits;
  readonly #byPattern = new LevelTree<Audience>();
  readonly #bySubscriber = new Map<Subscriber, Map<string, Subscription>>();
  /** Levels of all patterns of a subscriber: what bounds the memory that deep ones can take. */
  readonly #levels = new Map<Subscriber, number>();
  #size = 0;

  constructor(limits: SubscriptionLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** By pattern. A view, not a copy: take it anew after a change. */
  of(subscriber: Subscriber): ReadonlyMap<string, Subscription> {
    return this.#bySubscriber.get(subscriber) ?? NONE;
  }

  /** Adds a subscription, in place of an earlier one of the same subscriber to the same pattern. */
  put(subscription: Subscription): 'changed' | 'unchanged' | 'limit_reached' {
    const { subscriber, pattern } = subscription;
    const old = this.of(subscriber).get(pattern);
    if (old !== undefined && sameOptions(old, subscription)) return 'unchanged';
    if (old === undefined && !this.#hasRoom(subscriber, pattern)) return 'limit_reached';

    const own = this.#bySubscriber.get(subscriber) ?? new Map<string, Subscription>();
    this.#bySubscriber.set(subscriber, own.set(pattern, subscription));
    const audience = this.#audienceOf(pattern);
    audience.subscriptions.add(subscription);
    audience.route = undefined;
    if (old === undefined) {
      this.#size += 1;
      this.#levels.set(subscriber, this.#levelsOf(subscriber) + levelsOf(pattern));
    } else audience.subscriptions.delete(old);
    return 'changed';
  }

  /** Returns whether there was one. */
  delete(subscriber: Subscriber, pattern: string): boolean {
    const own = this.#bySubscriber.get(subscriber);
    const subscription = own?.get(pattern);
    if (own === undefined || subscription === undefined) return false;
    own.delete(pattern);
    this.#levels.set(subscriber, this.#levelsOf(subscriber) - levelsOf(pattern));
    if (own.size === 0) {
      this.#bySubscriber.delete(subscriber);
      this.#levels.delete(subscriber);
    }
    const audience = this.#audienceOf(pattern);
    audience.subscriptions.delete(subscription);
    audience.route = undefined;
    if (audience.subscriptions.size === 0) this.#byPattern.delete(pattern);
    this.#size -= 1;
    return true;
  }

  /** Everyone whose subscriptions match the channel, each once, at the highest QoS of those that do. */
  routeOf(channelName: string): Route {
    const audiences = this.#byPattern.matchingPatterns(channelName);
    const [first] = audiences;
    if (first === undefined) return NOBODY;
    if (audiences.length > 1) return merge(audiences);
    first.route ??= merge(audiences);
    return first.route;
  }

  /** Whether anybody's pattern could match the channel `prefix` or one below it. */
  reaches(prefix: string): boolean {
    return this.#byPattern.hasPatternsAt(prefix);
  }

  #audienceOf(pattern: string): Audience {
    const known = this.#byPattern.get(pattern);
    if (known !== undefined) return known;
    const audience: Audience = { subscriptions: new Set(), route: undefined };
    this.#byPattern.set(pattern, audience);
    return audience;
  }

  #hasRoom(subscriber: Subscriber, pattern: string): boolean {
    const { maxSubscriptions, maxSubscriptionsPerSubscriber } = this.#limits;
    return (
      this.#size < maxSubscriptions &&
      this.of(subscriber).size < maxSubscriptionsPerSubscriber &&
      this.#byPattern.nodes + levelsOf(pattern) <= levelsAllowed(maxSubscriptions) &&
      this.#levelsOf(subscriber) + levelsOf(pattern) <= levelsAllowed(maxSubscriptionsPerSubscriber)
    );
  }

  #levelsOf(subscriber: Subscriber): number {
    return this.#levels.get(subscriber) ?? 0;
  }
}

function sameOptions(a: SubscribeOptions, b: SubscribeOptions): boolean {
  return a.qos === b.qos && a.noLocal === b.noLocal && a.noLastValue === b.noLastValue;
}

function merge(audiences: readonly Audience[]): Route {
  const recipients = new Map<Subscriber, Recipient>();
  for (const { subscriptions } of audiences) {
    for (const { subscriber, qos, noLocal } of subscriptions) {
      const before = recipients.get(subscriber) ?? { subscriber, qos, noLocal };
      recipients.set(subscriber, {
        subscriber,
        qos: higherQos(qos, before.qos),
        noLocal: noLocal && before.noLocal,
      });
    }
  }
  return [...recipients.values()];
}
