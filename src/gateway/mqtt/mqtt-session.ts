import { type Principal, UNKNOWN } from '../../access/principal.js';
import type { Rights } from '../../access/rights.js';
import type { Clock } from '../../clock.js';
import type { Counters } from '../../counters.js';
import type { FairTurns } from '../../fair-turns.js';
import type {
  MqttOwner,
  MqttSessionLimits,
  PublishOptions,
  SessionPacket,
} from '../../mqtt/session/contract.js';
import { MqttEngine } from '../../mqtt/session/engine.js';
import type { Connect, SubscriptionRequest } from '../../mqtt/wire/packets.js';
import type { ReasonCode } from '../../mqtt/wire/reason-codes.js';
import type { Channel, Recipient } from '../../router/channel.js';
import type { Replay } from '../../router/last-value-replay.js';
import type { MessageExtras } from '../../router/message.js';
import { type Receiver, Replays } from '../../router/replays.js';
import type { Router } from '../../router/router.js';
import type { DeliveryRefusal, SubscribeOptions, Subscriber } from '../../router/subscriber.js';
import type { StoredMqttSession, StoredMqttState } from '../../store/mqtt-records.js';
import type { Store } from '../../store/store.js';
import { BROADCAST_CHANNEL } from '../../wire/channels.js';
import type { Qos } from '../../wire/messages.js';
import type { Reason, ReasonName } from '../../wire/reasons.js';
import { Fullness } from '../fullness.js';
import { harmless } from '../harmless.js';
import { OutputGate } from '../output-gate.js';
import type { Resident } from '../resident.js';
import { NO_WILL, type StandingWill, type WillOwner } from '../wills.js';
import type { MqttConnection } from './mqtt-connection.js';
import { MqttRecord, outgoingOf } from './mqtt-record.js';

/** What a session tells whoever keeps it. */
export interface MqttSessionKeeper {
  /** The client leaves a will, or takes it back. Returns why not, if that is refused. */
  will(session: MqttSession, will: StandingWill): Reason | undefined;
  /** What somebody who was let in earlier may do now. */
  rightsOf(principal: Principal): Rights | undefined;
  /** Whether a will is on its way. */
  isWillDue(session: MqttSession): boolean;
  /** There is no room in its queue for so many bytes, nor was there since `sinceMs` ago. `first` of this connection, or absence. */
  full(session: MqttSession, bytes: number, sinceMs: number, first: boolean): void;
  /** It has to end for want of room: for another session, or in its own queue. */
  evict(session: MqttSession): void;
}

export interface MqttSessionContext {
  readonly router: Router;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly turns: FairTurns;
  readonly limits: MqttSessionLimits;
  readonly keeper: MqttSessionKeeper;
  /** Where sessions are kept, if they are to outlive the process. */
  readonly store: Store | undefined;
}

/** What is kept of one MQTT client: the protocol engine on one side, the router's subscriber on the other. */
export class MqttSession implements Subscriber, Resident, WillOwner, Receiver {
  readonly broadcastsOnRequest = true;
  readonly clientId: string;
  /** The client id as it can be shown: it may hold anything. */
  readonly identity: string;
  party: string | undefined;
  principal: Principal = UNKNOWN;
  rights: Rights | undefined;
  /** How long it outlives its connection, ms. */
  expiryMs = 0;
  /** When it expires, ms on the store's clock; null while it is connected. */
  expiresAt: number | null = null;
  /** How long after the end of the connection its will is due, ms ([MQTT-3.1.3-9]). */
  willDelayMs = 0;
  connection: MqttConnection | undefined;
  /** It said so as mosquitto's bridges do: it is not sent what it published, and is told what is to be kept. */
  #isBridge = false;
  readonly #context: MqttSessionContext;
  readonly #engine: MqttEngine;
  readonly #record: MqttRecord | undefined;
  #gate: OutputGate | undefined;
  /** Last values that subscriptions just made are owed once they are acknowledged, by filter. */
  readonly #owed = new Map<string, Replay>();
  #replays: Replays | undefined;
  readonly #fullness = new Fullness();

  /** `durable`: it outlives its connection, and the process where there is a store. */
  constructor(clientId: string, durable: boolean, context: MqttSessionContext, stored?: StoredMqttSession) {
    this.clientId = clientId;
    this.identity = harmless(clientId);
    this.#context = context;
    const { store, limits, counters } = context;
    this.#record = store && new MqttRecord(store, clientId, durable, () => this.#state(), stored);
    this.#engine = new MqttEngine(this.#owner(), limits, counters, this.#record);
  }

