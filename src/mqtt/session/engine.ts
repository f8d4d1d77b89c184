import type { Counters } from '../../counters.js';
import { hasExpired, type MessageExtras } from '../../router/message.js';
import type { Channel } from '../../session/outgoing.js';
import type { Qos } from '../../wire/messages.js';
import type { Acknowledgement, Subscribe, Unsubscribe } from '../wire/packets.js';
import { REASON } from '../wire/reason-codes.js';
import { Answers } from './answers.js';
import type {
  MqttConnection,
  MqttOwner,
  MqttRecorder,
  MqttSessionLimits,
  MqttSessionState,
  SessionPacket,
} from './contract.js';
import { Deliveries } from './deliveries.js';
import { OutgoingPublish, type PublishContent, queuedBytes } from './outgoing-publish.js';
import { Publications } from './publications.js';
import { PublishEncoder } from './publish-encoder.js';
import { subscribeRefusal } from './refusals.js';

/**
 * The protocol of one MQTT session (MQTT 5, 4.1 to 4.9), without I/O, clock or timer; it outlives its connections. Counts what it
 * drops as `mqtt.drop.<reason>`: `backlog_full` and `offline` (QoS 0), `expired`, `too_large_for_receiver`, `refused_by_receiver`;
 * and as `mqtt.refused.<reason>` emits whose client could not be told so.
 */
export class MqttEngine {
  readonly #owner: MqttOwner;
  readonly #limits: MqttSessionLimits;
  readonly #counters: Counters;
  readonly #recorder: MqttRecorder | undefined;
  #connection: MqttConnection | undefined;
  /** While a connection stands: how PUBLISH is written for it. */
  #encoder: PublishEncoder | undefined;
  #answers: Answers | undefined;
  /** From the first message of QoS 1 or 2 on: most sessions of boards' programs hear QoS 0 only. */
  #deliveries: Deliveries | undefined;
  /** From the first PUBLISH that the client sends on. */
  #publications: Publications | undefined;

  constructor(owner: MqttOwner, limits: MqttSessionLimits, counters: Counters, recorder?: MqttRecorder) {
    this.#owner = owner;
    this.#limits = limits;
    this.#counters = counters;
    this.#recorder = recorder;
  }

  // ------------------------------------------------------------------------------------------ the connection

  /** Takes up what a recorder kept of a session, which has no connection yet. */
  restore({ outgoing, taken }: MqttSessionState): void {
    if (outgoing.length > 0) this.#sending().restore(outgoing);
    if (taken.length > 0) this.#publishing().restore(taken);
  }

  /**
   * Goes on over a connection, once CONNACK is sent: what is unacknowledged is sent again, in order ([MQTT-4.4.0-1],
   * [MQTT-4.6.0-1]), then what waits. A session that stood on another connection leaves that.
   */
  begin(connection: MqttConnection): void {
    this.#connection = connection;
    this.#encoder = new PublishEncoder(connection);
    this.#answers = new Answers(connection, this.#counters);
    this.#publications?.restart();
    const deliveries = this.#deliveries;
    if (deliveries === undefined) return;
    for (const { id } of deliveries.restart(connection.receiveMaximum))
      this.#answers.acknowledge('pubrel', id);
    this.#pump(deliveries);
  }

