import type { Recipient, Route } from './channel.js';
import { LevelTree, levelsAllowed, levelsOf } from './level-tree.js';
import { recipientOf, together } from './recipients.js';
import { type SubscribeOptions, type Subscriber, sameOptions, sharedOptions } from './subscriber.js';

export interface SubscriptionLimits {
  /** Subscriptions of all subscribers together. */
  readonly maxSubscriptions: number;
  readonly maxSubscriptionsPerSubscriber: number;
}

/** One subscriber's subscription to one pattern: the only one to it, as to most patterns there is no other, or one of an audience. */
class Subscription {
  readonly subscriber: Subscriber;
  readonly pattern: string;
  options: SubscribeOptions;
  /** The one that its subscriber made before it. */
  older: Subscription | undefined;
  /** As in `Audience`, while it is the only one. */
  route: Route | undefined;

  constructor(
    subscriber: Subscriber,
    pattern: string,
    options: SubscribeOptions,
    older: Subscription | undefined,
  ) {
    this.subscriber = subscriber;
    this.pattern = pattern;
    this.options = options;
    this.older = older;
  }
}

/** All subscriptions to one pattern that had more than one. */
class Audience {
  readonly pattern: string;
  readonly members: Set<Subscription>;
  /** Of the channels that no other pattern matches: shared, so that a great many channels cost little memory. */
  route: Route | undefined;

  constructor(first: Subscription) {
    this.pattern = first.pattern;
    this.members = new Set([first]);
  }
}

/** All subscriptions of one subscriber, as a chain from the newest on: boards have few, and an array costs more than these. */
interface Portfolio {
  newest: Subscription | undefined;
  size: number;
  /** Levels of all its patterns: what bounds the memory that deep ones can take. */
  levels: number;
}

const NOBODY: Route = [];

/**
 * Who subscribed to what: by pattern, to find the recipients of a channel, and by subscriber (PROTOCOL.md §6.2). A
 * gateway may have very many subscribers with a few subscriptions each: hence no collection where there is but one thing.
 */
export class Subscriptions {
  readonly #limits: SubscriptionLimits;
  readonly #byPattern = new LevelTree<Subscription | Audience>(({ pattern }) => pattern);
  readonly #bySubscriber = new Map<Subscriber, Portfolio>();
  #size = 0;
  /** Counts up with every change. */
  #changes = 0;