  /** A session as the store kept it, without a connection. */
  static restore(stored: StoredMqttSession, context: MqttSessionContext): MqttSession {
    const { clientId, state, subscriptions, will } = stored;
    const session = new MqttSession(clientId, true, context, stored);
    const { router, keeper, clock, store } = context;
    session.principal = state.principal;
    session.rights = keeper.rightsOf(state.principal);
    session.expiryMs = state.expiryMs;
    session.expiresAt = state.expiresAt;
    session.willDelayMs = state.willDelayMs;
    if (store)
      session.#engine.restore({ outgoing: outgoingOf(stored, clock.now(), store), taken: stored.taken });
    for (const { filter, options } of subscriptions) {
      // The limits may be lower today: what does not fit any more is counted by the router, and gone.
      if (router.restoreSubscription(session, filter, options)) session.#record?.unsubscribed(filter);
    }
    const standing = will && { ...will, properties: will.extras?.properties };
    if (standing && keeper.will(session, standing)) session.#record?.will(NO_WILL);
    return session;
  }

  /** Client ids are a namespace of their own; an identity of PROTOCOL.md §4.1 has no space. */
  get owner(): string {
    return `mqtt ${this.clientId}`;
  }

  get open(): boolean {
    return this.connection !== undefined;
  }

  get attentive(): boolean {
    return this.open;
  }

  get pending(): number {
    return this.#engine.pending;
  }

  get idCount(): number {
    return 0;
  }

