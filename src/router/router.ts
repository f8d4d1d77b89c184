import type { Rights } from '../access/rights.js';
import type { Clock } from '../clock.js';
import type { Count, Counters } from '../counters.js';
import { BROADCAST_CHANNEL, channelProblem, filterOf, isShared, patternProblem } from '../wire/channels.js';
import type { Qos } from '../wire/messages.js';
import type { ReasonName } from '../wire/reasons.js';
import { Channel, type LastValue, type Route } from './channel.js';
import { ChannelTable } from './channel-table.js';
import { finish, type Replay, type ReplayContext, replayLastValues } from './last-value-replay.js';
import { type LastValueKeeper, type LastValueLimits, LastValues, type NewLastValue } from './last-values.js';
import type { MessageExtras } from './message.js';
import { MAX_NAME_BYTES } from './names.js';
import type { SubscriptionObserver } from './observers.js';
import { recipientOf } from './recipients.js';
import { lowerQos, type Run, type SubscribeOptions, type Subscriber } from './subscriber.js';
import { type SubscriptionLimits, Subscriptions } from './subscriptions.js';

export interface RouterLimits extends SubscriptionLimits, LastValueLimits {
  /**
   * Channels known at a time, the broadcast channel aside. Those with neither holder nor last value make room for new
   * ones.
   */
  readonly maxChannels: number;
}

export interface EmitOptions {
  readonly qos: Qos;
  /** Keep the payload as the channel's last value; an empty one clears it (PROTOCOL.md §6.5). */
  readonly retain: boolean;
  /** What goes with it besides, to every receiver and into the last value. */
  readonly extras?: MessageExtras | undefined;
}

/** As many deliveries as a run may cause: what is more is to be interrupted by other work. */
const MAX_RUN_DELIVERIES = 8192;

/** What being connected asks for: every broadcast but its own. */
const BROADCAST_OPTIONS: SubscribeOptions = { qos: 2, noLocal: true, noLastValue: true };

/**
 * Passes messages from those who emit to those who subscribed (PROTOCOL.md §6). It does no I/O, and has no timers.
 *
 * What refuses returns the reason (§7), which is also counted as `router.refused.<reason>`, and returns undefined when
 * all is well. Deliveries that are left out are counted as `router.drop.<reason>`; accepted emits as `router.emit`, their
 * deliveries as `router.delivered`. A delivery may call the router: an emit goes to those subscribed when it began.
 */
export class Router {
  /** What broadcasts are delivered on, for whoever maps id 0 to a channel. */
  readonly broadcastChannel: Channel;
  readonly #counters: Counters;
  readonly #channels: ChannelTable;
  readonly #subscriptions: Subscriptions;
  readonly #lastValues: LastValues;
  readonly #replayContext: ReplayContext;
  readonly #connected = new Set<Subscriber>();
  readonly #emitted: Count;
  readonly #delivered: Count;