  constructor(limits: SubscriptionLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** How many that subscriber has. */
  count(subscriber: Subscriber): number {
    return this.#bySubscriber.get(subscriber)?.size ?? 0;
  }

  /** Those of that subscriber by pattern as they stand now, in the order in which they were made. */
  of(subscriber: Subscriber): Map<string, SubscribeOptions> {
    const newestFirst = [...chain(this.#bySubscriber.get(subscriber))];
    return new Map(newestFirst.reverse().map(({ pattern, options }) => [pattern, options]));
  }

  /** Adds a subscription, in place of an earlier one of the same subscriber to the same pattern. */
  put(
    subscriber: Subscriber,
    pattern: string,
    options: SubscribeOptions,
  ): 'changed' | 'unchanged' | 'limit_reached' {
    const wanted = sharedOptions(options);
    const portfolio = this.#bySubscriber.get(subscriber) ?? { newest: undefined, size: 0, levels: 0 };
    const there = this.#byPattern.get(pattern);
    const old = there && find(portfolio, pattern);
    if (there && old) {
      if (sameOptions(old.options, wanted)) return 'unchanged';
      this.#changes += 1;
      old.options = wanted;
      there.route = undefined;
      return 'changed';
    }
    if (!this.#hasRoom(portfolio, pattern)) return 'limit_reached';
    // Not the string that came with this one: thousands may subscribe to the same pattern.
    const subscription = new Subscription(subscriber, there?.pattern ?? pattern, wanted, portfolio.newest);
    this.#join(there, subscription);
    this.#changes += 1;
    this.#size += 1;
    portfolio.newest = subscription;
    portfolio.size += 1;
    portfolio.levels += levelsOf(pattern);
    this.#bySubscriber.set(subscriber, portfolio);
    return 'changed';
  }

  /** Returns whether there was one. */
  delete(subscriber: Subscriber, pattern: string): boolean {
    const portfolio = this.#bySubscriber.get(subscriber);
    const subscription = this.#byPattern.get(pattern) && find(portfolio, pattern);
    if (portfolio === undefined || subscription === undefined) return false;
    this.#leave(subscription);
    unlink(portfolio, subscription);
    portfolio.size -= 1;
    portfolio.levels -= levelsOf(pattern);
    if (portfolio.size === 0) this.#bySubscriber.delete(subscriber);
    return true;
  }

  /** Deletes all subscriptions of one subscriber. Returns their patterns. */
  deleteAll(subscriber: Subscriber): string[] {
    const all = [...chain(this.#bySubscriber.get(subscriber))];
    for (const subscription of all) this.#leave(subscription);
    this.#bySubscriber.delete(subscriber);
    return all.map(({ pattern }) => pattern);
  }

  /** Everyone whose subscriptions match the channel, each once, at the highest QoS of those that do. */
  routeOf(channelName: string): Route {
    const matching = this.#byPattern.matchingPatterns(channelName);
    const [first] = matching;
    if (first === undefined) return NOBODY;
    if (matching.length > 1) return merge(matching);
    first.route ??= merge(matching);
    return first.route;
  }

  /** What that subscriber asks for with its subscription to exactly that pattern; undefined if it has none. */
  optionsOf(subscriber: Subscriber, pattern: string): SubscribeOptions | undefined {
    return find(this.#bySubscriber.get(subscriber), pattern)?.options;
  }

  /**
   * Tells how a subscriber gets the last value of a channel because of its subscriptions to `patterns`, as things stand when that is
   * asked: with the ids of these, but at the highest QoS of all that match (§6.2); undefined if none of all wants last values.
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

  #join(there: Subscription | Audience | undefined, subscription: Subscription): void {
    if (there === undefined) return this.#byPattern.put(subscription);
    const audience = there instanceof Audience ? there : new Audience(there);
    audience.members.add(subscription);
    audience.route = undefined;
    if (audience !== there) this.#byPattern.put(audience);
  }

  #leave(subscription: Subscription): void {
    this.#changes += 1;
    const { pattern } = subscription;
    const there = this.#byPattern.get(pattern);
    this.#size -= 1;
    if (there instanceof Audience) {
      there.members.delete(subscription);
      there.route = undefined;
      if (there.members.size > 0) return;
    }
    this.#byPattern.delete(pattern);
  }

  #hasRoom({ size, levels }: Portfolio, pattern: string): boolean {
    const { maxSubscriptions, maxSubscriptionsPerSubscriber } = this.#limits;
    return (
      this.#size < maxSubscriptions &&
      size < maxSubscriptionsPerSubscriber &&
      this.#byPattern.nodes + levelsOf(pattern) <= levelsAllowed(maxSubscriptions) &&
      levels + levelsOf(pattern) <= levelsAllowed(maxSubscriptionsPerSubscriber)
    );
  }
}

function* chain(portfolio: Portfolio | undefined): Generator<Subscription, void> {
  for (let one = portfolio?.newest; one !== undefined; one = one.older) yield one;
}

/** Subscriptions of one subscriber, to find those that match a channel. */
function treeOf(subscriptions: ReadonlyMap<string, SubscribeOptions>) {
  const tree = new LevelTree<SubscribeOptions & { pattern: string }>(({ pattern }) => pattern);
  for (const [pattern, options] of subscriptions) tree.put({ pattern, ...options });
  return tree;
}

function find(portfolio: Portfolio | undefined, pattern: string): Subscription | undefined {
  let one = portfolio?.newest;
  while (one !== undefined && one.pattern !== pattern) one = one.older;
  return one;
}

function unlink(portfolio: Portfolio, subscription: Subscription): void {
  let newer = portfolio.newest;
  if (newer === subscription) portfolio.newest = subscription.older;
  while (newer !== undefined && newer.older !== subscription) newer = newer.older;
  if (newer !== undefined) newer.older = subscription.older;
}

function membersOf(there: Subscription | Audience): Iterable<Subscription> {
  return there instanceof Audience ? there.members : [there];
}

function merge(matching: readonly (Subscription | Audience)[]): Route {
  const recipients = new Map<Subscriber, Recipient>();
  for (const there of matching) {
    for (const { subscriber, options } of membersOf(there)) {
      const recipient = recipientOf(subscriber, options);
      const before = recipients.get(subscriber);
      recipients.set(subscriber, before ? together(before, recipient) : recipient);
    }
  }
  return [...recipients.values()];
}
