import type { Rights } from '../access/rights.js';
import type { Qos } from '../wire/messages.js';
import type { MessageExtras } from './message.js';
import { isLong } from './names.js';
import type { Subscriber } from './subscriber.js';

/** One subscriber of a channel, all its matching subscriptions taken together (PROTOCOL.md §6.2). */
export interface Recipient {
  readonly subscriber: Subscriber;
  /** The highest QoS of its matching subscriptions. */
  readonly qos: Qos;
  /** One of them at least says *no local*. */
  readonly noLocal: boolean;
  /** What it gets of its own emits in that case: as the others of them ask for; undefined if all say *no local*. */
  readonly own: Recipient | undefined;
  /** One of them at least wants R passed on as it was emitted. */
  readonly retainAsPublished: boolean;
  /** The ids of those that have one, all of them [MQTT-3.3.4-4]; undefined if none has. */
  readonly subscriptionIds: readonly number[] | undefined;
}

/** Never changes once built, so that an emit may walk it while its deliveries change subscriptions. */
export type Route = readonly Recipient[];

/** What is kept of a channel for those who subscribe later (§6.5). */
export interface LastValue {
  /** The channel's name. */
  readonly name: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  /** When it was set, counted in updates of all last values. */
  readonly mark: number;
  /** Whom it counts for. */
  readonly party: string | undefined;
  /** What was emitted with it besides. */
  readonly extras: MessageExtras | undefined;
}

/**
 * A channel. Those that are used again and again the router lists: holders map their ids to them, so that an emit by id
 * looks nothing up. All but `name` is the router's to change.
 */
export class Channel {
  readonly name: string;
  /** The gateway's own (§6.1). */
  readonly reserved: boolean;
  /** Its name is too long for Slipway's own packets: only others can emit on it, or be told of it. Never listed. */
  readonly long: boolean;
  /** In the table, of all that have its name. */
  listed = false;
  /** Who gets an emit, if it is listed; undefined until the first one after a subscription that may match was changed. */
  route: Route | undefined;
  /** Whose emitters may emit on it, of those who did, if it is listed. */
  emitters: Set<Rights> | undefined;
  /** How many `hold`s are not yet released. */
  holders = 0;
  /** Used again since the table last considered forgetting it. A name that is used just once goes first. */
  recent = false;

  constructor(name: string) {
    this.name = name;
    this.reserved = name.startsWith('$');
    this.long = isLong(name);
  }
}
