import { type Principal, UNKNOWN } from '../access/principal.js';
import type { Rights } from '../access/rights.js';
import type { Share } from '../fair-turns.js';
import type { Link } from '../links/link.js';
import type { Channel } from '../router/channel.js';
import type { Replay } from '../router/last-value-replay.js';
import type { MessageExtras } from '../router/message.js';
import { type Receiver, Replays } from '../router/replays.js';
import type { DeliveryRefusal, Run, Subscriber } from '../router/subscriber.js';
import type { Epoch, MessageSource, SessionOwner } from '../session/contract.js';
import { Driver, type WayOut } from '../session/driver.js';
import { SessionEngine } from '../session/engine.js';
import type { StoredSession } from '../store/contents.js';
import type { SessionState } from '../store/records.js';
import { BROADCAST_CHANNEL } from '../wire/channels.js';
import { EmitRun } from '../wire/emit-run.js';
import { encodePacket } from '../wire/encode.js';
import type { Emit, Qos, Refuse, Sleep, Subscribe, Unsubscribe, Will } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import { Fullness } from './fullness.js';
import { grantRights } from './grant-rights.js';
import { OutputGate } from './output-gate.js';
import type { Resident } from './resident.js';
import type { Identity, SessionContext } from './session-context.js';
import { lastRecordOf, restoreEngine, SessionRecord } from './session-record.js';
import { Wishes } from './wishes.js';

/** The key of a replay that no pattern has: of what was missed while the peer was away. */
const MISSED = '';

/** What the gateway remembers of one peer: the protocol engine on one side, the router's subscriber on the other. */
export class Session implements Subscriber, SessionOwner<Channel>, Receiver, Resident {
  readonly engine: SessionEngine<Channel>;
  readonly identity: string;
  /** Who it belongs to, and what that may do (§4.8). */
  principal: Principal = UNKNOWN;
  rights: Rights | undefined;
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
  readonly #fullness = new Fullness();
  readonly #wishes: Wishes;
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
    this.#wishes = new Wishes(this, context, this.#record);
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
    session.principal = state.principal ?? UNKNOWN;
    session.rights = context.access.review(session.principal).rights;
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
    session.#wishes.restore(stored);
    session.#restoreSleep(stored);
    return session;
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

  /** No two peers of Slipway's own protocol have the same identity. */
  get owner(): string {
    return this.identity;
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
    if (rebooted) this.#wishes.outdate();
    this.nonce = who.nonce;
    this.token = who.token;
    this.epochs++;
    this.program = who.program;
    this.principal = who.principal;
    grantRights(this, who.rights, router);
    this.expiryMs = expiryMs;
    this.expiresAt = null;
    this.#numberingStands = true;
    this.#driver?.stop();
    this.link = link;
    this.#fullness.returned();
    if (link.kind === 'serial') this.port = link.name;
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
    this.#gate = new OutputGate(store, record, link, () => this.#driver?.wake());
    return this.#gate;
  }

  /** Sends the last values that the peer may have missed, but those that it is about to get as live messages (§4.3). */
  #replay(): void {
    const pending = this.engine.lastPending();
    const wants = (channelName: string, payload: Uint8Array): boolean => {
      const held = pending.get(channelName);
      return held === undefined || Buffer.compare(held, payload) !== 0;
    };
    this.#context.router.replayLastValues(this, this.#lastValueMark, wants, (values) =>
      this.startReplay(MISSED, values),
    );
  }

  /** Sends last values, in place of what is left under the same key. Most are through at once: only the others are remembered. */
  startReplay(key: string, replay: Replay): void {
    const { turns, clock } = this.#context;
    this.#replays ??= new Replays(this, turns, clock);
    this.#replays.start(key, replay);
    if (this.#replays.done) this.#replays = undefined;
  }

  /** What is left under that key is not sent. */
  stopReplay(key: string): void {
    this.#replays?.stop(key);
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
    this.#fullness.left();
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
    if (
      !engine.takesReliable ||
      channel.long ||
      engine.refusal(channel, payloadLength, true) !== 'queue_full'
    )
      return true;
    const { keeper, clock } = this.#context;
    const { sinceMs, first } = this.#fullness.hadNone(clock.now());
    keeper.full(this, payloadLength, sinceMs, first);
    return false;
  }

  deliver(
    channel: Channel,
    payload: Uint8Array,
    qos: Qos,
    retain: boolean,
    extras?: MessageExtras,
  ): DeliveryRefusal | undefined {
    const { engine } = this;
    if (channel.long) return 'name_too_long';
    const expiresAt = extras?.expiresAt;
    let refusal: ReturnType<typeof engine.emitUnreliable | typeof engine.emitReliable>;
    if (qos > 0 && engine.takesReliable) {
      refusal = engine.emitReliable({ type: 'emit', channel, payload, qos, retain, expiresAt });
      if (refusal === undefined) this.#fullness.hadRoom();
    } else {
      refusal = engine.emitUnreliable({ channel, payload, retain, expiresAt }, this.#room());
    }
    this.#driver?.wake();
    // What is not the sender's business is counted already.
    return refusal === 'too_large_for_receiver' ? refusal : undefined;
  }

  unsubscribed(pattern: string): void {
    this.#wishes.ended(pattern);
    // Its peer does not know: with a new numbering it says again what it wants (§4.3).
    this.giveUpNumbering();
  }

  takesRun(channel: Channel, run: Run): boolean {
    return run instanceof EmitRun && this.engine.takesRun(channel, run);
  }

  deliverRun(channel: Channel, run: Run): void {
    if (run instanceof EmitRun && this.engine.emitRun(channel, run, this.#room())) this.#driver?.wake();
    else for (const payload of run) this.deliver(channel, payload, 0, false);
  }

  /** What of QoS 0 may wait to be packed, bytes. */
  #room(): number {
    const unsent = (this.link?.backlog() ?? 0) + (this.#gate?.bytes ?? 0);
    return this.#context.limits.backlog - unsent;
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
    return this.#context.alarms.turnAt;
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

  emitRun(channel: Channel, run: EmitRun): boolean {
    return this.#context.router.emitRun(channel, run, this);
  }

  control(message: Subscribe | Unsubscribe | Will | Sleep): Reason | undefined {
    switch (message.type) {
      case 'subscribe':
        return this.#wishes.subscribe(message);
      case 'unsubscribe':
        return this.#wishes.unsubscribe(message.pattern);
      case 'will':
        return this.#wishes.leaveWill(message);
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

  #state(): SessionState {
    const { nonce, token, program, principal, rights, expiryMs, expiresAt, engine } = this;
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
      ...(rights && { principal }),
    };
  }
}
