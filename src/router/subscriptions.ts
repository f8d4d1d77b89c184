import { filterOf, isShared } from '../wire/channels.js';
import type { Recipient, Route } from './channel.js';
import { LevelTree, levelsAllowed, levelsOf } from './level-tree.js';
import { type SubscriptionObserver, SubscriptionObservers } from './observers.js';
import { Portfolio, weightOf } from './portfolio.js';
import { type Admits, admitsAll, recipientOf, recipientsOf, together } from './recipients.js';
import { SharedGroup } from './shared-group.js';
import { type SubscribeOptions, type Subscriber, sameOptions, sharedOptions } from './subscriber.js';
import { Audience, type Listener, Subscription } from './subscription.js';

export interface SubscriptionLimits {
  /** Subscriptions of all subscribers together. */
  readonly maxSubscriptions: number;
  readonly maxSubscriptionsPerSubscriber: number;
}

const NOBODY: Route = [];

/**
 * Who subscribed to what: by pattern, to find the recipients of a channel, and by subscriber (PROTOCOL.md §6.2). A
 * gateway may have very many subscribers with a few subscriptions each: hence no collection where there is but one thing.
 */
export class Subscriptions {
  readonly #limits: SubscriptionLimits;
  readonly #isConnected: Admits;
  readonly #byPattern = new LevelTree<Listener | Audience>(({ pattern }) => pattern);
  readonly #bySubscriber = new Map<Subscriber, Portfolio>();
  /** By the whole pattern that their members gave. */
  readonly #groups = new Map<string, SharedGroup>();
  readonly #observers = new SubscriptionObservers();
  #size = 0;
  /** Counts up with every change. */
  #changes = 0;

  /** `isConnected`: who of those that share a subscription is asked first. */
  constructor(limits: SubscriptionLimits, isConnected: Admits) {
    this.#limits = limits;
    this.#isConnected = isConnected;
  }

  get size(): number {
    return this.#size;
  }

  /** Everyone who has any. */
  get subscribers(): Iterable<Subscriber> {
    return this.#bySubscriber.keys();
  }