  /** The connection is gone: nothing more is sent to it. What is of QoS 1 and 2 stays. */
  detach(): void {
    this.#connection = undefined;
    this.#encoder = undefined;
    this.#answers = undefined;
    if (this.#deliveries?.pending === 0) this.#deliveries = undefined;
  }

  /** The session is over. What was recorded is the owner's to remove. */
  end(): void {
    this.detach();
    this.#deliveries?.end();
    this.#deliveries = undefined;
    this.#publications?.end();
    this.#publications = undefined;
  }

  /**
   * Acts on a packet that came after CONNECT, in the order in which they came. Its bytes may be reused afterwards.
   *
   * Returns false if it could not be taken now, and nothing has changed: there is no room for what a client of MQTT 3.1.1
   * publishes, and no way to tell it. The owner then reads no more from the connection, and gives the same packet again a
   * little later; after some time it closes the connection, so that the client publishes it again when it is back.
   */
  receive(packet: SessionPacket): boolean {
    const answers = this.#answers;
    if (answers === undefined) return true;
    switch (packet.type) {
      case 'publish':
        return this.#publishing().publish(packet, answers);
      case 'pubrel':
        this.#publishing().release(packet, answers);
        return true;
      case 'subscribe':
        this.#subscribe(packet);
        return true;
      case 'unsubscribe':
        this.#unsubscribe(packet);
        return true;
      case 'pingreq':
        // [MQTT-3.12.4-1]
        answers.ping();
        return true;
      default:
        this.#acknowledged(packet);
        return true;
    }
  }

  // -------------------------------------------------------------------------------------- what is sent to it

  /** How many messages of QoS 1 and 2 wait or are not acknowledged. */
  get pending(): number {
    return this.#deliveries?.pending ?? 0;
  }

  /** Their bytes, as limits count them. */
  get pendingBytes(): number {
    return this.#deliveries?.bytes ?? 0;
  }

  /** Messages of QoS 1 and 2 that are not known to have been delivered: those that were sent first, then those that wait. */
  get outgoing(): Iterable<OutgoingPublish> {
    return this.#deliveries ?? [];
  }

  /** Packet identifiers of messages of QoS 2 that the client has not released. */
  get taken(): Iterable<number> {
    return this.#publications?.taken ?? [];
  }

  /** Whether a message of QoS 1 or 2 with `payloadLength` bytes can be queued. */
  hasRoom({ name }: Channel, payloadLength: number): boolean {
    const deliveries = this.#sending();
    const size = queuedBytes(name, payloadLength, undefined);
    if (!deliveries.isFull(size)) return true;
    this.#counters.add('mqtt.drop.expired', deliveries.dropExpired(this.#owner.now()));
    return !deliveries.isFull(size);
  }

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
    { name }: Channel,
    payload: Uint8Array,
    qos: Qos,
    retain: boolean,
    extras?: MessageExtras,
    identifiers?: readonly number[],
  ): void {
    const content = { topic: name, payload, qos, retain, extras, identifiers };
    if (qos === 0) return this.#deliverOnce(content);
    const now = this.#owner.now();
    const item = new OutgoingPublish(content, now);
    const deliveries = this.#sending();
    deliveries.count(item);
    if (!this.#takesMore(deliveries) || !deliveries.isOpen) return deliveries.wait(item);
    if (!this.#publish(deliveries, item, now)) deliveries.discount(item);
  }

  /** At QoS 0: now or never. */
  #deliverOnce(content: PublishContent): void {
    const connection = this.#connection;
    if (connection === undefined) return this.#counters.add('mqtt.drop.offline');
    if (connection.backlog() >= this.#limits.backlog) return this.#counters.add('mqtt.drop.backlog_full');
    const now = content.extras === undefined ? 0 : this.#owner.now();
    const packet = this.#encoder?.once(content, now);
    if (packet === undefined) return this.#counters.add('mqtt.drop.too_large_for_receiver');
    connection.send(packet);
  }

  /** Drops messages that have waited, and were never sent, since before `time`, ms of the owner's clock. Returns how many. */
  dropWaitingSince(time: number): number {
    return this.#deliveries?.dropWaitingSince(time) ?? 0;
  }

  #sending(): Deliveries {
    if (this.#deliveries === undefined) {
      this.#deliveries = new Deliveries(this.#limits.queue, this.#recorder);
      if (this.#connection !== undefined) this.#deliveries.restart(this.#connection.receiveMaximum);
    }
    return this.#deliveries;
  }

  /**
   * Whether the connection takes a message of QoS 1 or 2 now. Behind a full backlog one waits for an acknowledgement; without any to
   * come it does not.
   */
  #takesMore(deliveries: Deliveries): boolean {
    const connection = this.#connection;
    if (connection === undefined) return false;
    return deliveries.unacknowledged === 0 || connection.backlog() < this.#limits.backlog;
  }

  /** Sends what waits, as far as the client takes it. */
  #pump(deliveries: Deliveries): void {
    while (this.#takesMore(deliveries)) {
      const item = deliveries.next();
      if (item === undefined) return;
      const now = this.#owner.now();
      if (item.stage === 'waiting' && hasExpired(item.extras, now)) {
        // [MQTT-3.3.2-5]
        this.#counters.add('mqtt.drop.expired');
        deliveries.settle(item);
      } else if (!this.#publish(deliveries, item, now)) deliveries.settle(item);
    }
  }

  /** Returns false if it is too large for the client: then it is as if delivered ([MQTT-3.1.2-25]). */
  #publish(deliveries: Deliveries, item: OutgoingPublish, now: number): boolean {
    const again = item.stage === 'published';
    const id = again ? item.id : deliveries.freeId();
    const packet = this.#encoder?.numbered(item, id, again, now);
    if (packet === undefined) {
      this.#counters.add('mqtt.drop.too_large_for_receiver');
      return false;
    }
    if (!again) deliveries.publish(item, id);
    this.#connection?.send(packet);
    return true;
  }

