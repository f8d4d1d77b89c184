import type { Qos } from '../wire/messages.js';
import type { Channel } from './channel.js';

/** Why a subscriber cannot take a message (PROTOCOL.md §5.7). */
export type DeliveryRefusal = 'queue_full' | 'too_large_for_receiver';

/** Something that takes messages: all that the router knows of a session. Neither method may throw. */
export interface Subscriber {
  /** Whom counts for what it makes the router keep, if anyone; see `LastValueLimits`. */
  readonly party?: string | undefined;

  /**
   * Whether a delivery of `payloadLength` bytes with QoS 1 or 2 could be taken now: if not, the router refuses the whole emit. What is
   * too large for the subscriber it has room for. Must not call the router.
   */
  hasRoom(channel: Channel, payloadLength: number): boolean;

  /**
   * Takes a message: with QoS 1 and 2 it answers for it from here on. It may call the router.
   *
   * @param payload With QoS 1 and 2 it never changes and may be kept; with QoS 0 it is only there during the call.
   * @param retained The message is a last value, sent because of a subscription (§6.5).
   * @returns why not, if it was not taken; undefined also when a subscriber drops it at QoS 0 for want of room and counts that itself
   */
  deliver(channel: Channel, payload: Uint8Array, qos: Qos, retained: boolean): DeliveryRefusal | undefined;
}

/** What a subscription asks for (§3.2, SUBSCRIBE). */
export interface SubscribeOptions {
  /** The highest QoS wanted. */
  readonly qos: Qos;
  /** Not the subscriber's own emits. */
  readonly noLocal: boolean;
  /** Do not send the last values that the pattern matches. */
  readonly noLastValue: boolean;
}

export function lowerQos(a: Qos, b: Qos): Qos {
  return a < b ? a : b;
}

export function higherQos(a: Qos, b: Qos): Qos {
  return a < b ? b : a;
}

const SHARED: SubscribeOptions[] = [];

/** The same object for the same options: very many subscriptions differ in nothing else. */
export function sharedOptions({ qos, noLocal, noLastValue }: SubscribeOptions): SubscribeOptions {
  const index = 4 * qos + (noLocal ? 2 : 0) + (noLastValue ? 1 : 0);
  SHARED[index] ??= Object.freeze({ qos, noLocal, noLastValue });
  return SHARED[index];
}