  /** Tells of those that there are, and of each that begins or ends from now on. Returns what ends that. */
  observe(observer: SubscriptionObserver): () => void {
    const existing = [...this.#bySubscriber.values()].flatMap((portfolio) => [...portfolio]);
    return this.#observers.add(observer, existing);
  }

  /** How many that subscriber has. */
  count(subscriber: Subscriber): number {
    return this.#bySubscriber.get(subscriber)?.size ?? 0;
  }

  /** Whether that subscriber has one to exactly that pattern. */
  has(subscriber: Subscriber, pattern: string): boolean {
    return this.#find(subscriber, pattern) !== undefined;
  }

  /** Those of that subscriber by pattern as they stand now, in the order in which they were made. */
  of(subscriber: Subscriber): Map<string, SubscribeOptions> {
    const newestFirst = [...(this.#bySubscriber.get(subscriber) ?? [])];
    return new Map(newestFirst.reverse().map(({ pattern, options }) => [pattern, options]));
  }

  /** Adds a subscription, in place of an earlier one of the same subscriber to the same pattern. */
  put(
    subscriber: Subscriber,
    pattern: string,
    options: SubscribeOptions,
  ): 'changed' | 'unchanged' | 'limit_reached' {
    const wanted = sharedOptions(options);
    const old = this.#find(subscriber, pattern);
    if (old) {
      if (sameOptions(old.options, wanted)) return 'unchanged';
      this.#changes += 1;
      const { qos } = old.options;
      old.options = wanted;
      this.#groups.get(pattern)?.put(subscriber, wanted);
      this.#forgetRoute(pattern);
      this.#observers.changed(subscriber, pattern, qos, wanted.qos);
      return 'changed';
    }
    const portfolio = this.#bySubscriber.get(subscriber) ?? new Portfolio();
    if (!this.#hasRoom(portfolio, pattern)) return 'limit_reached';
    this.#changes += 1;
    this.#size += 1;
    this.#bySubscriber.set(subscriber, portfolio);
    if (isShared(pattern)) {
      this.#groupOf(pattern).put(subscriber, wanted);
      this.#forgetRoute(pattern);
      portfolio.add(new Subscription(subscriber, pattern, wanted));
    } else {
      // Not the string that came with this one: thousands may subscribe to the same pattern.
      const known = this.#byPattern.get(pattern)?.pattern ?? pattern;
      const subscription = new Subscription(subscriber, known, wanted);
      this.#join(subscription);
      portfolio.add(subscription);
    }
    this.#observers.began(subscriber, pattern, wanted.qos);
    return 'changed';
  }

  /** Returns whether there was one. */
  delete(subscriber: Subscriber, pattern: string): boolean {
    const portfolio = this.#bySubscriber.get(subscriber);
    const subscription = this.#find(subscriber, pattern);
    if (portfolio === undefined || subscription === undefined) return false;
    this.#end(subscription);
    portfolio.remove(subscription);
    if (portfolio.size === 0) this.#bySubscriber.delete(subscriber);
    return true;
  }

  /** Deletes all subscriptions of one subscriber. Returns their patterns. */
  deleteAll(subscriber: Subscriber): string[] {
    const all = [...(this.#bySubscriber.get(subscriber) ?? [])];
    for (const subscription of all) this.#end(subscription);
    this.#bySubscriber.delete(subscriber);
    return all.map(({ pattern }) => pattern);
  }

  /** Everyone whose subscriptions match the channel, and who may hear it, each once, at the highest QoS of those that do. */
  routeOf(channelName: string): Route {
    const matching = this.#byPattern.matchingPatterns(channelName);
    const [first] = matching;
    if (first === undefined) return NOBODY;
    const mayHear = ({ rights }: Subscriber) => rights?.mayReceive(channelName) ?? true;
    // What is kept has everyone: rights may change without it.
    if (matching.length > 1 || !admitsAll(first, mayHear)) return recipientsOf(matching, mayHear);
    first.route ??= recipientsOf(matching, mayHear);
    return first.route;
  }

  /** As `routeOf`, of those that are admitted besides; nothing of it is kept. */
  routeAmong(channelName: string, admits: Admits): Route {
    const matching = this.#byPattern.matchingPatterns(channelName);
    return recipientsOf(
      matching,
      (subscriber) => admits(subscriber) && (subscriber.rights?.mayReceive(channelName) ?? true),
    );
  }

  /**
   * Tells how a subscriber gets the last value of a channel because of its subscriptions to `patterns`, as things stand when that is
   * asked: with the ids of these, but at the highest QoS of all that match (§6.2); undefined if none of all wants last values, or it may not
   * hear the channel.
   */
  recipientFor(
    subscriber: Subscriber,
    patterns: readonly string[],
  ): (channelName: string) => Recipient | undefined {
    const asked = new Set(patterns);
    let tree = treeOf(new Map());
    let asOf: number | undefined;
    return (name) => {
      if (asOf !== this.#changes) tree = treeOf(this.of(subscriber));
      asOf = this.#changes;
      const matching = tree.matchingPatterns(name);
      if (matching.every(({ noLastValue }) => noLastValue)) return undefined;
      if (subscriber.rights?.mayReceive(name) === false) return undefined;
      return matching
        .map(({ pattern, subscriptionId, ...options }) =>
          recipientOf(subscriber, asked.has(pattern) ? { ...options, subscriptionId } : options),
        )
        .reduce(together);
    };
  }

  /** Whether anybody's pattern could match the channel `prefix` or one below it. */
  reaches(prefix: string): boolean {
    return this.#byPattern.hasPatternsAt(prefix);
  }

  #find(subscriber: Subscriber, pattern: string): Subscription | undefined {
    // Quicker than to look through all of its own, of most patterns.
    if (this.#byPattern.get(filterOf(pattern)) === undefined) return undefined;
    return this.#bySubscriber.get(subscriber)?.find(pattern);
  }

  #forgetRoute(pattern: string): void {
    const there = this.#byPattern.get(filterOf(pattern));
    if (there) there.route = undefined;
  }

  #groupOf(pattern: string): SharedGroup {
    const known = this.#groups.get(pattern);
    if (known) return known;
    const group = new SharedGroup(filterOf(pattern), this.#isConnected);
    this.#groups.set(pattern, group);
    this.#join(group);
    return group;
  }

  #join(listener: Listener): void {
    const there = this.#byPattern.get(listener.pattern);
    if (there === undefined) return this.#byPattern.put(listener);
    const audience = there instanceof Audience ? there : new Audience(there);
    audience.members.add(listener);
    audience.route = undefined;
    if (audience !== there) this.#byPattern.put(audience);
  }

  #end(subscription: Subscription): void {
    const { pattern, subscriber, options } = subscription;
    this.#changes += 1;
    this.#size -= 1;
    const group = this.#groups.get(pattern);
    if (group === undefined) this.#leave(subscription);
    else this.#leaveGroup(group, subscription);
    this.#observers.ended(subscriber, pattern, options.qos);
  }

  #leaveGroup(group: SharedGroup, { pattern, subscriber }: Subscription): void {
    group.delete(subscriber);
    this.#forgetRoute(pattern);
    if (group.size > 0) return;
    this.#groups.delete(pattern);
    this.#leave(group);
  }

  #leave(listener: Listener): void {
    const there = this.#byPattern.get(listener.pattern);
    if (there instanceof Audience) {
      there.members.delete(listener);
      there.route = undefined;
      if (there.members.size > 0) return;
    }
    this.#byPattern.delete(listener.pattern);
  }

  #hasRoom({ size, weight }: Portfolio, pattern: string): boolean {
    const { maxSubscriptions, maxSubscriptionsPerSubscriber } = this.#limits;
    return (
      this.#size < maxSubscriptions &&
      size < maxSubscriptionsPerSubscriber &&
      this.#byPattern.nodes + levelsOf(pattern) <= levelsAllowed(maxSubscriptions) &&
      weight + weightOf(pattern) <= levelsAllowed(maxSubscriptionsPerSubscriber)
    );
  }
}

/** Subscriptions of one subscriber, to find those that match a channel. */
function treeOf(subscriptions: ReadonlyMap<string, SubscribeOptions>) {
  const tree = new LevelTree<SubscribeOptions & { pattern: string }>(({ pattern }) => pattern);
  for (const [pattern, options] of subscriptions) tree.put({ pattern, ...options });
  return tree;
}
