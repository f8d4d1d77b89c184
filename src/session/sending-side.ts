import type { Counters } from '../counters.js';
import type { EmitRun } from '../wire/emit-run.js';
import { FIRST_RESEND_MS, MAX_RESENDS } from '../wire/limits.js';
import type { Message } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type { LinkTraits, QueueLimits, Recorder, SessionOwner, SideLimits } from './contract.js';
import { IdTable } from './id-table.js';
import { GatewayKeepAlive, type KeepAlive, PeerKeepAlive } from './keep-alive.js';
import { Outbox } from './outbox.js';
import {
  type Channel,
  isExpired,
  Outgoing,
  type OutgoingControl,
  type OutgoingEmit,
  type Unreliable,
} from './outgoing.js';
import { OutgoingQueue, type OutgoingQueueOwner } from './outgoing-queue.js';
import { ReliableReceiver } from './reliable-receiver.js';
import type { Sleep } from './sleep.js';

/** What a reliable control message counts as in the queue's bytes. */
const CONTROL_BYTES = 16;

/**
 * What this side of a session says: emits, control messages and answers, and the packets in which they leave (PROTOCOL.md §5).
 * The layers of the engine are one object, as there are very many of them.
 */
export abstract class SendingSide<C extends Channel> implements OutgoingQueueOwner<C> {
  protected readonly role: 'gateway' | 'peer';
  protected readonly owner: SessionOwner<C>;
  protected readonly counters: Counters;
  protected readonly recorder: Recorder<C> | undefined;

  readonly #queueLimits: QueueLimits;
  /** What is reliable and on its way to the other side; only from the first message on: most boards are sent none for long. */
  protected queue: OutgoingQueue<C> | undefined;
  /** While there is no queue: the number of its first message. */
  protected firstOut = 0;
  protected readonly receiver = new ReliableReceiver();
  protected readonly idTable: IdTable<C>;
  protected readonly outbox: Outbox<C>;
  protected readonly keepAlive: KeepAlive;
  /** There while the other side, a peer, sleeps. */
  protected sleeping: Sleep<C> | undefined;

  protected link: LinkTraits | undefined;
  protected own: SideLimits | undefined;
  /** The window of the other side, as it said last. */
  protected window: number | undefined;

  constructor(
    role: 'gateway' | 'peer',
    owner: SessionOwner<C>,
    counters: Counters,
    queueLimits: QueueLimits,
    recorder?: Recorder<C>,
  ) {
    this.role = role;
    this.owner = owner;
    this.counters = counters;
    this.recorder = recorder;
    this.#queueLimits = queueLimits;
    this.idTable = new IdTable<C>(owner, recorder);
    this.keepAlive = role === 'peer' ? new PeerKeepAlive() : new GatewayKeepAlive();
    this.outbox = new Outbox<C>(role, this.receiver, this.idTable, counters);
  }

  /** Why an emit cannot be queued now, if so; one of QoS 0 may still be dropped for a full backlog. */
  refusal(
    channel: C,
    payloadBytes: number,
    reliable: boolean,
  ): 'queue_full' | 'too_large_for_receiver' | undefined {
    const size = this.outbox.emitSize(channel, payloadBytes, reliable);
    if (this.#isTooLarge(size)) return 'too_large_for_receiver';
    if (!reliable) return undefined;
    return this.openQueue().isFull(size) ? 'queue_full' : undefined;
  }

  /** Nothing is, for a side that never said how much it takes. */
  #isTooLarge(size: number): boolean {
    return this.window !== undefined && size > this.outbox.maxPacket;
  }

  /** Whether the other side takes reliable messages at all (its window is not 0). */
  get takesReliable(): boolean {
    return this.window !== 0;
  }

