import type { Rights } from '../access/rights.js';
import type { Qos } from '../wire/messages.js';
import type { Channel, Recipient } from './channel.js';
import type { MessageExtras } from './message.js';

/**
 * Why a subscriber cannot take a message (PROTOCOL.md §5.7); `name_too_long`: its protocol has no room for the channel's name. Of these the
 * sender hears `too_large_for_receiver` only.
 */
export type DeliveryRefusal = 'queue_full' | 'too_large_for_receiver' | 'name_too_long';

/**
 * Messages of QoS 0 on one channel that came together; their payloads are there during the call only. The router knows no more of
 * them, but whoever made it may do better with it than to take one after the other.
 */
export interface Run extends Iterable<Uint8Array> {
  readonly count: number;
}

/** Something that takes messages: all that the router knows of a session. None of its methods may throw. */
export interface Subscriber {
  /** Whom counts for what it makes the router keep, if anyone; see `LastValueLimits`. */
  readonly party?: string | undefined;

  /** What it may do and hear; undefined for everything. When its answers change, or it is replaced: `Router.forgetRights`. */
  readonly rights?: Rights | undefined;

  /**
   * While it is connected (`Router.connect`), broadcasts reach it only as emits on their channel do: if it subscribed to that, as in
   * MQTT. Undefined or false: they reach it anyway (PROTOCOL.md §6.4). Never changes.
   */
  readonly broadcastsOnRequest?: boolean;

  /**
   * Whether a delivery of `payloadLength` bytes with QoS 1 or 2 could be taken now: if not, the router refuses the whole emit. What is
   * too large for the subscriber it has room for. Must not call the router.
   */
  hasRoom(channel: Channel, payloadLength: number): boolean;

  /**
   * Takes a message: with QoS 1 and 2 it answers for it from here on. It may call the router.
   *
   * @param payload With QoS 1 and 2 it never changes and may be kept; with QoS 0 it is only there during the call.
   * @param qos The lower of the emit's and the subscriptions'.
   * @param retained R, or RETAIN, as the message is to be sent with: it is a last value, sent because of a subscription (§6.5); or it
   *   was emitted so, and the subscription wants that told (`retainAsPublished`, [MQTT-3.3.1-12], [MQTT-3.3.1-13]).
   * @param extras What came with it besides; always undefined from native peers. May be kept. Has not expired yet, unless it was emitted so.
   * @param recipient What its matching subscriptions ask for together, or with a last value the one that asked for it.
   * @returns why not, if it was not taken; undefined also when a subscriber drops it at QoS 0 for want of room and counts that itself
   */
  deliver(
    channel: Channel,
    payload: Uint8Array,
    qos: Qos,
    retained: boolean,
    extras: MessageExtras | undefined,
    recipient: Recipient,
  ): DeliveryRefusal | undefined;

  /**
   * Whether none of the run's messages is too large for it. It need not know: with false, or without this method, they are delivered
   * one by one. Must not call the router.
   */
  takesRun?(channel: Channel, run: Run): boolean;

  /** As `deliver` at QoS 0 for each message of a run that it has just said to take. Must not call the router. */
  deliverRun?(channel: Channel, run: Run): void;

  /** The router ended its subscription to that pattern: its rights do not allow it any more. Must not call the router. */
  unsubscribed?(pattern: string): void;
}

/** What a subscription asks for (§3.2, SUBSCRIBE). */
export interface SubscribeOptions {
  /** The highest QoS wanted. */
  readonly qos: Qos;
  /** Not the subscriber's own emits. Without effect on a shared subscription. */
  readonly noLocal: boolean;
  /** Do not send the last values that the pattern matches. */
  readonly noLastValue: boolean;
  /** R is passed on as it was emitted, not only with last values (MQTT 5, 3.8.3.1). */
  readonly retainAsPublished?: boolean | undefined;
  /** Told with each message that it matches (`Recipient.subscriptionIds`, MQTT 5, 3.8.2.1.2): 1 to 268,435,455. */
  readonly subscriptionId?: number | undefined;
}

export function lowerQos(a: Qos, b: Qos): Qos {
  return a < b ? a : b;
}

export function higherQos(a: Qos, b: Qos): Qos {
  return a < b ? b : a;
}

const SHARED: SubscribeOptions[] = [];

/** The same object for the same options, but of those with an id: very many subscriptions differ in nothing else. */
export function sharedOptions(options: SubscribeOptions): SubscribeOptions {
  const { qos, noLocal, noLastValue, retainAsPublished = false, subscriptionId } = options;
  if (subscriptionId !== undefined) return { qos, noLocal, noLastValue, retainAsPublished, subscriptionId };
  const index = 8 * qos + (noLocal ? 4 : 0) + (noLastValue ? 2 : 0) + (retainAsPublished ? 1 : 0);
  SHARED[index] ??= Object.freeze({ qos, noLocal, noLastValue, retainAsPublished, subscriptionId });
  return SHARED[index];
}

/** Whether two of `sharedOptions` ask for the same. */
export function sameOptions(a: SubscribeOptions, b: SubscribeOptions): boolean {
  if (a === b) return true;
  if (a.subscriptionId === undefined || a.subscriptionId !== b.subscriptionId) return false;
  return (
    sharedOptions({ ...a, subscriptionId: undefined }) === sharedOptions({ ...b, subscriptionId: undefined })
  );
}
