import type { Route } from './channel.js';
import type { SharedGroup } from './shared-group.js';
import type { SubscribeOptions, Subscriber } from './subscriber.js';

/** One subscriber's subscription to one pattern: the only one to it, as to most patterns there is no other, or one of an audience. */
export class Subscription {
  readonly subscriber: Subscriber;
  readonly pattern: string;
  options: SubscribeOptions;
  /** The one that its subscriber made before it. */
  older: Subscription | undefined;
  /** As in `Audience`, while it is the only one. */
  route: Route | undefined;

  constructor(subscriber: Subscriber, pattern: string, options: SubscribeOptions) {
    this.subscriber = subscriber;
    this.pattern = pattern;
    this.options = options;
  }
}

/** Who gets what a pattern matches: one subscriber, or one of several that share. */
export type Listener = Subscription | SharedGroup;

/** All of one pattern that had more than one. */
export class Audience {
  readonly pattern: string;
  readonly members: Set<Listener>;
  /**
   * Of the channels that no other pattern matches, and that all members may hear: shared, so that a great many channels cost little
   * memory.
   */
  route: Route | undefined;

  constructor(first: Listener) {
    this.pattern = first.pattern;
    this.members = new Set([first]);
  }
}

/** The listeners of a pattern. */
export function listenersOf(there: Listener | Audience): Iterable<Listener> {
  return there instanceof Audience ? there.members : [there];
}
