import type { Counters } from '../counters.js';
import { emitSize, messageSize } from '../wire/encode.js';
import { headOf } from '../wire/head.js';
import { FIRST_RESEND_MS, MAX_RESENDS } from '../wire/limits.js';
import { type Emit, isNumbered, type Message, type Reliable } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type {
  EngineState,
  Epoch,
  IdEntry,
  LinkHealth,
  LinkTraits,
  MessageSource,
  QueueLimits,
  Recorder,
  SessionOwner,
  SideLimits,
} from './contract.js';
import { IdTable } from './id-table.js';
import { GatewayKeepAlive, type KeepAlive, PeerKeepAlive } from './keep-alive.js';
import { Outbox } from './outbox.js';
import {
  type Channel,
  Outgoing,
  type OutgoingControl,
  type OutgoingEmit,
  type Unreliable,
} from './outgoing.js';
import { OutgoingQueue, type OutgoingQueueOwner } from './outgoing-queue.js';
import { refuse, refuseEmit, refuseNumbered } from './refusals.js';
import { ReliableReceiver } from './reliable-receiver.js';
import { Sleep } from './sleep.js';

export type { Epoch, LinkHealth, LinkTraits, QueueLimits, SessionOwner, SideLimits } from './contract.js';

/** What precedes every message of a peer that is not confirmed yet: BEGIN with its length. */
const BEGIN_PREFIX_BYTES = 6;
/** What a reliable control message counts as in the queue's bytes. */
const CONTROL_BYTES = 16;

/**
 * One session's protocol, without I/O, clock or timer (§4.5, §5, §6.3, §7): packets and messages go in, with the time;
 * `poll` gives the packets that are to be sent and `wakeAt` says when to call it again. The handshake around it is the
 * peer's (peer-session.ts) or the gateway's own business.
 */
export class SessionEngine<C extends Channel> implements OutgoingQueueOwner<C> {
  readonly #role: 'gateway' | 'peer';
  readonly #owner: SessionOwner<C>;
  readonly #counters: Counters;
  readonly #recorder: Recorder<C> | undefined;

  readonly #queueLimits: QueueLimits;
  /** What is reliable and on its way to the other side; only from the first message on: most boards are sent none for long. */
  #queue: OutgoingQueue<C> | undefined;
  /** While there is no queue: the number of its first message. */
  #firstOut = 0;
  readonly #receiver = new ReliableReceiver();
  readonly #ids: IdTable<C>;
  readonly #outbox: Outbox<C>;
  readonly #keepAlive: KeepAlive;
  /** There while the other side, a peer, sleeps. */
  #sleep: Sleep<C> | undefined;

  #link: LinkTraits | undefined;
  #own: SideLimits | undefined;
  /** The window of the other side, as it said last. */
  #window: number | undefined;

  constructor(
    role: 'gateway' | 'peer',
    owner: SessionOwner<C>,
    counters: Counters,
    queueLimits: QueueLimits,
    recorder?: Recorder<C>,
  ) {
    this.#role = role;
    this.#owner = owner;
    this.#counters = counters;
    this.#recorder = recorder;
    this.#queueLimits = queueLimits;
    this.#ids = new IdTable<C>(owner, recorder);
    this.#keepAlive = role === 'peer' ? new PeerKeepAlive() : new GatewayKeepAlive();
    this.#outbox = new Outbox<C>(role, this.#receiver, this.#ids, counters);
  }

  // ------------------------------------------------------------------------------------------------ the epoch

  /**
   * Begins an epoch, or goes on with one, over a link. Under a new numbering `fresh` runs before what is unacknowledged
   * is queued anew; subscriptions are its business, and their `settle` is not called.
   */
  begin(link: LinkTraits, epoch: Epoch, now: number, fresh?: () => void): void {
    this.#attach(link, epoch, now);
    if (epoch.received !== undefined) this.#queue?.finish(this.#queue.settleBefore(epoch.received));
    if (!epoch.continues) this.#renumber(epoch, fresh);
    this.#queue?.resume(this.#sendWindow, link, now);
    this.#receiver.resume(epoch.own.window, epoch.other.inFlight);
    this.#releaseKept();
  }

