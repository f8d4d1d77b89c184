import type { MessageExtras } from '../../router/message.js';
import type { QueueLimits } from '../../session/contract.js';
import type { Qos } from '../../wire/messages.js';
import type { ReasonName } from '../../wire/reasons.js';
import type {
  ClientPacket,
  Connect,
  Disconnect,
  ProtocolLevel,
  SubscriptionRequest,
} from '../wire/packets.js';
import type { ReasonCode } from '../wire/reason-codes.js';
import type { OutgoingPublish } from './outgoing-publish.js';

/** What goes with an emit of the client. */
export interface PublishOptions {
  readonly qos: Qos;
  readonly retain: boolean;
  readonly extras?: MessageExtras | undefined;
}

/** The bounds of one session. */
export interface MqttSessionLimits {
  /** What may wait or be unacknowledged of QoS 1 and 2; payloads, topics and properties count as bytes. */
  readonly queue: QueueLimits;
  /** Unsent bytes of a connection beyond which QoS 0 is dropped, and QoS 1 and 2 wait for an acknowledgement. */
  readonly backlog: number;
  /** What CONNACK tells a client of MQTT 5: how many PUBLISH of QoS 1 and 2 it may have unacknowledged ([MQTT-3.3.4-7]). */
  readonly receiveMaximum: number;
  /** What CONNACK tells a client of MQTT 5: the highest topic alias that it may use ([MQTT-3.3.2-9]); 0 for none. */
  readonly topicAliasMaximum: number;
}

/** A network connection, and what its client takes, as CONNECT says it. */
export interface MqttConnection {
  readonly level: ProtocolLevel;
  /** PUBLISH of QoS 1 and 2 that may be unacknowledged ([MQTT-3.3.4-9]): 1 to 65,535, which it is if CONNECT says nothing. */
  readonly receiveMaximum: number;
  /** Bytes ([MQTT-3.1.2-24]); `Infinity` if CONNECT says nothing. */
  readonly maximumPacketSize: number;
  /** The highest topic alias that it takes ([MQTT-3.1.2-26]); 0, also if CONNECT says nothing: none. */
  readonly topicAliasMaximum: number;
  /** Whether answers may carry a reason string ([MQTT-3.1.2-29]). */
  readonly problemInformation: boolean;
  /**
   * Sends one packet, or queues it to be sent. Its bytes must not change afterwards, and the same ones may go to many
   * connections. Must not throw, nor call the session.
   */
  send(packet: Uint8Array): void;
  /** Bytes accepted by `send` and not yet handed to the operating system. */
  backlog(): number;
}

/** What the session acts on; the rest is its owner's. */
export type SessionPacket = Exclude<ClientPacket, Connect | Disconnect>;

/** Who acts on what a client sends. It may detach or end the session from within any of these. */
export interface MqttOwner {
  /**
   * The client's emit. Its payload may be reused afterwards; `options` and `extras` may be kept. Returns why not, if it was
   * refused; `too_large_for_receiver` is none: all others got it.
   *
   * What a client of MQTT 5 is told, and one of 3.1.1 cannot be: after `queue_full`, `limit_reached` or `not_stored` at QoS 1
   * and 2 `MqttEngine.receive` returns false; after any other reason the message counts as published.
   */
  emit(topic: string, payload: Uint8Array, options: PublishOptions): ReasonName | undefined;
  /** Whether anybody is subscribed to the topic of an emit that was just taken: a PUBACK of MQTT 5 tells (3.4.2.1). */
  isHeard(topic: string): boolean;
  /**
   * Subscribes, in place of an earlier subscription to the same filter ([MQTT-3.8.4-3]). Sends no retained messages: `replay`
   * does. `identifier` is the subscription identifier, if it has one. Returns whether the subscription is new, or the reason why
   * it was refused.
   */
  subscribe(request: SubscriptionRequest, identifier: number | undefined): 'new' | 'replaced' | ReasonName;
  /** SUBACK is sent: now the retained messages that this filter matches are to be delivered ([MQTT-3.3.1-9]). */
  replay(filter: string): void;
  /** Returns whether there was such a subscription. */
  unsubscribe(filter: string): boolean;
  /**
   * The client broke the protocol: it is to be sent a DISCONNECT with that code, if it speaks MQTT 5, and the connection to be
   * closed ([MQTT-4.13.1-1]). The session takes no more packets from this connection. `problem` is a short clause for people.
   */
  fails(code: ReasonCode, problem: string): void;
  /** ms on a clock that never jumps. */
  now(): number;
}

/**
 * Told of every change that must outlive the process, before the packet that reflects it is sent: whoever gates `send` holds that
 * back until all is kept that was recorded before. Without one, a session lives and dies with its process.
 */
export interface MqttRecorder {
  /** `item` waits to be sent, has got its packet identifier, or was received by the client (QoS 2), as its fields say. */
  outgoing(item: OutgoingPublish): void;
  /** `item`, of which `outgoing` told, is done with. */
  settled(item: OutgoingPublish): void;
  /** A QoS 2 message with this packet identifier was emitted; until `released` it must not be again ([MQTT-4.3.3-10]). */
  taken(id: number): void;
  released(id: number): void;
  /** The next packet acknowledges what the client sent. */
  received(): void;
}

/** What a recorder has to keep, and gives back after a restart of the process. */
export interface MqttSessionState {
  /** In the order in which `outgoing` first told of them. */
  readonly outgoing: readonly OutgoingPublish[];
  /** Packet identifiers `taken` and not `released`. */
  readonly taken: readonly number[];
}
