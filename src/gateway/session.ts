import type { Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import type { Link } from '../links/link.js';
import type { Channel } from '../router/channel.js';
import type { Replay, Router } from '../router/router.js';
import type { DeliveryRefusal, Subscriber } from '../router/subscriber.js';
import type { Alarms } from '../session/alarms.js';
import type { Epoch, MessageSource, QueueLimits, SessionOwner } from '../session/contract.js';
import { Driver, type WayOut } from '../session/driver.js';
import { SessionEngine } from '../session/engine.js';
import type { StoredSession } from '../store/contents.js';
import type { SessionState } from '../store/records.js';
import type { Store } from '../store/store.js';
import { BROADCAST_CHANNEL } from '../wire/channels.js';
import { encodePacket } from '../wire/encode.js';
import type { Emit, Qos, Refuse, Sleep, Subscribe, Unsubscribe, Will } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type { FairTurns, Share } from './fair-turns.js';
import { OutputGate } from './output-gate.js';
import { type Receiver, Replays } from './replays.js';
import type { Resident } from './resident.js';
import { lastRecordOf, restoreEngine, SessionRecord } from './session-record.js';

/** Who a session is, from its peer's HELLO (PROTOCOL.md §4.1). */
export interface Identity {
  readonly identity: string;
  readonly nonce: number;
  readonly token: number;
  readonly program: boolean;
}

export interface SessionLimits {
  readonly queue: QueueLimits;
  /** Unsent bytes a link, beyond which QoS 0 is dropped. */
  readonly backlog: number;
  /** The longest that a session outlives its link, and that its peer may sleep (PROTOCOL.md §4.7), ms. */
  readonly expiryMs: number;
}

/** What a session tells whoever keeps it. */
export interface SessionKeeper {
  /** The peer said BYE. */
  leaves(session: Session, reason: Reason): void;
  /** The peer was silent for too long, or disagrees about the numbering. */
  fails(session: Session, reason: Reason): void;
  /** There is no room in its queue for so many bytes, nor was there since `sinceMs` ago. `first` of this link, or absence. */
  full(session: Session, bytes: number, sinceMs: number, first: boolean): void;
  /** It has to end for want of room: for another session, or in its own queue. */
  evict(session: Session, reason: 'limit_reached' | 'queue_full'): void;
  /** The peer sleeps, or is awake again. */
  slept(session: Session, state: 'asleep' | 'online'): void;
  /** It is about to have one id more. Returns whether it may. */
  takesId(session: Session): boolean;
  /** It has one id less. */
  gaveId(session: Session): void;
  /** The peer leaves a will, or takes it back. Returns why not, if that is refused. */
  will(session: Session, will: Will): Reason | undefined;
  /** Whether it left a will, and whether one is on its way. */
  stateOfWill(session: Session): { readonly stands: boolean; readonly due: boolean };
  /** The peer refused something that it was sent. */
  refused(session: Session, message: Refuse): void;
}

export interface SessionContext {
  readonly router: Router;
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly counters: Counters;
  readonly limits: SessionLimits;
  readonly keeper: SessionKeeper;
  readonly turns: FairTurns;
  /** Where sessions are kept, if they are to outlive the process. */
  readonly store: Store | undefined;
}

/** The key of a replay that no pattern has: of what was missed while the peer was away. */
const MISSED = '';

/** What takes a will back. */
const NO_WILL: Will = { type: 'will', seq: 0, qos: 0, retain: false, name: '', payload: new Uint8Array() };

/** What the gateway remembers of one peer: the protocol engine on one side, the router's subscriber on the other. */
export class Session implements Subscriber, SessionOwner<Channel>, Receiver, Resident {
  readonly engine: SessionEngine<Channel>;
  readonly identity: string;
  program = false;
  nonce = 0;
  token = 0;
  /** How often an epoch began or went on. */
  epochs = 0;
  /** How long it may outlive its link, ms. */
  expiryMs = 0;
  /** When it expires, ms on the store's clock; null unless it is offline: what goes down with the gateway is not. */
  expiresAt: number | null = null;
  link: Link | undefined;
  party: string | undefined;
  /** The serial link that it stood on last. */
  port: string | undefined;
  readonly #context: SessionContext;
  readonly #record: SessionRecord | undefined;
  #gate: OutputGate | undefined;
  #driver: Driver | undefined;
  #saidFull = false;
  /** Since when it has refused everything reliable, on the clock in ms. */
  #fullSince: number | undefined;
  /** What was subscribed to before the peer's last boot, and not again since; undefined where there is nothing of the kind. */
  #older: Set<string> | undefined;
  #willSinceBoot = false;
  /** Where the history of last values stood when the peer was last heard: what changed later may have missed it. */
  #lastValueMark = 0;
  /** Last values that are still to be sent. */
  #replays: Replays | undefined;
  #numberingStands = true;

  /** `lastRecord`: the greatest that the store has of it (`SessionRecord`). */
  constructor(identity: string, context: SessionContext, lastRecord = 0) {
    this.identity = identity;
    this.#context = context;
    const { store } = context;
    this.#record = store && new SessionRecord(store, identity, () => this.#state(), lastRecord);
    this.engine = new SessionEngine<Channel>(
      'gateway',
      this,
      context.counters,
      context.limits.queue,
      this.#record,
    );
  }

  /** A session as the store kept it, without a link. */
  static restore(stored: StoredSession, context: SessionContext): Session {
    const { identity, state } = stored;
    const session = new Session(identity, context, lastRecordOf(stored));
    session.nonce = state.nonce;
    session.token = state.token;
    session.program = state.program;
    session.expiryMs = state.expiryMs;
    session.expiresAt = state.expiresAt;
    session.#lastValueMark = state.mark;
    session.#numberingStands = state.stands;
    const { router } = context;
    router.restoreLastValueMark(state.mark);
    // The limits may be lower today: what does not fit any more is counted by the router, and gone.
    const lostIds = restoreEngine(session.engine, stored, context);
    if (lostIds.length > 0) session.giveUpNumbering();
    session.#record?.idsCleared(lostIds);
    for (const { nonce, message } of stored.subscriptions) {
      const refusal = router.restoreSubscription(session, message.pattern, message);
      if (refusal) session.#record?.unsubscribed(message.pattern);
      else if (nonce !== state.nonce) session.#older = (session.#older ?? new Set()).add(message.pattern);
    }
    session.#restoreWill(stored);
    session.#restoreSleep(stored);
    return session;
  }

  #restoreWill({ will, state }: StoredSession): void {
    if (!will) return;
    if (this.#context.keeper.will(this, will.message) !== undefined) this.#record?.will(NO_WILL, this.nonce);
    else this.#willSinceBoot = will.nonce === state.nonce;
  }

  #restoreSleep({ state }: StoredSession): void {
    const { clock, router, limits, store } = this.#context;
    if (state.sleepsUntil === null || store === undefined) return;
    const left = state.sleepsUntil - store.time();
    if (left <= 0) return;
    this.engine.sleep(Math.min(left, limits.expiryMs), clock.now());
    router.connect(this);
  }

  /** It is offline, and expires in so many ms. */
  offline(ms: number): void {
    const { store } = this.#context;
    this.expiresAt = store ? store.time() + ms : null;
    this.touch();
  }

  /** Something that its record tells has changed. */
  touch(): void {
    this.#record?.touch();
  }

  /** Whether its numbering may go on at the next resume (§5.4). */
  get numberingStands(): boolean {
    return this.#numberingStands;
  }

  /** The two sides disagree about the numbering: the next epoch begins a new one. */
  giveUpNumbering(): void {
    this.#numberingStands = false;
    this.#record?.touch();
  }

  get open(): boolean {
    return this.link !== undefined;
  }

  get attentive(): boolean {
    return this.open && !this.engine.asleep;
  }

  get pending(): number {
    return this.engine.pending;
  }

  get idCount(): number {
    return this.engine.ids.size;
  }

  dropWaitingSince(before: number): number {
    return this.engine.dropWaitingSince(before);
  }

  evict(reason: 'limit_reached' | 'queue_full'): void {
    this.#context.keeper.evict(this, reason);
  }

  /** Begins an epoch over a link (§4.3). `resumed` says whether the session stood before. */
  begin(link: Link, who: Identity, epoch: Epoch, expiryMs: number, resumed: boolean): void {
    const { clock, alarms, router } = this.#context;
    const rebooted = who.nonce !== this.nonce;
    if (rebooted) {
      this.#older = resumed ? new Set(router.subscriptionsOf(this).keys()) : undefined;
      this.#willSinceBoot = false;
    }
    this.nonce = who.nonce;
    this.token = who.token;
    this.epochs++;
    this.program = who.program;
    this.expiryMs = expiryMs;
    this.expiresAt = null;
    this.#numberingStands = true;
    this.#driver?.stop();
    this.link = link;
    this.#fullSince = undefined;
    if (link.kind === 'serial') this.port = link.name;
    this.#saidFull = false;
    this.#driver = new Driver(this.engine, alarms, this.#wayOut(link));
    this.#record?.received();
    this.engine.begin(link, epoch, clock.now());
    router.connect(this);
    if (resumed) this.#replay();
    this.#replays?.goOn();
  }

  /** Where packets go: to the link, after the store has what they tell. */
  #wayOut(link: Link): WayOut {
    const record = this.#record;
    const { store } = this.#context;
    if (!store || !record) return link;
    const gate = new OutputGate(
      store,
      (packet) => link.send(packet),
      () => this.#driver?.wake(),
    );
    this.#gate = gate;
    return {
      // However long the disk takes, what waits for it is no more than what was made at once.
      get blocked() {
        return gate.blocked;
      },
      send: (packet) => gate.pass(packet, record.mark),
    };
  }

  /** Sends the last values that the peer may have missed, but those that it is about to get as live messages (§4.3). */
  #replay(): void {
    const pending = this.engine.lastPending();
    const wants = (channelName: string, payload: Uint8Array): boolean => {
      const held = pending.get(channelName);
      return held === undefined || Buffer.compare(held, payload) !== 0;
    };
    this.#context.router.replayLastValues(this, this.#lastValueMark, wants, (values) =>
      this.#startReplay(MISSED, values),
    );
  }

  /** Most replays end at once: only those that do not need to be remembered. */
  #startReplay(key: string, replay: Replay): void {
    const { turns, clock } = this.#context;
    this.#replays ??= new Replays(this, turns, clock);
    this.#replays.start(key, replay);
    if (this.#replays.done) this.#replays = undefined;
  }

  /** Half of each bound is kept for live messages: who asks for many last values must not stop emits for it. */
  get hasRoomForReplays(): boolean {
    const { queue, backlog } = this.#context.limits;
    const { reliable, unreliable } = this.engine.pendingBytes;
    const unsent = unreliable + (this.link?.backlog() ?? 0);
    return this.engine.pending * 2 < queue.messages && reliable * 2 < queue.bytes && unsent * 2 < backlog;
  }

  get idle(): boolean {
    return this.engine.pending === 0;
  }

  /** A BEGIN came, which is answered at once (§4.2). */
  acknowledgeNow(): void {
    this.engine.acknowledgeNow(this.#context.clock.now());
  }

  /** Acts on the messages of a packet, or on as many of them as `share` allows. */
  receive(packet: MessageSource, share: Share): void {
    this.engine.receive(packet, share.at, share);
    this.#lastValueMark = this.#context.router.lastValueMark();
    // What was acknowledged made room.
    this.#replays?.goOn();
    this.#driver?.wake();
  }

  wake(): void {
    this.#driver?.wake();
  }

  /** Sends what can be sent now. */
  flush(): void {
    this.#driver?.flush();
  }

  /** Lets go of the link, with a BYE if there is something to say; the session stays. Returns the link. */
  detach(bye?: Reason): Link | undefined {
    const { link } = this;
    if (!link) return undefined;
    if (bye && !this.engine.asleep) link.send(encodePacket([{ type: 'bye', reason: bye }]));
    this.#driver?.stop();
    this.#driver = undefined;
    this.#gate?.close();
    this.#gate = undefined;
    this.link = undefined;
    this.#saidFull = false;
    this.#record?.touch();
    this.engine.detach();
    // Whether the link stands while its peer sleeps makes no difference to anyone.
    if (!this.engine.asleep) this.#context.router.disconnect(this);
    return link;
  }

  /** The peer does not wake as it had said. */
  oversleep(): void {
    this.engine.giveUpSleep();
    this.#context.router.disconnect(this);
  }

  /** Ends it for good. */
  end(reason: Reason): void {
    const { engine } = this;
    const { router } = this.#context;
    this.detach();
    const belongings = this.#record && {
      outgoing: [...engine.outgoing],
      patterns: [...router.subscriptionsOf(this).keys()],
      ids: [...engine.ids],
    };
    engine.end(reason);
    this.#replays?.stopAll();
    this.#replays = undefined;
    router.remove(this);
    if (belongings) this.#record?.remove(belongings);
  }

  // --------------------------------------------------------------------------------------- the router's side

  hasRoom(channel: Channel, payloadLength: number): boolean {
    const { engine } = this;
    if (!engine.takesReliable || engine.refusal(channel, payloadLength, true) !== 'queue_full') return true;
    const { keeper, clock } = this.#context;
    const now = clock.now();
    this.#fullSince ??= now;
    const first = !this.#saidFull;
    this.#saidFull = true;
    keeper.full(this, payloadLength, now - this.#fullSince, first);
    return false;
  }

  deliver(channel: Channel, payload: Uint8Array, qos: Qos, retained: boolean): DeliveryRefusal | undefined {
    const { engine } = this;
    let refusal: ReturnType<typeof engine.emitUnreliable>;
    if (qos > 0 && engine.takesReliable) {
      if (engine.refusal(channel, payload.length, true) === 'too_large_for_receiver')
        return 'too_large_for_receiver';
      this.#fullSince = undefined;
      engine.emitReliable({ type: 'emit', channel, payload, qos, retain: retained });
    } else {
      const unsent = (this.link?.backlog() ?? 0) + (this.#gate?.bytes ?? 0);
      refusal = engine.emitUnreliable(
        { channel, payload, retain: retained },
        this.#context.limits.backlog - unsent,
      );
    }
    this.#driver?.wake();
    // What is not the sender's business is counted already.
    return refusal === 'too_large_for_receiver' ? refusal : undefined;
  }

  // --------------------------------------------------------------------------------------- the engine's side

  hold(name: string, forId = false): Channel | Reason {
    const { router, keeper } = this.#context;
    if (forId && !keeper.takesId(this)) return 'limit_reached';
    const channel = router.hold(name);
    if (forId && typeof channel === 'string') keeper.gaveId(this);
    return channel;
  }

  release(channel: Channel, forId = false): void {
    const { router, keeper } = this.#context;
    router.release(channel);
    if (forId) keeper.gaveId(this);
  }

  refused(message: Refuse): void {
    this.#context.keeper.refused(this, message);
  }

  bye(reason: Reason): void {
    this.#context.keeper.leaves(this, reason);
  }

  woke(): void {
    this.touch();
    this.#context.keeper.slept(this, 'online');
  }

  failed(reason: 'timeout' | 'malformed'): void {
    if (reason === 'malformed') this.giveUpNumbering();
    this.#context.keeper.fails(this, reason);
  }

  now(): number {
    return this.#context.clock.now();
  }

  wallTime(): number {
    return this.#context.clock.wallTime();
  }

  /** Emits on the peer's behalf. Returns why not, if it was refused (§7). */
  emit(target: Channel | string, emit: Pick<Emit, 'payload' | 'qos' | 'retain'>): Reason | undefined {
    const { router } = this.#context;
    const name = typeof target === 'string' ? target : target.name;
    if (name === BROADCAST_CHANNEL) return router.broadcast(emit.payload, emit, this);
    return router.emit(target, emit.payload, emit, this);
  }

  control(message: Subscribe | Unsubscribe | Will | Sleep): Reason | undefined {
    const { router } = this.#context;
    switch (message.type) {
      case 'subscribe': {
        const refusal = router.subscribe(this, message.pattern, message, (values) =>
          this.#startReplay(message.pattern, values),
        );
        if (refusal !== undefined) return refusal;
        // Only what stands: a peer may ask for any number of subscriptions that it does not get.
        this.#older?.delete(message.pattern);
        this.#record?.subscribed(message, this.nonce);
        return undefined;
      }
      case 'unsubscribe':
        if (message.pattern === '') this.#dropOlderThanBoot();
        else this.#unsubscribe(message.pattern);
        return undefined;
      case 'will': {
        const refusal = this.#context.keeper.will(this, message);
        if (refusal !== undefined) return refusal;
        this.#willSinceBoot = true;
        this.#record?.will(message, this.nonce);
        return undefined;
      }
      case 'sleep':
        this.#sleep(message.seconds * 1000);
        return undefined;
    }
  }

  #sleep(ms: number): void {
    const { clock, keeper, limits, counters } = this.#context;
    if (ms > limits.expiryMs) counters.add('session.refused.sleep_too_long');
    const shortened = Math.min(ms, limits.expiryMs);
    const { asleep } = this.engine;
    if (shortened === 0) this.engine.rouse();
    else this.engine.sleep(shortened, clock.now());
    if (!asleep && shortened > 0) keeper.slept(this, 'asleep');
  }

  #dropOlderThanBoot(): void {
    const { keeper } = this.#context;
    for (const pattern of this.#older ?? []) this.#unsubscribe(pattern);
    this.#older = undefined;
    if (this.#willSinceBoot) return;
    keeper.will(this, NO_WILL);
    this.#record?.will(NO_WILL, this.nonce);
  }

  #unsubscribe(pattern: string): void {
    this.#older?.delete(pattern);
    this.#replays?.stop(pattern);
    if (this.#context.router.unsubscribe(this, pattern)) this.#record?.unsubscribed(pattern);
  }

  #state(): SessionState {
    const { nonce, token, program, expiryMs, expiresAt, engine } = this;
    const { sleepsUntil } = engine;
    const { maxPacket, window } = engine.otherLimits;
    const { router, keeper, store } = this.#context;
    const will = keeper.stateOfWill(this);
    const parts = [engine.pending, router.subscriptionCount(this), engine.ids.size, will.stands ? 1 : 0];
    return {
      nonce,
      token,
      program,
      expiryMs,
      expiresAt,
      sleepsUntil: sleepsUntil === undefined || store === undefined ? null : store.time(sleepsUntil),
      willDue: will.due,
      stands: this.#numberingStands,
      maxPacket,
      window,
      nextIn: engine.expected,
      withheld: [...engine.withheld],
      nextOut: engine.nextOut,
      // Until all are sent that were asked for, whoever takes this up has to look at all of them.
      mark: this.#replays?.done === false ? 0 : this.#lastValueMark,
      records: parts.reduce((sum, part) => sum + part, 0),
    };
  }
}