  #renumber(epoch: Epoch, fresh?: () => void): void {
    const again = this.#queue?.renumber(epoch.nextOut, epoch.taken) ?? [];
    this.#firstOut = epoch.nextOut;
    this.#receiver.restart(epoch.nextIn);
    this.#recorder?.received();
    this.#ids.clear();
    for (const item of again) if (item.content.type === 'unsubscribe') this.#enqueue(item);
    fresh?.();
    for (const item of again) if (item.content.type !== 'unsubscribe') this.#requeue(item);
  }

  #requeue(item: Outgoing<C>): void {
    const { content } = item;
    if (content.type !== 'emit' || this.takesReliable) return this.#enqueue(item);
    // The board was given a firmware that takes nothing reliable: it gets what was held for it as it can (§3.2).
    this.#pushKept(content);
    item.settle?.(undefined);
    this.#recorder?.settled(item);
  }

  /** Takes up what a recorder kept of a session, which has no link yet. */
  restore({ otherLimits, nextIn, withheld, nextOut, outgoing, ids }: EngineState<C>): void {
    this.#window = otherLimits.window;
    this.#outbox.maxPacket = otherLimits.maxPacket;
    this.#receiver.restore(nextIn, withheld);
    this.#firstOut = nextOut;
    if (outgoing.length > 0) this.#sending().takeUp(nextOut, outgoing);
    this.#ids.restore(ids);
  }

  #attach(link: LinkTraits, epoch: Epoch, now: number): void {
    this.#link = link;
    this.#own = epoch.own;
    this.#window = epoch.other.window;
    this.#ids.ownLimit = this.#idsToDeclare(link, epoch);
    // What waited may be in ids of the numbering before, or too large for the link.
    this.#drop('link_lost', this.#outbox.close());
    this.#outbox.open(link, epoch.other, epoch.beginToken);
    this.#keepAlive.restart(epoch.keepAlive * 1000, now);
  }

  /** How many messages may go unacknowledged. */
  get #sendWindow(): number {
    return Math.min(this.#window ?? 0, this.#own?.inFlight ?? 0);
  }

  #idsToDeclare(link: LinkTraits, { own, other }: Epoch): number {
    // A peer that allows any number must not make the gateway hold every channel there is.
    if (this.#role === 'gateway') return Math.min(other.ids, own.ids);
    // On UDP a peer's ids must mean the same at every boot (§6.3), which these, given in order of use, do not.
    return link.ordered ? other.ids : 0;
  }

  /** The link is gone. What is reliable stays, and what is kept for a sleeper; the rest is dropped and counted. */
  detach(): void {
    this.#link = undefined;
    this.#drop('link_lost', this.#outbox.close());
    if (this.#queue?.pending !== 0) return;
    this.#firstOut = this.#queue.nextSeq;
    this.#queue = undefined;
  }

  /** Ends the session: every message still waiting is settled with `reason`. What was recorded is the owner's to remove. */
  end(reason: Reason): void {
    this.detach();
    this.giveUpSleep();
    this.#ids.clear();
    this.#queue?.end(reason);
  }

  /** Drops emits that have waited, without a number, since before `time`. Returns how many. */
  dropWaitingSince(time: number): number {
    return this.#queue?.dropWaitingSince(time) ?? 0;
  }

  /** The largest packet (bytes) and the window of the other side, as it said last. */
  get otherLimits(): EngineState<C>['otherLimits'] {
    return { maxPacket: this.#outbox.maxPacket, window: this.#window ?? 0 };
  }

  /** The sequence number expected next, all before it acknowledged. */
  get nextIn(): number {
    return this.#receiver.acknowledged;
  }

  /** What was taken of the messages behind `nextIn`, which a refusal keeps from being acknowledged; as an ACK's bitmap. */
  get takenBehind(): Uint8Array {
    return this.#receiver.takenBehind;
  }

  get nextOut(): number {
    return this.#queue?.nextSeq ?? this.#firstOut;
  }

  /** What is not known to have been delivered, in order. */
  get outgoing(): Iterable<Outgoing<C>> {
    return this.#queue ?? [];
  }

  get ids(): Iterable<IdEntry<C>> & { readonly size: number } {
    return this.#ids;
  }

  /** The number expected next, whether or not what came before may be acknowledged yet. */
  get expected(): number {
    return this.#receiver.expected;
  }

  /** Numbers whose refusal is not acknowledged yet. */
  get withheld(): readonly number[] {
    return this.#receiver.withheld;
  }

  /** Reliable messages accepted and not yet acknowledged. */
  get pending(): number {
    return this.#queue?.pending ?? 0;
  }

  /** How the link that stands does, for whoever watches it. */
  get health(): LinkHealth {
    return {
      roundTripMs: this.#queue?.roundTrip.smoothed ?? this.#outbox.pingRoundTrip,
      sent: this.#queue?.sendings.all ?? 0,
      resent: this.#queue?.sendings.repeated ?? 0,
      pending: this.pending,
    };
  }

  /** Bytes that wait: of reliable messages until they are acknowledged, of others until they leave. */
  get pendingBytes(): { reliable: number; unreliable: number } {
    return { reliable: this.#queue?.bytes ?? 0, unreliable: this.#outbox.backlogBytes };
  }

  /** The last message that still waits on each channel, in flight or not. The payloads may be kept. */
  lastPending(): Map<string, Uint8Array> {
    const last = new Map<string, Uint8Array>();
    for (const { content } of this.outgoing) {
      if (content.type === 'emit') last.set(content.channel.name, content.payload);
    }
    for (const { channel, payload } of this.#unreliable()) last.set(channel.name, new Uint8Array(payload));
    return last;
  }

  /** What of QoS 0 waits to be packed. The payloads are views. */
  #unreliable(): Unreliable<C>[] {
    const emits: Unreliable<C>[] = [];
    for (const message of this.#outbox.backlogged()) {
      const target = this.#targetOf(message);
      const channel = typeof target === 'string' ? this.#owner.hold(target) : target;
      if (channel === undefined || typeof channel === 'string') continue; // It was known when the message came.
      if (typeof target === 'string') this.#owner.release(channel);
      emits.push({ channel, payload: message.payload, retain: message.retain });
    }
    return emits;
  }

  /** When something was last heard, on the caller's clock in ms. */
  get heardAt(): number {
    return this.#keepAlive.heardAt;
  }

  /** The greatest packet that the other side takes over this link, bytes; undefined while there is no link. */
  get maxPacket(): number | undefined {
    return this.#link && this.#outbox.maxPacket;
  }

  // -------------------------------------------------------------------------------------------------- sending

  /** Why an emit cannot be queued now, if so; one of QoS 0 may still be dropped for a full backlog. */
  refusal(
    channel: C,
    payloadBytes: number,
    reliable: boolean,
  ): 'queue_full' | 'too_large_for_receiver' | undefined {
    const size = this.#emitSize(channel, payloadBytes, reliable);
    if (this.#window !== undefined && size > this.#outbox.maxPacket) return 'too_large_for_receiver';
    if (!reliable) return undefined;
    return this.#sending().isFull(size) ? 'queue_full' : undefined;
  }

  /** Whether the other side takes reliable messages at all (its window is not 0). */
  get takesReliable(): boolean {
    return this.#window !== 0;
  }

  /** Queues an emit of QoS 1 or 2. Ask `refusal` first. `settle` is called once. */
  emitReliable(emit: OutgoingEmit<C>, settle?: (refusal: Reason | undefined) => void): void {
    this.#declare(emit.channel);
    const size = this.#emitSize(emit.channel, emit.payload.length, true);
    this.#enqueue(new Outgoing<C>(emit, size, this.#owner.now(), settle));
  }

  /**
   * Queues an emit as one of QoS 0, which `backlogLimit` bytes may precede. Its payload is copied. Returns why not, if it was
   * dropped (and counted).
   */
  emitUnreliable(
    emit: Unreliable<C>,
    backlogLimit: number,
  ): 'link_lost' | 'backlog_full' | 'too_large_for_receiver' | undefined {
    if (this.#sleep) return this.#keep(emit, backlogLimit);
    if (this.#role === 'peer') this.#keepAlive.wake();
    const refusal = this.#link ? this.#outbox.push(emit, backlogLimit) : 'link_lost';
    if (refusal) this.#drop(refusal);
    else this.#declare(emit.channel);
    return refusal;
  }

  /** Queues a reliable control message. */
  control(content: OutgoingControl<C>, settle?: (refusal: Reason | undefined) => void): void {
    this.#enqueue(new Outgoing<C>(content, CONTROL_BYTES, this.#owner.now(), settle));
  }

  /** Sends `reply` with the next packet. */
  reply(message: Message): void {
    if (!this.#outbox.reply(message)) this.#drop('replies_full');
  }

  /** Asks the other side to say something: it is heard from, or not. */
  probe(): void {
    this.#outbox.ask();
  }

  /** Asks the gateway what time it is; the owner is told by `timed`. */
  askTime(token: number): void {
    this.#keepAlive.wake();
    this.reply({ type: 'time', token });
  }

  /** Sends an ACK with the next packet, now. */
  acknowledgeNow(now: number): void {
    this.#receiver.acknowledgeNow(now);
  }

  // ------------------------------------------------------------------------------------------------ sleep (§4.7)

  /** Whether the other side, a peer, sleeps. Nothing is sent to it meanwhile but answers and acknowledgements. */
  get asleep(): boolean {
    return this.#sleep !== undefined;
  }

  /** Until when the other side sleeps, if it does, on the caller's clock in ms. */
  get sleepsUntil(): number | undefined {
    return this.#sleep?.until;
  }

  /** When the other side, if it sleeps, is to be let go of unless it says something, on the caller's clock in ms. */
  get awaitedUntil(): number {
    return this.#keepAlive.deadline();
  }

  /** The other side, a peer, sleeps for `ms` from `now` on. */
  sleep(ms: number, now: number): void {
    if (!this.#sleep) {
      this.#sleep = new Sleep<C>();
      for (const emit of this.#unreliable()) this.#keep(emit, Number.POSITIVE_INFINITY);
      this.#outbox.clearBacklog();
    }
    this.#sleep.begin(now + ms, now);
    this.#keepAlive.sleep(now + ms);
    // It waits for this before it turns its receiver off.
    this.#receiver.acknowledgeNow(now);
  }

  /** The other side says that it is awake; it is, when all of its packet is read. */
  rouse(): void {
    if (this.#sleep) this.#sleep.roused = true;
  }

  /** The other side does not wake on this link any more: what was kept for that is dropped and counted. */
  giveUpSleep(): void {
    this.#drop('link_lost', this.#sleep?.size ?? 0);
    this.#sleep = undefined;
  }

  /** Announces that this side, a peer, will be silent for so many seconds; 0 that it is awake. */
  announceSleep(seconds: number, settle: (refusal: Reason | undefined) => void): void {
    this.control({ type: 'sleep', seconds }, (refusal) => {
      if (refusal === undefined && seconds > 0)
        this.#keepAlive.sleep(this.#keepAlive.heardAt + seconds * 1000);
      settle(refusal);
    });
  }

  #keep({ channel, payload, retain }: Unreliable<C>, limit: number): 'backlog_full' | undefined {
    const kept: Unreliable<C> = { channel, payload: new Uint8Array(payload), retain };
    const size = this.#emitSize(channel, payload.length, false);
    const outcome = (this.#sleep as Sleep<C>).keep(kept, size, limit);
    if (outcome.superseded) this.#counters.add('session.superseded');
    if (outcome.kept) return undefined;
    this.#drop('backlog_full');
    return 'backlog_full';
  }

  #wake(now: number): void {
    this.#releaseKept();
    this.#keepAlive.wake();
    this.#queue?.repeat(now);
    this.#owner.woke();
  }

  #releaseKept(): void {
    for (const emit of this.#sleep ?? []) this.#pushKept(emit);
    this.#sleep = undefined;
  }

  /** What was kept for the other side goes to it now, however much that is. */
  #pushKept(emit: Unreliable<C>): void {
    const refusal = this.#outbox.push(emit, Number.POSITIVE_INFINITY);
    if (refusal) this.#drop(refusal);
  }

  /** Whether the other side sleeps, and knows that this side knows: until then it listens. */
  get #hushed(): boolean {
    const { acknowledged, expected } = this.#receiver;
    return this.#sleep !== undefined && acknowledged === expected;
  }

  // ------------------------------------------------------------------------------------------------ queues

  #enqueue(item: Outgoing<C>): void {
    if (this.#role === 'peer') this.#keepAlive.wake();
    this.#sending().accept(item);
  }

  #sending(): OutgoingQueue<C> {
    if (this.#queue) return this.#queue;
    const queue = new OutgoingQueue<C>(this.#queueLimits, this.#recorder, this);
    queue.takeUp(this.#firstOut, []);
    if (this.#link) queue.resume(this.#sendWindow, this.#link, this.#owner.now());
    this.#queue = queue;
    return queue;
  }

  /** How long to wait for an answer, ms. */
  get #timeout(): number {
    return this.#queue?.roundTrip.timeout() ?? FIRST_RESEND_MS;
  }

  /** What the queue does not know to do when a message is answered, or never will be. */
  settled(content: Outgoing<C>['content'], refusal: Reason | undefined): void {
    if (content.type === 'reject') {
      this.#receiver.release(content.of, this.#keepAlive.heardAt);
      this.#recorder?.received();
    } else if (content.type === 'declare' && refusal === undefined) {
      this.#ids.usable(content.id, content.channel);
    }
  }

  /** Gives the channel an id of this side's if the other side allows any more. */
  #declare(channel: C): void {
    const id = this.takesReliable ? this.#ids.assign(channel) : undefined;
    if (id !== undefined) this.control({ type: 'declare', id, channel });
  }

  #drop(reason: string, amount = 1): void {
    if (amount > 0) this.#counters.add(`session.drop.${reason}`, amount);
  }

  #emitSize(channel: C, payloadBytes: number, reliable: boolean): number {
    const address = this.#outbox.address(channel, reliable);
    return emitSize(reliable ? 1 : 0, address ? undefined : channel.name, address?.id, payloadBytes);
  }

  // ------------------------------------------------------------------------------------------------ receiving

  /**
   * Acts on the messages of one packet, handshake messages excepted, until there are no more or `share` is over. Their bytes may be
   * reused afterwards.
   */
  receive(packet: MessageSource, now: number, share?: { over(work?: number): boolean }): void {
    this.#keepAlive.heard(now);
    while (!packet.done && this.#link) {
      const message = packet.next();
      this.#receiveOne(message, now);
      if (share?.over(message.type === 'emit' ? 1 : undefined)) break;
    }
    if (this.#link && this.#sleep?.roused) this.#wake(now);
  }

  #receiveOne(message: Message, now: number): void {
    if (this.#sleep && !isNumbered(message)) this.#sleep.heard(message, this.#link?.ordered === true, now);
    switch (message.type) {
      case 'emit':
        if (message.qos > 0) this.#receiveReliable(message, now);
        else this.#refuseUnreliable(message, this.#takeEmit(message));
        return;
      case 'declare':
      case 'subscribe':
      case 'unsubscribe':
      case 'reject':
      case 'will':
      case 'sleep':
        return this.#receiveReliable(message, now);
      case 'ack':
        return this.#receiveAck(message.next, message.bitmap, now);
      case 'ping':
        return this.reply({ type: 'pong', token: message.token });
      case 'pong':
        return this.#receivePong(message.token, now);
      case 'time':
        if (message.time !== undefined) this.#owner.timed?.(message.token, message.time);
        else this.reply({ type: 'time', token: message.token, time: this.#owner.wallTime() });
        return;
      case 'refuse':
        return this.#owner.refused(message);
      case 'bye':
        this.giveUpSleep();
        return this.#owner.bye(message.reason);
      case 'extended':
        this.#counters.add('session.refused.unsupported');
        return this.reply(refuse('unsupported', headOf(message)));
      case 'hello':
      case 'welcome':
      case 'begin':
        // The handshake's own; by now they say nothing new.
        return;
    }
  }

  #receivePong(token: number, now: number): void {
    const tookMs = this.#outbox.answered(token, now);
    if (tookMs !== undefined) this.#sending().roundTrip.atMost(tookMs);
  }

  #receiveAck(next: number, bitmap: Uint8Array, now: number): void {
    const acknowledged = this.#sending().acknowledge(next, bitmap, now);
    if (!acknowledged) return this.#drop('stale_ack');
    if (this.#outbox.beginToken !== undefined && this.#owner.confirmed?.() === true)
      this.#outbox.beginToken = undefined;
    for (const item of acknowledged.arrived) this.#outbox.read(item);
    if (bitmap.length > 0 && bitmap.every((byte) => byte === 0)) this.#outbox.discarded();
    this.#queue?.finish(acknowledged.settled);
  }

  #receiveReliable(message: Reliable, now: number): void {
    const numbered = message as Reliable & { seq: number };
    switch (this.#receiver.receive(numbered, now)) {
      case 'deliver':
        this.#takeInTurn(numbered, now);
        for (let held = this.#receiver.nextHeld(); held; held = this.#receiver.nextHeld())
          this.#takeInTurn(held, now);
        return this.#recorder?.received();
      case 'duplicate':
        return this.#counters.add('session.duplicates');
      case 'beyond':
        return this.#drop('beyond_window');
      case 'held':
        return;
    }
  }

  #takeInTurn(message: Reliable & { seq: number }, now: number): void {
    this.#sleep?.heard(message, this.#link?.ordered === true, now);
    const refusal = this.#takeReliable(message);
    if (!refusal) return;
    this.#counters.add(`session.refused.${refusal}`);
    if (!this.takesReliable) {
      // It cannot take a REJECT: tell it once, and go on (§7).
      this.reply(refuseNumbered(refusal, headOf(message), message.seq));
      this.#receiver.acknowledgeNow(now);
      return;
    }
    this.#receiver.withhold(message.seq);
    this.control({ type: 'reject', of: message.seq, reason: refusal });
  }

  #takeReliable(message: Reliable): Reason | undefined {
    switch (message.type) {
      case 'emit':
        return this.#takeEmit(message);
      case 'declare':
        return this.#takeDeclaration(message.id, message.name);
      case 'subscribe': {
        const refusal = message.id > 0 ? this.#takeDeclaration(message.id, message.pattern) : undefined;
        return refusal ?? this.#owner.control(message);
      }
      case 'unsubscribe':
      case 'will':
      case 'sleep':
        return this.#owner.control(message);
      case 'reject': {
        const item = this.#queue?.refused(message.of);
        if (!item) return undefined;
        this.#counters.add(`session.peer_refused.${message.reason}`);
        this.#queue?.settle(item, message.reason);
        return undefined;
      }
    }
  }

  #takeDeclaration(id: number, name: string): Reason | undefined {
    if (id > (this.#own?.ids ?? 0)) return 'limit_reached';
    return this.#ids.declare(id, name);
  }

  #takeEmit(message: Emit): Reason | undefined {
    const target = this.#targetOf(message);
    return target === undefined ? 'no_such_id' : this.#owner.emit(target, message);
  }

  #targetOf({ name, id, gatewayId }: Emit): C | string | undefined {
    return name ?? this.#ids.lookup(id as number, (gatewayId === true) === (this.#role === 'gateway'));
  }

  #refuseUnreliable(message: Emit, refusal: Reason | undefined): void {
    if (!refusal) return;
    this.#counters.add(`session.refused.${refusal}`);
    const refusing = refuseEmit(refusal, message);
    // The name may be longer than the peer can take; then nothing is said of it (§7).
    const fits = messageSize(refusing) <= this.#outbox.maxPacket - BEGIN_PREFIX_BYTES;
    this.reply(fits ? refusing : refuse(refusal, refusing.head));
  }

  // -------------------------------------------------------------------------------------------------- packets

  /** The next packet to send at `now`, if any. Call it until it returns nothing. */
  poll(now: number): Uint8Array | undefined {
    this.#tick(now);
    if (!this.#link) return undefined;
    const packet = this.#outbox.next(now, this.#queue, this.#keepAlive.heardAt, this.#hushed);
    if (packet) this.#keepAlive.sent(now);
    return packet;
  }

  /** When to call `poll` again even if nothing else happens; undefined for never. */
  wakeAt(): number | undefined {
    if (!this.#link) return undefined;
    const deadlines = this.#outbox.delayed
      ? [this.#outbox.deadline(this.#timeout)]
      : [this.#hushed ? undefined : this.#queue?.deadline(), this.#receiver.ackDueAt];
    let at = this.#keepAlive.deadline();
    for (const deadline of deadlines) if (deadline !== undefined && deadline < at) at = deadline;
    return at === Number.POSITIVE_INFINITY ? undefined : at;
  }

  #tick(now: number): void {
    if (!this.#link) return;
    const alive = this.#keepAlive.check(now);
    if (alive === 'gone') {
      this.giveUpSleep();
      return this.#owner.failed('timeout');
    }
    if (alive === 'ask') this.#outbox.ask();
    // What waits for the peer's buffer has not been sent, whatever the clock says.
    if (this.#queue && !this.#outbox.delayed && !this.#hushed) {
      if (this.#queue.tick(now)) this.#counters.add('session.timeouts');
      const { oldest } = this.#queue;
      if (oldest?.lost && this.#isHopeless(oldest)) return this.#owner.failed('malformed');
    }
    this.#outbox.expire(now, this.#timeout);
  }

  /** Whether a message that has a number will not get through under it (§5.4), or over this link. */
  #isHopeless(item: Outgoing<C>): boolean {
    if (item.ignored >= MAX_RESENDS && this.#keepAlive.heardAt > item.sentAt) return true;
    return this.#outbox.sizeOf(item) > this.#outbox.maxPacket;
  }
}
