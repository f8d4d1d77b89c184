import type { MessageExtras } from '../../router/message.js';
import type { QueueLimits } from '../../session/contract.js';
import type { Channel } from '../../session/outgoing.js';
import type { Qos } from '../../wire/messages.js';
import type { ReasonName } from '../../wire/reasons.js';
import type { ClientPacket, ProtocolLevel, SubscriptionRequest } from '../wire/packets.js';
import type { ReasonCode } from '../wire/reason-codes.js';
import type { OutgoingPublish } from './outgoing-publish.js';

/** What goes with an emit of the client. */
export interface PublishOptions {
  readonly qos: Qos;
  readonly retain: boolean;
  readonly extras?: MessageExtras;
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

/** Who acts on what a client sends. It may detach or end the session from within any of these. */
export interface MqttOwner {
  /**
   * The client's emit. Its payload may be reused afterwards; `options` and `extras` may be kept. Returns why not, if it was
   * refused; `too_large_for_receiver` is none: all others got it.
   *
   * What a client of MQTT 5 is told, and one of 3.1.1 cannot be: after `queue_full`, `limit_reached` or `not_stored` at QoS 1
   * and 2 `MqttSession.receive` returns false; after any other reason the message counts as published.
   */
  emit(topic: string, payload: Uint8Array, options: PublishOptions): ReasonName | undefined;
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

/**
 * The protocol of one MQTT session (MQTT 5, 4.1 to 4.9), without I/O, clock or timer; it outlives its connections. `new
 * MqttEngine(owner, limits, counters, recorder?)` of engine.ts is one. Counts what it drops as `mqtt.drop.<reason>`: `backlog_full` and
 * `offline` (QoS 0), `expired`, `too_large_for_receiver`, `refused_by_receiver`; and as `mqtt.refused.<reason>` emits whose
 * client could not be told so.
 */
export interface MqttSession {
  /** Takes up what a recorder kept of a session, which has no connection yet. */
  restore(state: MqttSessionState): void;

  /**
   * Goes on over a connection, once CONNACK is sent: what is unacknowledged is sent again, in order ([MQTT-4.4.0-1],
   * [MQTT-4.6.0-1]), then what waits. A session that stood on another connection leaves that.
   */
  begin(connection: MqttConnection): void;

  /** The connection is gone: nothing more is sent to it. What is of QoS 1 and 2 stays. */
  detach(): void;

  /** The session is over. What was recorded is the owner's to remove. */
  end(): void;

  /**
   * Acts on a packet that came after CONNECT, all but DISCONNECT and AUTH, in the order in which they came. Its bytes may be
   * reused afterwards.
   *
   * Returns false if it could not be taken now, and nothing has changed: there is no room for what a client of MQTT 3.1.1
   * publishes, and no way to tell it. The owner then reads no more from the connection, and gives the same packet again a
   * little later; after some time it closes the connection, so that the client publishes it again when it is back.
   */
  receive(packet: ClientPacket): boolean;

  /** Whether a message of QoS 1 or 2 with `payloadLength` bytes can be queued. */
  hasRoom(channel: Channel, payloadLength: number): boolean;

  /**
   * Takes a message: at QoS 1 and 2 it answers for it from here on, whether or not there is room; at QoS 0 it is sent now, or
   * dropped and counted.
   *
   * @param payload As for `Subscriber.deliver`: with QoS 0 only there during the call.
   * @param retain The flag that the client sees: it is a last value that answers a subscription ([MQTT-3.3.1-8], -9), or came with the
   * flag for a subscription with *retain as published* ([MQTT-3.3.1-13]).
   * @param identifiers Of the subscriptions that match ([MQTT-3.3.4-3]); undefined if they have none.
   */
  deliver(
    channel: Channel,
    payload: Uint8Array,
    qos: Qos,
    retain: boolean,
    extras?: MessageExtras,
    identifiers?: readonly number[],
  ): void;

  /** Drops messages that have waited, and were never sent, since before `time`, ms of the owner's clock. Returns how many. */
  dropWaitingSince(time: number): number;

  /** How many messages of QoS 1 and 2 wait or are not acknowledged, and their bytes as limits count them. */
  readonly pending: number;
  readonly pendingBytes: number;

  /** Messages of QoS 1 and 2 that are not known to have been delivered: those that were sent first, then those that wait. */
  readonly outgoing: Iterable<OutgoingPublish>;

  /** Packet identifiers of messages of QoS 2 that the client has not released. */
  readonly taken: Iterable<number>;
}