  /** Queues an emit of QoS 1 or 2. Ask `refusal` first; what is too large is not queued. `settle` is called once. */
  emitReliable(
    emit: OutgoingEmit<C>,
    settle?: (refusal: Reason | undefined) => void,
  ): 'too_large_for_receiver' | undefined {
    const size = this.outbox.emitSize(emit.channel, emit.payload.length, true);
    if (this.#isTooLarge(size)) return 'too_large_for_receiver';
    this.#declare(emit.channel);
    this.enqueue(new Outgoing<C>(emit, size, this.owner.now(), settle));
    return undefined;
  }

  /**
   * Queues an emit as one of QoS 0, which `backlogLimit` bytes may precede. Its payload is copied. Returns why not, if it was
   * dropped (and counted).
   */
  emitUnreliable(
    emit: Unreliable<C>,
    backlogLimit: number,
  ): 'link_lost' | 'backlog_full' | 'too_large_for_receiver' | undefined {
    if (this.sleeping) return this.keep(emit, backlogLimit);
    if (this.role === 'peer') this.keepAlive.wake();
    const refusal = this.link ? this.outbox.push(emit, backlogLimit) : 'link_lost';
    if (refusal) this.drop(refusal);
    else this.#declare(emit.channel);
    return refusal;
  }

  /** Whether all of a run can go to the other side, as far as the size of its messages goes. It need not know: then false. */
  takesRun(channel: C, run: EmitRun): boolean {
    return this.outbox.takesRun(channel, run);
  }

  /**
   * As `emitUnreliable` for each message of a run that it takes. Returns false, and has done nothing, if anything else is to be done with one
   * of them than to send it on.
   */
  emitRun(channel: C, run: EmitRun, backlogLimit: number): boolean {
    if (this.sleeping || !this.link || this.role === 'peer') return false;
    return this.outbox.pushRun(channel, run, backlogLimit);
  }

  /** Queues a reliable control message. */
  control(content: OutgoingControl<C>, settle?: (refusal: Reason | undefined) => void): void {
    this.enqueue(new Outgoing<C>(content, CONTROL_BYTES, this.owner.now(), settle));
  }

  /** Sends `reply` with the next packet. */
  reply(message: Message): void {
    if (!this.outbox.reply(message)) this.drop('replies_full');
  }

  /** Asks the other side to say something: it is heard from, or not. */
  probe(): void {
    this.outbox.ask();
  }

  /** Asks the gateway what time it is; the owner is told by `timed`. */
  askTime(token: number): void {
    this.keepAlive.wake();
    this.reply({ type: 'time', token });
  }

  /** Sends an ACK with the next packet, now. */
  acknowledgeNow(now: number): void {
    this.receiver.acknowledgeNow(now);
  }

  // ------------------------------------------------------------------------ to a side that sleeps (§4.7)

  /** The other side does not wake on this link any more: what was kept for that is dropped and counted. */
  giveUpSleep(): void {
    this.drop('link_lost', this.sleeping?.size ?? 0);
    this.sleeping = undefined;
  }

  protected keep({ payload, ...rest }: Unreliable<C>, limit: number): 'backlog_full' | undefined {
    const kept: Unreliable<C> = { ...rest, payload: new Uint8Array(payload) };
    const size = this.outbox.emitSize(rest.channel, payload.length, false);
    const outcome = (this.sleeping as Sleep<C>).keep(kept, size, limit);
    if (outcome.superseded) this.counters.add('session.superseded');
    if (outcome.kept) return undefined;
    this.drop('backlog_full');
    return 'backlog_full';
  }

  protected releaseKept(): void {
    for (const emit of this.sleeping ?? []) this.pushKept(emit);
    this.sleeping = undefined;
  }

  /** What was kept for the other side goes to it now, however much that is. */
  protected pushKept(emit: Unreliable<C>): void {
    const expired = isExpired(emit, this.owner.now());
    const refusal = expired ? 'expired' : this.outbox.push(emit, Number.POSITIVE_INFINITY);
    if (refusal) this.drop(refusal);
  }

  /** Whether the other side sleeps, and knows that this side knows: until then it listens. */
  protected get hushed(): boolean {
    const { acknowledged, expected } = this.receiver;
    return this.sleeping !== undefined && acknowledged === expected;
  }

  // ------------------------------------------------------------------------------------------------ queues

  protected enqueue(item: Outgoing<C>): void {
    if (this.role === 'peer') this.keepAlive.wake();
    this.openQueue().accept(item);
  }

  protected openQueue(): OutgoingQueue<C> {
    if (this.queue) return this.queue;
    const queue = new OutgoingQueue<C>(this.#queueLimits, this.recorder, this);
    queue.takeUp(this.firstOut, []);
    if (this.link) queue.resume(this.sendWindow, this.link, this.owner.now());
    this.queue = queue;
    return queue;
  }

  /** How many messages may go unacknowledged. */
  protected get sendWindow(): number {
    return Math.min(this.window ?? 0, this.own?.inFlight ?? 0);
  }

  /** How long to wait for an answer, ms. */
  get #timeout(): number {
    return this.queue?.roundTrip.timeout() ?? FIRST_RESEND_MS;
  }

  /** What the queue does not know to do when a message is answered, or never will be. */
  settled(content: Outgoing<C>['content'], refusal: Reason | undefined): void {
    if (content.type === 'reject') {
      this.receiver.release(content.of, this.keepAlive.heardAt);
      this.recorder?.received();
    } else if (content.type === 'declare' && refusal === undefined) {
      this.idTable.usable(content.id, content.channel);
    }
  }

  /** Gives the channel an id of this side's if the other side allows any more. */
  #declare(channel: C): void {
    const id = this.takesReliable ? this.idTable.assign(channel) : undefined;
    if (id !== undefined) this.control({ type: 'declare', id, channel });
  }

