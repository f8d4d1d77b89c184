import type { Qos } from '../wire/messages.js';
import type { Channel } from './channel.js';

/** Why a subscriber cannot take a message (PROTOCOL.md §5.7). */
export type DeliveryRefusal = 'queue_full' | 'too_large_for_receiver';

/** Something that takes messages: all that the router knows of a session. Neither method may throw. */
export interface Subscriber {
  /**
   * Why a delivery of `payloadLength` bytes could not be taken now; undefined when it can. `queue_full` is an answer for
   * QoS 1 and 2: it makes the router refuse the whole emit. At QoS 0 the subscriber drops and counts in `deliver`. Must
   * not call the router.
   */
  refusal(channel: Channel, payloadLength: number, qos: Qos): DeliveryRefusal | undefined;

  /**
   * Takes a message: with QoS 1 and 2 it answers for it from here on. It may call the router. The payload
   * never changes and may be kept.
   *
   * @param retained The message is a last value, sent because of a subscription (§6.5).
   */
  deliver(channel: Channel, payload: Uint8Array, qos: Qos, retained: boolean): void;
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