  /** Goes on over a connection, to which CONNACK was sent by way of `send`. */
  begin(connection: MqttConnection, connect: Connect): void {
    const { receiveMaximum = 0xffff, topicAliasMaximum = 0 } = connect.properties;
    const { level, problemInformation, maximumPacketSize } = connection;
    this.#isBridge = connect.bridge;
    this.#context.router.connect(this);
    this.#engine.begin({
      level,
      receiveMaximum,
      maximumPacketSize,
      topicAliasMaximum,
      problemInformation,
      send: (packet) => this.send(packet),
      backlog: () => this.unsent,
    });
    this.#replays?.goOn();
  }

  /** Takes a connection, before anything is sent over it. */
  take(connection: MqttConnection): void {
    this.connection = connection;
    this.expiresAt = null;
    this.#fullness.returned();
    const { store } = this.#context;
    const record = this.#record;
    this.#gate = store && record && new OutputGate(store, record, connection.link, () => this.drained());
    this.#record?.touch();
    // What CONNACK tells of the session must be so after a power cut, too.
    this.#record?.received();
  }

  /** Sends a packet, after the store has what it tells (PROTOCOL.md §5.1). */
  send(packet: Uint8Array): void {
    if (this.#gate) this.#gate.send(packet);
    else this.connection?.link.send(packet);
  }

  /** Returns false if there is no room for it now, and it has to be given again. */
  receive(packet: SessionPacket): boolean {
    const taken = this.#engine.receive(packet);
    this.#replays?.goOn();
    return taken;
  }

  /** What waited to be sent has been. */
  drained(): void {
    this.#replays?.goOn();
    this.connection?.caughtUp();
  }

  /** Bytes that its connection has not sent. */
  get unsent(): number {
    return (this.connection?.link.backlog() ?? 0) + (this.#gate?.bytes ?? 0);
  }

  /** The connection is gone; the session stays. */
  detach(): void {
    this.connection = undefined;
    this.#gate?.close();
    this.#gate = undefined;
    this.#fullness.left();
    this.#engine.detach();
    this.#context.router.disconnect(this);
    this.#record?.touch();
  }

  /** It has no connection, and expires in so many ms. */
  offline(ms: number): void {
    const { store } = this.#context;
    this.expiresAt = store ? store.time() + ms : null;
    this.touch();
  }

  /** Ends it for good. */
  end(): void {
    if (this.open) this.detach();
    this.#record?.remove(this.#engine.outgoing, this.#engine.taken);
    this.#engine.end();
    this.#replays?.stopAll();
    this.#replays = undefined;
    this.#context.router.remove(this);
  }

  /** Leaves a will that is not refused, or takes it back: `NO_WILL`. */
  leaveWill(will: StandingWill): void {
    if (this.#context.keeper.will(this, will) === undefined) this.#record?.will(will);
  }

  /** Something that its record tells has changed. */
  touch(): void {
    this.#record?.touch();
  }

  dropWaitingSince(before: number): number {
    return this.#engine.dropWaitingSince(before);
  }

  evict(): void {
    this.#context.keeper.evict(this);
  }

  /** Emits its will. Returns why not, if it was refused (PROTOCOL.md §7). */
  emit(topic: string, message: PublishOptions & { readonly payload: Uint8Array }): ReasonName | undefined {
    return this.#emit(topic, message.payload, message);
  }

  #emit(topic: string, payload: Uint8Array, options: PublishOptions): ReasonName | undefined {
    const { router } = this.#context;
    if (topic === BROADCAST_CHANNEL) return router.broadcast(payload, options, this);
    return router.emit(topic, payload, options, this);
  }

  // --------------------------------------------------------------------------------------- the router's side

  hasRoom(channel: Channel, payloadLength: number): boolean {
    if (this.#engine.hasRoom(channel, payloadLength)) return true;
    const { keeper, clock } = this.#context;
    const { sinceMs, first } = this.#fullness.hadNone(clock.now());
    keeper.full(this, payloadLength, sinceMs, first);
    return false;
  }

  deliver(
    channel: Channel,
    payload: Uint8Array,
    qos: Qos,
    retained: boolean,
    extras: MessageExtras | undefined,
    { subscriptionIds }: Recipient,
  ): DeliveryRefusal | undefined {
    if (qos > 0) this.#fullness.hadRoom();
    this.#engine.deliver(channel, payload, qos, retained, extras, subscriptionIds);
    return undefined;
  }

  unsubscribed(filter: string): void {
    this.#record?.unsubscribed(filter);
  }

  /** Half of each bound is kept for live messages: who asks for many last values must not stop emits for it. */
  get hasRoomForReplays(): boolean {
    const { queue, backlog } = this.#context.limits;
    const { pending, pendingBytes } = this.#engine;
    return pending * 2 < queue.messages && pendingBytes * 2 < queue.bytes && this.unsent * 2 < backlog;
  }

  get idle(): boolean {
    return this.#engine.pending === 0;
  }

  // --------------------------------------------------------------------------------------- the engine's side

  #owner(): MqttOwner {
    const { clock, router } = this.#context;
    return {
      emit: (topic, payload, options) => this.#emit(topic, payload, options),
      isHeard: (topic) => topic === BROADCAST_CHANNEL || router.hasAudience(topic),
      subscribe: (request, identifier) => this.#subscribe(request, identifier),
      replay: (filter) => this.#replay(filter),
      unsubscribe: (filter) => this.#unsubscribe(filter),
      fails: (code: ReasonCode, problem: string) => this.connection?.fails(code, problem),
      now: () => clock.now(),
    };
  }

  #subscribe(
    { filter, qos, noLocal, retainAsPublished, retainHandling }: SubscriptionRequest,
    subscriptionId: number | undefined,
  ): 'new' | 'replaced' | ReasonName {
    const { router } = this.#context;
    const known = router.isSubscribed(this, filter);
    const options: SubscribeOptions = {
      qos,
      noLocal: noLocal || this.#isBridge,
      noLastValue: retainHandling === 2,
      retainAsPublished: retainAsPublished || this.#isBridge,
      subscriptionId,
    };
    const refusal = router.subscribe(this, filter, options, (values) => {
      // [MQTT-3.3.1-10]: of an old one nothing is asked for again.
      if (!known || retainHandling === 0) this.#owed.set(filter, values);
    });
    if (refusal !== undefined) return refusal;
    this.#record?.subscribed(filter, options);
    return known ? 'replaced' : 'new';
  }

  #replay(filter: string): void {
    const { turns, clock } = this.#context;
    const values = this.#owed.get(filter);
    if (values === undefined) return;
    this.#owed.delete(filter);
    this.#replays ??= new Replays(this, turns, clock);
    this.#replays.start(filter, values);
    if (this.#replays.done) this.#replays = undefined;
  }

  #unsubscribe(filter: string): boolean {
    this.#replays?.stop(filter);
    const had = this.#context.router.unsubscribe(this, filter);
    if (had) this.#record?.unsubscribed(filter);
    return had;
  }

  #state(): Omit<StoredMqttState, 'records'> {
    const { expiryMs, expiresAt, willDelayMs, principal } = this;
    const willDue = this.#context.keeper.isWillDue(this);
    return { expiryMs, expiresAt, willDelayMs, willDue, principal };
  }
}