  protected drop(reason: string, amount = 1): void {
    if (amount > 0) this.counters.add(`session.drop.${reason}`, amount);
  }

  // -------------------------------------------------------------------------------------------------- packets

  /** The next packet to send at `now`, if any. Call it until it returns nothing. */
  poll(now: number): Uint8Array | undefined {
    this.#tick(now);
    if (!this.link) return undefined;
    const packet = this.outbox.next(now, this.queue, this.keepAlive.heardAt, this.hushed);
    if (packet) this.keepAlive.sent(now);
    return packet;
  }

  /** When to call `poll` again even if nothing else happens; undefined for never. */
  wakeAt(): number | undefined {
    if (!this.link) return undefined;
    const deadlines = this.outbox.delayed
      ? [this.outbox.deadline(this.#timeout)]
      : [this.hushed ? undefined : this.queue?.deadline(), this.receiver.ackDueAt];
    let at = this.keepAlive.deadline();
    for (const deadline of deadlines) if (deadline !== undefined && deadline < at) at = deadline;
    return at === Number.POSITIVE_INFINITY ? undefined : at;
  }

  #tick(now: number): void {
    if (!this.link) return;
    const alive = this.keepAlive.check(now);
    if (alive === 'gone') {
      this.giveUpSleep();
      return this.owner.failed('timeout');
    }
    if (alive === 'ask') this.outbox.ask();
    // What waits for the peer's buffer has not been sent, whatever the clock says.
    if (this.queue && !this.outbox.delayed && !this.hushed) {
      if (this.queue.tick(now)) this.counters.add('session.timeouts');
      const { oldest } = this.queue;
      if (oldest?.lost && this.#isHopeless(oldest)) return this.owner.failed('malformed');
    }
    this.outbox.expire(now, this.#timeout);
  }

  /** Whether a message that has a number will not get through under it (§5.4), or over this link. */
  #isHopeless(item: Outgoing<C>): boolean {
    if (item.ignored >= MAX_RESENDS && this.keepAlive.heardAt > item.sentAt) return true;
    return this.outbox.sizeOf(item) > this.outbox.maxPacket;
  }
}
