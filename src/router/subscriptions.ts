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
  readonly pattern: string;
  /** One, as most patterns have, does without a map of its own. */
  members: Subscription | Map<Subscriber, Subscription>;
  /** Their route, shared by the channels that no other pattern matches: a great many channels then cost little memory. */
  route: Route | undefined;
}

/** All subscriptions of one subscriber. */
interface Portfolio {
  readonly subscriptions: Subscription[];
  /** Levels of all its patterns: what bounds the memory that deep ones can take. */
  readonly levels: number;
}

const NONE: Portfolio = { subscriptions: [], levels: 0 };
const NOBODY: Route = [];
/** Up to so many an array is copied to add one: one that grows in place has room for a dozen more. */
const FEW = 8;

/**
 * Who subscribed to what: by pattern, to find the recipients of a channel, and by subscriber (PROTOCOL.md §6.2). A
 * gateway may have very many subscribers with a few subscriptions each: hence no map where there is but one thing.
 */
export class Subscriptions {
  readonly #limits: SubscriptionLimits;
  readonly #byPattern = new LevelTree<Audience>(({ pattern }) => pattern);
  readonly #bySubscriber = new Map<Subscriber, Portfolio>();
  #size = 0;

  constructor(limits: SubscriptionLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** In the order in which they were made. A view, not a copy: take it anew after a change. */
  of(subscriber: Subscriber): readonly Subscription[] {
    return this.#portfolioOf(subscriber).subscriptions;
  }

  /** Adds a subscription, in place of an earlier one of the same subscriber to the same pattern. */
  put(subscription: Subscription): 'changed' | 'unchanged' | 'limit_reached' {
    const { subscriber, pattern } = subscription;
    const audience = this.#byPattern.get(pattern);
    const old = audience && memberOf(audience, subscriber);
    if (old !== undefined && sameOptions(old, subscription)) return 'unchanged';
    if (old === undefined && !this.#hasRoom(subscriber, pattern)) return 'limit_reached';

    if (audience === undefined) this.#byPattern.put({ pattern, members: subscription, route: undefined });
    else join(audience, subscription);
    const { subscriptions, levels } = this.#portfolioOf(subscriber);
    if (old === undefined) {
      this.#size += 1;
      this.#keep(subscriber, withOneMore(subscriptions, subscription), levels + levelsOf(pattern));
    } else {
      const others = subscriptions.map((one) => (one === old ? subscription : one));
      this.#keep(subscriber, others, levels);
    }
    return 'changed';
  }

  /** Returns whether there was one. */
  delete(subscriber: Subscriber, pattern: string): boolean {
    const audience = this.#byPattern.get(pattern);
    const subscription = audience && memberOf(audience, subscriber);
    if (audience === undefined || subscription === undefined) return false;
    this.#leave(audience, subscription);
    const { subscriptions, levels } = this.#portfolioOf(subscriber);
    const others = subscriptions.filter((one) => one !== subscription);
    this.#keep(subscriber, others, levels - levelsOf(pattern));
    return true;
  }

  /** Deletes all subscriptions of one subscriber. Returns their patterns. */
  deleteAll(subscriber: Subscriber): string[] {
    const subscriptions = this.of(subscriber);
    for (const subscription of subscriptions)
      this.#leave(this.#byPattern.get(subscription.pattern) as Audience, subscription);
    this.#bySubscriber.delete(subscriber);
    return subscriptions.map(({ pattern }) => pattern);
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

  #leave(audience: Audience, { subscriber, pattern }: Subscription): void {
    const { members } = audience;
    if (members instanceof Map) members.delete(subscriber);
    if (!(members instanceof Map) || members.size === 0) this.#byPattern.delete(pattern);
    audience.route = undefined;
    this.#size -= 1;
  }

  #portfolioOf(subscriber: Subscriber): Portfolio {
    return this.#bySubscriber.get(subscriber) ?? NONE;
  }

  #keep(subscriber: Subscriber, subscriptions: Subscription[], levels: number): void {
    if (subscriptions.length === 0) this.#bySubscriber.delete(subscriber);
    else this.#bySubscriber.set(subscriber, { subscriptions, levels });
  }

  #hasRoom(subscriber: Subscriber, pattern: string): boolean {
    const { maxSubscriptions, maxSubscriptionsPerSubscriber } = this.#limits;
    const { subscriptions, levels } = this.#portfolioOf(subscriber);
    return (
      this.#size < maxSubscriptions &&
      subscriptions.length < maxSubscriptionsPerSubscriber &&
      this.#byPattern.nodes + levelsOf(pattern) <= levelsAllowed(maxSubscriptions) &&
      levels + levelsOf(pattern) <= levelsAllowed(maxSubscriptionsPerSubscriber)
    );
  }
}

function memberOf({ members }: Audience, subscriber: Subscriber): Subscription | undefined {
  if (members instanceof Map) return members.get(subscriber);
  return members.subscriber === subscriber ? members : undefined;
}

/** Adds a member to an audience that has one at least, or puts it in the place of its earlier self. */
function join(audience: Audience, subscription: Subscription): void {
  const { members } = audience;
  const { subscriber } = subscription;
  audience.route = undefined;
  if (members instanceof Map) members.set(subscriber, subscription);
  else if (members.subscriber === subscriber) audience.members = subscription;
  else audience.members = new Map([members, subscription].map((one) => [one.subscriber, one]));
}

function withOneMore(subscriptions: Subscription[], subscription: Subscription): Subscription[] {
  if (subscriptions.length < FEW) return subscriptions.concat(subscription);
  subscriptions.push(subscription);
  return subscriptions;
}

function sameOptions(a: SubscribeOptions, b: SubscribeOptions): boolean {
  return a.qos === b.qos && a.noLocal === b.noLocal && a.noLastValue === b.noLastValue;
}

function merge(audiences: readonly Audience[]): Route {
  const recipients = new Map<Subscriber, Recipient>();
  for (const { members } of audiences) {
    for (const { subscriber, qos, noLocal } of members instanceof Map ? members.values() : [members]) {
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
