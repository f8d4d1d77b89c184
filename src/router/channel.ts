import type { Qos } from '../wire/messages.js';
import type { Subscriber } from './subscriber.js';

/** One subscriber of a channel, all its matching subscriptions taken together (PROTOCOL.md §6.2). */
export interface Recipient {
  readonly subscriber: Subscriber;
  /** The highest QoS of its matching subscriptions. */
  readonly qos: Qos;
  /** Every one of them says *no local*. */
  readonly noLocal: boolean;
}

/** Never changed once built, so that an emit may walk it while its deliveries change subscriptions. */
export type Route = readonly Recipient[];

/** What a channel keeps for those who subscribe later (§6.5). */
export interface LastValue {
  readonly payload: Uint8Array;
  readonly qos: Qos;
  /** When it was set, counted in updates of all last values. */
  readonly mark: number;
}

/**
 * A channel that the router knows. Holders map their ids to it, so that an emit by id looks nothing up. All but `name`
 * is the router's to change.
 */
export class Channel {
  readonly name: string;
  /** The gateway's own (§6.1). */
  readonly reserved: boolean;
  /** Who gets an emit; undefined until the first one after a subscription that may match was changed. */
  route: Route | undefined;
  lastValue: LastValue | undefined;
  /** How many `hold`s are not yet released. */
  holders = 0;
  /** Used again since the table last considered forgetting it. A name that is used just once goes first. */
  recent = false;
  /** No longer in the table: its route is not kept up to date. */
  forgotten = false;

  constructor(name: string) {
    this.name = name;
    this.reserved = name.startsWith('$');
  }
}