  /** `keeper`: if last values are to outlive the process. */
  constructor(limits: RouterLimits, counters: Counters, clock: Pick<Clock, 'now'>, keeper?: LastValueKeeper) {
    this.#counters = counters;
    this.#emitted = counters.count('router.emit');
    this.#delivered = counters.count('router.delivered');
    this.#channels = new ChannelTable(limits.maxChannels + 1);
    this.#subscriptions = new Subscriptions(limits, (subscriber) => this.#connected.has(subscriber));
    const expired = counters.count('router.last_values_expired');
    this.#lastValues = new LastValues(limits, clock, expired, keeper);
    this.#replayContext = {
      lastValues: this.#lastValues,
      subscriptions: this.#subscriptions,
      counters,
      delivered: this.#delivered,
      find: (name) => this.find(name),
    };
    const broadcast = this.hold(BROADCAST_CHANNEL);
    if (typeof broadcast === 'string') throw new RangeError('maxChannels must be 0 or more.');
    this.broadcastChannel = broadcast;
  }

  /** Deliveries so far. */
  get delivered(): number {
    return this.#delivered.value;
  }

  /** What is in use of the limits. */
  get sizes(): { channels: number; subscriptions: number; lastValues: number; lastValueBytes: number } {
    return {
      channels: this.#channels.size - 1,
      subscriptions: this.#subscriptions.size,
      lastValues: this.#lastValues.count,
      lastValueBytes: this.#lastValues.bytes,
    };
  }

  /** How many channels may have a last value. */
  get maxLastValues(): number {
    return this.#lastValues.limit;
  }

  /**
   * The channel of that name, which stays in the table until it is released as often as it was held. Refused:
   * `bad_channel`, also for a name of more than 255 bytes; `limit_reached`.
   */
  hold(name: string): Channel | ReasonName {
    const channel = this.#channels.list(name);
    if (typeof channel === 'string') return this.#refuse(channel);
    if (channel.long) return this.#refuse('bad_channel');
    channel.holders += 1;
    this.#channels.reconsider(channel);
    return channel;
  }

  /** Undoes one `hold`. */
  release(channel: Channel): void {
    if (channel.holders === 0) return;
    channel.holders -= 1;
    this.#channels.reconsider(channel);
  }

  /** The channel of that name, which must be valid, for one use: it is not listed for that. */
  find(name: string): Channel {
    return this.#channels.get(name) ?? new Channel(name);
  }

  /**
   * From now on the subscriber gets broadcasts (§6.4; see `Subscriber.broadcastsOnRequest`), and has its turn where it shares a
   * subscription (§6.2).
   */
  connect(subscriber: Subscriber): void {
    this.#connected.add(subscriber);
    this.#channels.forgetRoutes(BROADCAST_CHANNEL);
  }

  disconnect(subscriber: Subscriber): void {
    if (this.#connected.delete(subscriber)) this.#channels.forgetRoutes(BROADCAST_CHANNEL);
  }

  /** Disconnects the subscriber and drops its subscriptions. */
  remove(subscriber: Subscriber): void {
    this.disconnect(subscriber);
    for (const pattern of this.#subscriptions.deleteAll(subscriber))
      this.#channels.forgetRoutes(filterOf(pattern));
  }

  /**
   * Subscribes, in place of an earlier subscription to the same pattern, then delivers the last values that match
   * unless told not to (§6.2, §6.5): all at once, or as `replay` goes on with them, now or later. A shared subscription brings none
   * [MQTT-4.8.2]. Refused: `bad_channel`; `limit_reached`; `not_allowed` when the subscriber may hear nothing of it.
   *
   * @param pattern Of 65,535 bytes at most.
   */
  subscribe(
    subscriber: Subscriber,
    pattern: string,
    options: SubscribeOptions,
    replay: (values: Replay) => void = finish,
  ): ReasonName | undefined {
    const refusal = this.restoreSubscription(subscriber, pattern, options);
    if (refusal !== undefined) return refusal;
    if (!options.noLastValue && !isShared(pattern)) replay(this.#replay(subscriber, [pattern], 0));
    return undefined;
  }

  /**
   * Whether it has a subscription to exactly that pattern: the next one would only replace it. What MQTT's retain handling of 1 asks
   * [MQTT-3.3.1-10].
   */
  isSubscribed(subscriber: Subscriber, pattern: string): boolean {
    return this.#subscriptions.has(subscriber, pattern);
  }

  /** Returns whether there was such a subscription. */
  unsubscribe(subscriber: Subscriber, pattern: string): boolean {
    const had = this.#subscriptions.delete(subscriber, pattern);
    if (had) this.#channels.forgetRoutes(filterOf(pattern));
    return had;
  }

  subscriptionCount(subscriber: Subscriber): number {
    return this.#subscriptions.count(subscriber);
  }

  /** By pattern, as they stand now. */
  subscriptionsOf(subscriber: Subscriber): ReadonlyMap<string, SubscribeOptions> {
    return this.#subscriptions.of(subscriber);
  }

  /**
   * Delivers to everyone subscribed, and keeps or clears the last value if told to.
   *
   * `too_large_for_receiver` means that all others got it. After any other reason nobody did, and no last value
   * changed: `bad_channel`; `not_allowed` for a `$…` channel, and for one that the sender has no right to; `limit_reached` for a channel or last value too many;
   * `not_stored` when too many last values wait to be kept; `queue_full` when a reliable message found no room (§5.7).
   *
   * @param target A name may have 65,535 bytes; sessions that cannot be told such a name are left out, and that is counted.
   * @param payload Copied if anyone keeps it; what the gateway itself emits must not change.
   * @param from Who emits; undefined is the gateway itself, which may emit on `$…` (§6.1).
   */
  emit(
    target: Channel | string,
    payload: Uint8Array,
    options: EmitOptions,
    from?: Subscriber,
  ): ReasonName | undefined {
    const reserved = typeof target === 'string' ? target.startsWith('$') : target.reserved;
    if (reserved && from !== undefined) return this.#refuse('not_allowed');
    const channel = typeof target === 'string' ? this.#channels.list(target) : target;
    if (typeof channel === 'string') return this.#refuse(channel);
    if (from?.rights !== undefined && !this.#mayEmit(channel, from.rights))
      return this.#refuse('not_allowed');
    return this.#send(channel, payload, options, from);
  }

  /**
   * As `emit` at QoS 0 for each message of the run. Returns false, and has done nothing, if they have to be emitted one by one: since not
   * all that get them can take a run, or the emits would be refused, or it would be too much for one piece of work.
   */
  emitRun(channel: Channel, run: Run, from: Subscriber): boolean {
    if (channel.reserved || (from.rights !== undefined && !this.#mayEmit(channel, from.rights))) return false;
    const route = channel.route ?? this.#findRoute(channel);
    if (route.length * run.count > MAX_RUN_DELIVERIES) return false;
    for (const { subscriber } of route) if (subscriber.takesRun?.(channel, run) !== true) return false;
    for (const { subscriber, noLocal, own } of route) {
      if (noLocal && subscriber === from && own === undefined) continue;
      subscriber.deliverRun?.(channel, run);
      this.#delivered.add(run.count);
    }
    this.#emitted.add(run.count);
    return true;
  }

  /** The last value of the channel of that name. */
  lastValue(name: string): LastValue | undefined {
    return this.#lastValues.get(name);
  }

  /** Those of the channels that the pattern matches, as they are now. */
  lastValues(pattern: string): LastValue[] {
    return [...this.#lastValues.matching(pattern)].filter(({ name }) => this.lastValue(name));
  }

  /** Clears the channel's last value as an emit of the gateway would, if it has one. */
  clearLastValue(name: string): void {
    if (this.lastValue(name))
      this.#send(this.find(name), new Uint8Array(), { qos: 0, retain: true }, undefined);
  }

  /**
   * Delivers to everyone connected but `from`, subscribed or not (§6.4). Refused: `not_allowed` with retain, and to who has no right to;
   * `queue_full` and `too_large_for_receiver` as by `emit`.
   */
  broadcast(payload: Uint8Array, options: EmitOptions, from?: Subscriber): ReasonName | undefined {
    if (from?.rights?.mayBroadcast === false) return this.#refuse('not_allowed');
    return this.#send(this.broadcastChannel, payload, options, from);
  }

  /** Tells of all subscriptions, those of the absent too, and then of each that begins or ends. Returns what ends that. */
  observe(observer: SubscriptionObserver): () => void {
    return this.#subscriptions.observe(observer);
  }

  /** Whether anybody's subscription could match the channel `prefix` or one below it. Costs a few steps a level. */
  isWatched(prefix: string): boolean {
    return this.#subscriptions.reaches(prefix);
  }

  /** Whether anybody is subscribed to the channel `name`. The channel itself is not kept for that. */
  hasAudience(name: string): boolean {
    return (this.#channels.get(name)?.route ?? this.#subscriptions.routeOf(name)).length > 0;
  }

  /**
   * To be called when the rights of that subscriber, or of all, are not what they were: nothing that was found out before counts any
   * more. Subscriptions that are not allowed at all now are ended, and their owners told (`Subscriber.unsubscribed`); what waits in their
   * queues is theirs.
   */
  forgetRights(subscriber?: Subscriber): void {
    this.#channels.forgetEmitters();
    for (const one of subscriber ? [subscriber] : [...this.#subscriptions.subscribers]) {
      for (const pattern of this.#subscriptions.of(one).keys()) {
        const filter = filterOf(pattern);
        this.#channels.forgetRoutes(filter);
        if (one.rights?.maySubscribe(filter) ?? true) continue;
        this.unsubscribe(one, pattern);
        one.unsubscribed?.(pattern);
      }
    }
  }

  /** Takes up a last value that was kept. Refused: `bad_channel`, `limit_reached`, as the limits may be lower now. */
  restoreLastValue(kept: Omit<LastValue, 'party'>): ReasonName | undefined {
    if (channelProblem(kept.name, MAX_NAME_BYTES) !== undefined) return this.#refuse('bad_channel');
    const value: LastValue = { ...kept, party: undefined };
    if (this.#lastValues.refusal(value)) return this.#refuse('limit_reached');
    this.#lastValues.restore(value);
    return undefined;
  }

  /** Takes up a subscription that was kept, of a subscriber that has its rights already: no last values are sent. Refused as by `subscribe`. */
  restoreSubscription(
    subscriber: Subscriber,
    pattern: string,
    options: SubscribeOptions,
  ): ReasonName | undefined {
    if (patternProblem(pattern, MAX_NAME_BYTES) !== undefined) return this.#refuse('bad_channel');
    const filter = filterOf(pattern);
    if (subscriber.rights?.maySubscribe(filter) === false) return this.#refuse('not_allowed');
    const outcome = this.#subscriptions.put(subscriber, pattern, options);
    if (outcome === 'limit_reached') return this.#refuse(outcome);
    if (outcome === 'changed') this.#channels.forgetRoutes(filter);
    return undefined;
  }

  /** Takes up a mark that was kept: what is set from now on comes after it. */
  restoreLastValueMark(mark: number): void {
    this.#lastValues.restoreMark(mark);
  }

  /** A point in the history of last values, for `replayLastValues`. */
  lastValueMark(): number {
    return this.#lastValues.mark;
  }

  /**
   * Delivers the last values that were set after the mark, a subscription matches and `wants` agrees to, each once
   * (§4.3): all at once, or as `replay` goes on with them.
   */
  replayLastValues(
    subscriber: Subscriber,
    sinceMark: number,
    wants: (channelName: string, payload: Uint8Array) => boolean = () => true,
    replay: (values: Replay) => void = finish,
  ): void {
    const subscriptions = [...this.#subscriptions.of(subscriber)].filter(
      ([, { noLastValue }]) => !noLastValue,
    );
    const patterns = subscriptions.map(([pattern]) => pattern);
    replay(this.#replay(subscriber, patterns, sinceMark, wants));
  }

  #send(
    channel: Channel,
    payload: Uint8Array,
    { qos, retain, extras }: EmitOptions,
    from: Subscriber | undefined,
  ): ReasonName | undefined {
    if (retain && channel === this.broadcastChannel) return this.#refuse('not_allowed');
    const party = from?.party;
    const { name } = channel;
    const unkept = retain ? this.#refusalToKeep({ name, payload, qos, party, extras }, from) : undefined;
    if (unkept) return this.#refuse(unkept);

    const route = channel.route ?? this.#findRoute(channel);
    // Everyone is asked before anyone is served, so that a refused emit was delivered to nobody.
    if (qos > 0 && !this.#haveRoom(route, channel, payload.length, from)) return this.#refuse('queue_full');

    const kept = from && (qos > 0 || retain) ? new Uint8Array(payload) : payload;
    if (retain) this.#lastValues.update({ name, payload: kept, qos, party, extras });
    let delivered = 0;
    let refused: ReasonName | undefined;
    for (const anyone of route) {
      const recipient = anyone.noLocal && anyone.subscriber === from ? anyone.own : anyone;
      if (recipient === undefined) continue;
      const granted = lowerQos(qos, recipient.qos);
      const retained = retain && recipient.retainAsPublished;
      const refusal = recipient.subscriber.deliver(channel, kept, granted, retained, extras, recipient);
      if (refusal === undefined) {
        delivered += 1;
        continue;
      }
      this.#counters.add(`router.drop.${refusal}`);
      // A full backlog at QoS 0 is not the sender's business (§5.7).
      if (refusal === 'too_large_for_receiver') refused = refusal;
    }
    this.#emitted.add();
    this.#delivered.add(delivered);
    return refused;
  }

  /** Has to be found out once for each channel, unless that is used too seldom to be listed. */
  #mayEmit(channel: Channel, rights: Rights): boolean {
    if (channel.emitters?.has(rights)) return true;
    const may = rights.mayEmit(channel.name);
    if (may) this.#channels.addEmitter(channel, rights);
    return may;
  }

  #refusalToKeep(value: NewLastValue, from: Subscriber | undefined): ReasonName | undefined {
    const refusal = this.#lastValues.refusal(value);
    // What the gateway itself keeps is bounded by what it knows of.
    if (refusal === 'not_stored' && from === undefined) return undefined;
    if (refusal !== 'share_used_up') return refusal;
    this.#counters.add('router.per_address.last_values');
    return 'limit_reached';
  }

  #haveRoom(route: Route, channel: Channel, bytes: number, from: Subscriber | undefined): boolean {
    for (const anyone of route) {
      const recipient = anyone.noLocal && anyone.subscriber === from ? anyone.own : anyone;
      if (recipient === undefined || recipient.qos === 0) continue;
      if (!recipient.subscriber.hasRoom(channel, bytes)) return false;
    }
    return true;
  }

  #findRoute(channel: Channel): Route {
    const route =
      channel === this.broadcastChannel
        ? this.#findBroadcastRoute()
        : this.#subscriptions.routeOf(channel.name);
    this.#channels.setRoute(channel, route);
    return route;
  }

  /** Nobody who is absent: broadcasts are not held (§6.4). */
  #findBroadcastRoute(): Route {
    const all = [...this.#connected].filter(({ broadcastsOnRequest }) => broadcastsOnRequest !== true);
    const asks = (subscriber: Subscriber) =>
      subscriber.broadcastsOnRequest === true && this.#connected.has(subscriber);
    return [
      ...all.map((subscriber) => recipientOf(subscriber, BROADCAST_OPTIONS)),
      // Not to who sends it, whatever its subscription says: as with everyone else.
      ...this.#subscriptions
        .routeAmong(BROADCAST_CHANNEL, asks)
        .map((recipient) => ({ ...recipient, noLocal: true, own: undefined })),
    ];
  }

  /** Values that are set from now on are left out: they are delivered as they come. */
  #replay(
    subscriber: Subscriber,
    patterns: readonly string[],
    sinceMark: number,
    wants: (channelName: string, payload: Uint8Array) => boolean = () => true,
  ): Replay {
    const untilMark = this.#lastValues.mark;
    const isDue = ({ name, payload, mark }: LastValue) =>
      mark > sinceMark && mark <= untilMark && wants(name, payload);
    return replayLastValues(this.#replayContext, { subscriber, patterns, isDue });
  }

  #refuse(reason: ReasonName): ReasonName {
    this.#counters.add(`router.refused.${reason}`);
    return reason;
  }
}