  /** PUBACK, PUBREC or PUBCOMP came. */
  #acknowledged(packet: Acknowledgement): void {
    const { type, id, code } = packet;
    const deliveries = this.#deliveries;
    const item = deliveries?.published(id);
    if (deliveries === undefined || (item === undefined && !deliveries.isReleased(id)))
      return this.#unknown(packet);
    if (!isDue(type, item)) {
      return this.#owner.fails(
        REASON.protocolError,
        `${type.toUpperCase()} is not what packet ${id} waits for [MQTT-4.3.3-1]`,
      );
    }
    if (item === undefined) {
      // Its PUBREC came twice, or this is the end of it.
      if (type === 'pubrec') this.#answers?.acknowledge('pubrel', id);
      else deliveries.complete(id);
    } else if (code >= REASON.unspecifiedError) {
      // The client does not want it; nothing more follows, and the identifier is free (MQTT 5, 4.3.3).
      this.#counters.add('mqtt.drop.refused_by_receiver');
      deliveries.settle(item);
    } else if (type === 'puback') deliveries.settle(item);
    else {
      deliveries.release(item);
      this.#answers?.acknowledge('pubrel', id);
    }
    this.#pump(deliveries);
  }

  /** What was acknowledged is not known, or not any more. A PUBREC has to be answered (MQTT 5, 3.6.2.1), but one that tells of failure. */
  #unknown({ type, id, code }: Acknowledgement): void {
    this.#counters.add('mqtt.unknown_id');
    if (type === 'pubrec' && code < REASON.unspecifiedError)
      this.#answers?.acknowledge('pubrel', id, REASON.packetIdentifierNotFound);
  }

  #publishing(): Publications {
    this.#publications ??= new Publications(this.#owner, this.#limits, this.#counters, this.#recorder);
    return this.#publications;
  }

  // ------------------------------------------------------------------------------------------ subscriptions

  #subscribe({ id, subscriptions, properties }: Subscribe): void {
    const codes: number[] = [];
    const replays: string[] = [];
    let problem: string | undefined;
    for (const request of subscriptions) {
      const outcome = this.#owner.subscribe(request, properties.subscriptionIdentifier);
      if (outcome === 'new' || outcome === 'replaced') {
        codes.push(request.qos);
        const { retainHandling } = request;
        // [MQTT-3.3.1-9], -10, -11; and none for shared subscriptions (MQTT 5, 4.8.2).
        const wanted = retainHandling === 0 || (retainHandling === 1 && outcome === 'new');
        if (wanted && !request.filter.startsWith('$share/')) replays.push(request.filter);
      } else {
        const { code, text } = subscribeRefusal(outcome);
        codes.push(code);
        problem ??= text;
      }
    }
    this.#recorder?.received();
    // [MQTT-3.8.4-1]; before any retained message, as clients expect it.
    this.#answers?.subscribed('suback', id, codes, problem);
    for (const filter of replays) this.#owner.replay(filter);
  }

  #unsubscribe({ id, filters }: Unsubscribe): void {
    const codes = filters.map((filter) =>
      this.#owner.unsubscribe(filter) ? REASON.success : REASON.noSubscriptionExisted,
    );
    this.#recorder?.received();
    // [MQTT-3.10.4-4], also when there was no such subscription ([MQTT-3.10.4-5]).
    this.#answers?.subscribed('unsuback', id, codes);
  }
}

/** Whether a message that is published, or else released (undefined), waits for this acknowledgement. */
function isDue(type: Acknowledgement['type'], published: OutgoingPublish | undefined): boolean {
  if (published === undefined) return type === 'pubcomp' || type === 'pubrec';
  return type === (published.qos === 1 ? 'puback' : 'pubrec');
}
