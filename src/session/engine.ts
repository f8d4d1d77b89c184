import type { Counters } from '../counters.js';
import { encodePacket, messageSize, PacketBuilder } from '../wire/encode.js';
import { headOf } from '../wire/head.js';
import {
  KEEP_ALIVE_GRACE,
  MAX_RESENDS,
  MAX_SERIAL_FIRST_LENGTH,
  MAX_UNANSWERED_PINGS,
  PING_INTERVAL_MS,
} from '../wire/limits.js';
import type {
  Emit,
  Message,
  Refuse,
  Reliable,
  Sleep,
  Subscribe,
  Unsubscribe,
  Will,
} from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import { varintSize, writeVarint } from '../wire/varint.js';
import { IdTable } from './id-table.js';
import { type Channel, Outgoing, type OutgoingControl, type OutgoingEmit } from './outgoing.js';
import { Pacer } from './pacer.js';
import { Queue } from './queue.js';
import { ReliableReceiver } from './reliable-receiver.js';
import { type LinkOrder, ReliableSender, type Transmission } from './reliable-sender.js';
import { RoundTrip } from './round-trip.js';

/** Answers to unreliable messages wait here; a peer that asks for more than this between two turns gets no more. */
const MAX_REPLIES = 64;
/** Several messages share a packet up to this size; a single one may be larger. */
const PACKING_BYTES = 16_384;
/** What precedes every message of a peer that is not confirmed yet: BEGIN with its length. */
const BEGIN_PREFIX_BYTES = 6;

/** What the engine needs to know of its link. */
export interface LinkTraits extends LinkOrder {
  readonly maxPacket: number;
  /** Bytes on the wire of `packet`. */
  wireSize(packet: Uint8Array): number;
}

/** What a side announced in its HELLO or WELCOME. Sizes in bytes, `keepAlive` in seconds, 0 for none. */
export interface SideLimits {
  readonly maxPacket: number;
  readonly window: number;
  readonly inFlight: number;
  readonly buffer: number;
  readonly ids: number;
}

/** How an epoch begins (§4.3). */
export interface Epoch {
  readonly continues: boolean;
  readonly nextIn: number;
  readonly nextOut: number;
  /** What the other side had received under the old numbering, when it says so. */
  readonly received: number | undefined;
  readonly keepAlive: number;
  /** The limits of this side and of the other. */
  readonly own: SideLimits;
  readonly other: SideLimits;
  /** Peer only: the token that each packet repeats until the gateway confirms the epoch. */
  readonly beginToken?: number;
}

/** Who acts on what arrives. A returned reason refuses the message (§7). */
export interface SessionOwner<C extends Channel> {
  /** The channel of that name, kept until it is released as often as it was held; or why there can be none. */
  hold(name: string): C | Reason;
  release(channel: C): void;
  /** `target` is a name where the message carried one. `payload` is the owner's to keep. */
  emit(target: C | string, payload: Uint8Array, message: Emit): Reason | undefined;
  /** What else a peer may ask of a gateway. */
  control(message: Subscribe | Unsubscribe | Will | Sleep): Reason | undefined;
  /** The other side refused something unreliable, or the session (§7). */
  refused(message: Refuse): void;
  /** The other side leaves. */
  bye(reason: Reason): void;
  /** The other side confirmed the epoch. */
  confirmed(): void;
  /** The other side is silent, or disagrees about the numbering: nothing more can be done on this link. */
  failed(reason: 'timeout' | 'malformed'): void;
  /** Milliseconds since 1970-01-01 UTC. */
  wallTime(): number;
}

export interface QueueLimits {
  readonly messages: number;
  readonly bytes: number;
}

interface BuiltPacket<C extends Channel> {
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly number: number;
  readonly items: readonly Outgoing<C>[];
  /** How many messages in it are gone for good if it is not sent. */
  readonly unreliable: number;
  /** The token of the PING in it that asks whether it was read. */
  readonly fence: number | undefined;
}

/**
 * One session's protocol, without I/O, clock or timer (§4.5, §5, §6.3, §7): packets and messages go in, with the time;
 * `poll` gives the packets that are to be sent and `wakeAt` says when to call it again. The handshake around it is the
 * peer's (peer-session.ts) or the gateway's own business.
 */
export class SessionEngine<C extends Channel> {
  readonly #role: 'gateway' | 'peer';
  readonly #owner: SessionOwner<C>;
  readonly #counters: Counters;
  readonly #queueLimits: QueueLimits;

  readonly #roundTrip = new RoundTrip();
  readonly #sender = new ReliableSender<Outgoing<C>>(this.#roundTrip);
  readonly #receiver = new ReliableReceiver();
  readonly #ids: IdTable<C>;
  readonly #replies: Message[] = [];
  readonly #unreliable = new Queue<OutgoingEmit<C>>();
  #unreliableBytes = 0;
  #reliableBytes = 0;

  #link: LinkTraits | undefined;
  #own: SideLimits | undefined;
  #other: SideLimits | undefined;
  #pacer = new Pacer(0);
  #builder = new PacketBuilder(0);
  #beginToken: number | undefined;
  /** A packet that waits for the peer to have room for it. */
  #delayed: BuiltPacket<C> | undefined;
  #packetNumber = 0;
  #fence: { token: number; position: number } | undefined;
  #pingToken = 0;

  #keepAliveMs = 0;
  #heardAt = 0;
  #sentAt = 0;
  #unansweredPings = 0;
  #pingedAt = 0;
  #probeWanted = false;

  constructor(
    role: 'gateway' | 'peer',
    owner: SessionOwner<C>,
    counters: Counters,
    queueLimits: QueueLimits,
  ) {
    this.#role = role;
    this.#owner = owner;
    this.#counters = counters;
    this.#queueLimits = queueLimits;
    this.#ids = new IdTable<C>(owner);
  }

  // ------------------------------------------------------------------------------------------------ the epoch

  /**
   * Begins an epoch, or goes on with one, over a link. Under a new numbering `fresh` runs before what is unacknowledged
   * is queued anew; subscriptions are its business, and their `settle` is not called.
   */
  begin(link: LinkTraits, epoch: Epoch, now: number, fresh?: () => void): void {
    this.#attach(link, epoch, now);
    if (epoch.received !== undefined) {
      for (const item of this.#sender.settleBefore(epoch.received)) this.#settle(item, undefined);
    }
    if (!epoch.continues) {
      const unacknowledged = this.#sender.restart(epoch.nextOut);
      this.#receiver.restart(epoch.nextIn);
      this.#ids.clear();
      this.#reliableBytes = 0;
      this.#requeue(unacknowledged, ['unsubscribe']);
      fresh?.();
      // What spoke of the old numbering and the old ids means nothing now.
      this.#requeue(unacknowledged, ['emit', 'will', 'sleep']);
    }
    this.#sender.resume(Math.min(epoch.other.window, epoch.own.inFlight), link, now);
    this.#receiver.resume(epoch.own.window, epoch.other.inFlight);
  }

  #requeue(items: readonly Outgoing<C>[], types: readonly Outgoing<C>['content']['type'][]): void {
    for (const item of items) {
      const { content } = item;
      if (!types.includes(content.type)) continue;
      if (content.type !== 'emit' || this.takesReliable) this.#enqueue(item);
      else {
        // The board was given a firmware that takes nothing reliable: it gets what was held for it as it can (§3.2).
        this.#unreliable.push({ ...content, qos: 0 });
        this.#unreliableBytes += item.size;
        item.settle?.(undefined);
      }
    }
  }

  #attach(link: LinkTraits, epoch: Epoch, now: number): void {
    this.#link = link;
    this.#own = epoch.own;
    this.#other = epoch.other;
    this.#pacer = new Pacer(epoch.other.buffer);
    this.#ids.ownLimit = epoch.other.ids;
    // Only a serial line keeps order and yet loses: there a packet must not look like text (§8).
    const serial = link.ordered && !link.reliable;
    this.#builder = new PacketBuilder(
      Math.min(epoch.other.maxPacket, link.maxPacket),
      serial ? MAX_SERIAL_FIRST_LENGTH : undefined,
    );
    this.#beginToken = epoch.beginToken;
    this.#delayed = undefined;
    this.#fence = undefined;
    this.#keepAliveMs = epoch.keepAlive * 1000;
    this.#heardAt = now;
    this.#sentAt = now;
    this.#unansweredPings = 0;
    this.#probeWanted = false;
    this.#replies.length = 0;
  }

  /** The link is gone. What is reliable stays; the rest is dropped and counted. */
  detach(): void {
    this.#link = undefined;
    this.#drop('link_lost', this.#unreliable.drain().length + (this.#delayed?.unreliable ?? 0));
    this.#delayed = undefined;
    this.#replies.length = 0;
    this.#unreliableBytes = 0;
  }

  /** Ends the session: every message still waiting is settled with `reason`. */
  end(reason: Reason): void {
    this.detach();
    this.#ids.clear();
    for (const item of this.#sender.restart(0)) this.#settle(item, reason);
  }

  get attached(): boolean {
    return this.#link !== undefined;
  }

  /** The sequence number expected next, all before it acknowledged. */
  get nextIn(): number {
    return this.#receiver.acknowledged;
  }

  get nextOut(): number {
    return this.#sender.nextSeq;
  }

  /** Reliable messages accepted and not yet acknowledged. */
  get pending(): number {
    return this.#sender.pending;
  }

  /** When something was last heard, on the caller's clock in ms. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Smoothed round trip, ms. */
  get roundTrip(): number | undefined {
    return this.#roundTrip.smoothed;
  }

  /** The greatest packet that the other side takes over this link, bytes; undefined while there is no link. */
  get maxPacket(): number | undefined {
    return this.#link && this.#builder.maxPacket;
  }

  // -------------------------------------------------------------------------------------------------- sending

  /** Why an emit cannot be queued now, if so; one of QoS 0 may still be dropped for a full backlog. */
  refusal(
    channel: C,
    payloadBytes: number,
    reliable: boolean,
  ): 'queue_full' | 'too_large_for_receiver' | undefined {
    const size = this.#emitSize(channel, payloadBytes, reliable);
    if (this.#other && size > this.#builder.maxPacket) return 'too_large_for_receiver';
    if (!reliable) return undefined;
    const { messages, bytes } = this.#queueLimits;
    return this.#sender.pending >= messages || this.#reliableBytes + size > bytes ? 'queue_full' : undefined;
  }

  /** Whether the other side takes reliable messages at all (its window is not 0). */
  get takesReliable(): boolean {
    return this.#other === undefined || this.#other.window > 0;
  }

  /** Queues an emit of QoS 1 or 2. Ask `refusal` first. `settle` is called once. */
  emitReliable(emit: OutgoingEmit<C>, settle?: (refusal: Reason | undefined) => void): void {
    this.#declare(emit.channel);
    this.#enqueue(new Outgoing<C>(emit, this.#emitSize(emit.channel, emit.payload.length, true), settle));
  }

  /** Queues an emit of QoS 0, which `backlog` bytes may precede. Returns why not, if it was dropped (and counted). */
  emitUnreliable(
    emit: OutgoingEmit<C>,
    backlogLimit: number,
  ): 'link_lost' | 'backlog_full' | 'too_large_for_receiver' | undefined {
    const size = this.#emitSize(emit.channel, emit.payload.length, false);
    const refusal = !this.#link
      ? 'link_lost'
      : size > this.#builder.maxPacket
        ? 'too_large_for_receiver'
        : this.#unreliableBytes + size > backlogLimit
          ? 'backlog_full'
          : undefined;
    if (refusal) {
      this.#drop(refusal);
      return refusal;
    }
    this.#declare(emit.channel);
    this.#unreliable.push(emit);
    this.#unreliableBytes += size;
    return undefined;
  }

  /** Queues a reliable control message. */
  control(content: OutgoingControl<C>, settle?: (refusal: Reason | undefined) => void): void {
    this.#enqueue(new Outgoing<C>(content, 16, settle));
  }

  /** Sends `reply` with the next packet. */
  reply(message: Message): void {
    if (this.#replies.length >= MAX_REPLIES) this.#drop('replies_full');
    else this.#replies.push(message);
  }

  /** Asks the other side to say something: it is heard from, or not. */
  probe(): void {
    this.#probeWanted = true;
  }

  /** Sends an ACK with the next packet, now. */
  acknowledgeNow(now: number): void {
    this.#receiver.acknowledgeNow(now);
  }

  #enqueue(item: Outgoing<C>): void {
    this.#reliableBytes += item.size;
    // Until a REJECT is through, nothing that the other side sends is acknowledged: it must not wait in line.
    this.#sender.push(item, item.content.type === 'reject');
  }

  #settle(item: Outgoing<C>, refusal: Reason | undefined): void {
    this.#reliableBytes -= item.size;
    item.settle?.(refusal);
  }

  /** Gives the channel an id of this side's if the other side allows any more. */
  #declare(channel: C): void {
    const id = this.takesReliable ? this.#ids.assign(channel) : undefined;
    if (id === undefined) return;
    this.control({ type: 'declare', id, channel }, (refusal) => {
      if (refusal === undefined) this.#ids.usable(channel);
    });
  }

  #drop(reason: string, amount = 1): void {
    if (amount > 0) this.#counters.add(`session.drop.${reason}`, amount);
  }

  #emitSize(channel: C, payloadBytes: number, reliable: boolean): number {
    const address = this.#ids.address(channel);
    const target = address ? varintSize(address.id) : 1 + Buffer.byteLength(channel.name);
    return 1 + (reliable ? 2 : 0) + target + payloadBytes;
  }

  // ------------------------------------------------------------------------------------------------ receiving

  /** Acts on the messages of one packet, handshake messages excepted. Their bytes may be reused afterwards. */
  receive(messages: readonly Message[], now: number): void {
    this.#heardAt = now;
    this.#unansweredPings = 0;
    for (const message of messages) {
      if (!this.#link) return;
      this.#receiveOne(message, now);
    }
  }

  #receiveOne(message: Message, now: number): void {
    switch (message.type) {
      case 'emit':
        if (message.qos > 0) this.#receiveReliable(message, now);
        else this.#refuseUnreliable(message, this.#takeEmit(message, new Uint8Array(message.payload)));
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
        if (this.#fence?.token === message.token) {
          this.#pacer.confirm(this.#fence.position);
          this.#fence = undefined;
        }
        return;
      case 'time':
        if (this.#role === 'gateway')
          this.reply({ type: 'time', token: message.token, time: this.#owner.wallTime() });
        return;
      case 'refuse':
        return this.#owner.refused(message);
      case 'bye':
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

  #receiveAck(next: number, bitmap: Uint8Array, now: number): void {
    const acknowledged = this.#sender.acknowledge(next, bitmap, now);
    if (!acknowledged) return this.#drop('stale_ack');
    if (this.#beginToken !== undefined) {
      this.#beginToken = undefined;
      this.#owner.confirmed();
    }
    for (const item of acknowledged.arrived) if (item.sends > 0) this.#pacer.confirm(item.position);
    for (const item of acknowledged.settled) this.#settle(item, undefined);
  }

  #receiveReliable(message: Reliable, now: number): void {
    const numbered = (
      'payload' in message ? { ...message, payload: new Uint8Array(message.payload) } : message
    ) as Reliable & { seq: number };
    switch (this.#receiver.receive(numbered, now)) {
      case 'deliver':
        this.#takeInTurn(numbered, now);
        for (let held = this.#receiver.nextHeld(); held; held = this.#receiver.nextHeld())
          this.#takeInTurn(held, now);
        return;
      case 'duplicate':
        return this.#counters.add('session.duplicates');
      case 'beyond':
        return this.#drop('beyond_window');
      case 'held':
        return;
    }
  }

  #takeInTurn(message: Reliable & { seq: number }, now: number): void {
    const refusal = this.#takeReliable(message);
    if (!refusal) return;
    this.#counters.add(`session.refused.${refusal}`);
    if (!this.takesReliable) {
      // It cannot take a REJECT: tell it once, and go on (§7).
      const seq = Buffer.alloc(2);
      seq.writeUInt16BE(message.seq);
      this.reply(refuse(refusal, headOf(message), seq));
      this.#receiver.acknowledgeNow(now);
      return;
    }
    this.#receiver.withhold(message.seq);
    this.control({ type: 'reject', of: message.seq, reason: refusal }, () =>
      this.#receiver.release(message.seq, this.#heardAt),
    );
  }

  #takeReliable(message: Reliable): Reason | undefined {
    switch (message.type) {
      case 'emit':
        return this.#takeEmit(message, message.payload);
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
        const item = this.#sender.refused(message.of);
        if (item) this.#settle(item, message.reason);
        return undefined;
      }
    }
  }

  #takeDeclaration(id: number, name: string): Reason | undefined {
    if (id > (this.#own?.ids ?? 0)) return 'limit_reached';
    return this.#ids.declare(id, name);
  }

  /** `payload` is the owner's to keep. */
  #takeEmit(message: Emit, payload: Uint8Array): Reason | undefined {
    const target = message.name ?? this.#ids.lookup(message.id as number, this.#isOwn(message));
    return target === undefined ? 'no_such_id' : this.#owner.emit(target, payload, message);
  }

  #isOwn(message: Emit): boolean {
    return (message.gatewayId === true) === (this.#role === 'gateway');
  }

  #refuseUnreliable(message: Emit, refusal: Reason | undefined): void {
    if (!refusal) return;
    this.#counters.add(`session.refused.${refusal}`);
    const refusing = refuse(refusal, headOf(message), detailOf(message));
    // The name may be longer than the peer can take; then nothing is said of it (§7).
    const fits = messageSize(refusing) <= this.#builder.maxPacket - BEGIN_PREFIX_BYTES;
    this.reply(fits ? refusing : refuse(refusal, refusing.head));
  }

  // -------------------------------------------------------------------------------------------------- packets

  /** The next packet to send at `now`, if any. Call it until it returns nothing. */
  poll(now: number): Uint8Array | undefined {
    this.#tick(now);
    if (!this.#link) return undefined;
    const packet = this.#delayed ?? this.#build(this.#link, now);
    if (!packet) return undefined;
    if (this.#pacer.allows(packet.size)) {
      this.#delayed = undefined;
      return this.#release(packet, now);
    }
    this.#delayed = packet;
    return this.#bareFence(this.#link, now);
  }

  /** When to call `poll` again even if nothing else happens; undefined for never. */
  wakeAt(): number | undefined {
    if (!this.#link) return undefined;
    let at = this.#keepAliveDeadline();
    const consider = (time: number | undefined) => {
      if (time !== undefined && time < at) at = time;
    };
    if (this.#delayed) consider(this.#pacer.deadline(this.#roundTrip.timeout()));
    else {
      consider(this.#sender.deadline());
      consider(this.#receiver.ackDueAt);
    }
    return at === Number.POSITIVE_INFINITY ? undefined : at;
  }

  #tick(now: number): void {
    const silence = this.#keepAliveDeadline();
    if (this.#link && now >= silence) this.#keepAlive(now);
    if (!this.#link) return;
    // What waits for the peer's buffer has not been sent, whatever the clock says.
    if (!this.#delayed) {
      if (this.#sender.tick(now)) this.#counters.add('session.timeouts');
      const { oldest } = this.#sender;
      if (oldest?.lost && this.#isHopeless(oldest)) return this.#owner.failed('malformed');
    }
    const gone = this.#pacer.deadline(this.#roundTrip.timeout());
    if (gone !== undefined && now >= gone) {
      this.#pacer.expire();
      this.#fence = undefined;
    }
  }

  /** Whether a message that has a number will not get through under it (§5.4), or over this link. */
  #isHopeless(item: Outgoing<C>): boolean {
    if (item.ignored >= MAX_RESENDS && this.#heardAt > item.sentAt) return true;
    return messageSize(this.#numbered(item, item.seq)) > this.#builder.maxPacket;
  }

  /** When the next PING is due (peer) or the other side counts as gone. */
  #keepAliveDeadline(): number {
    if (!this.#link || this.#keepAliveMs === 0) return Number.POSITIVE_INFINITY;
    if (this.#role === 'gateway') return this.#heardAt + this.#keepAliveMs * KEEP_ALIVE_GRACE;
    if (this.#unansweredPings > 0) return this.#pingedAt + PING_INTERVAL_MS;
    return Math.min(this.#heardAt, this.#sentAt) + this.#keepAliveMs;
  }

  #keepAlive(now: number): void {
    if (this.#role === 'gateway' || this.#unansweredPings >= MAX_UNANSWERED_PINGS) {
      this.#owner.failed('timeout');
      return;
    }
    this.#unansweredPings++;
    this.#pingedAt = now;
    this.#probeWanted = true;
  }

  #build(link: LinkTraits, now: number): BuiltPacket<C> | undefined {
    const builder = this.#builder;
    const items: Outgoing<C>[] = [];
    if (this.#beginToken !== undefined) builder.add({ type: 'begin', token: this.#beginToken });
    const prefix = builder.length;

    while (this.#replies.length > 0 && builder.add(this.#replies[0] as Message)) this.#replies.shift();
    if (this.#probeWanted && builder.add(this.#ping())) this.#probeWanted = false;
    this.#addAck(builder, prefix, now);
    const packing = this.#pacer.active
      ? Math.min(PACKING_BYTES, (this.#other?.buffer ?? 0) / 2)
      : PACKING_BYTES;
    const number = this.#packetNumber + 1;
    this.#addReliable(builder, prefix, packing, items, number, now);
    const unreliable = this.#addUnreliable(builder, prefix, packing);
    if (builder.length === prefix) {
      if (prefix > 0) builder.finish();
      return undefined;
    }
    const fence = this.#addFence(builder, items.some(isFirstSending));
    const bytes = builder.finish();
    this.#packetNumber = number;
    return { bytes, size: link.wireSize(bytes), number, items, unreliable, fence };
  }

  #addAck(builder: PacketBuilder, prefix: number, now: number): void {
    const dueAt = this.#receiver.ackDueAt;
    if (dueAt === undefined) return;
    const company =
      builder.length > prefix || this.#unreliable.length > 0 || this.#sender.peek() !== undefined;
    // The bitmap is bounded, so an ACK fits any packet that is otherwise empty.
    if ((company || now >= dueAt) && builder.lengthWith(36) <= builder.maxPacket)
      builder.add(this.#receiver.takeAck());
  }

  #addReliable(
    builder: PacketBuilder,
    prefix: number,
    packing: number,
    items: Outgoing<C>[],
    number: number,
    now: number,
  ): void {
    for (let item = this.#sender.peek(); item; item = this.#sender.peek()) {
      const message = this.#numbered(item, item.lost ? item.seq : this.#sender.nextSeq);
      const size = messageSize(message);
      if (!item.lost && size > builder.maxPacket) {
        this.#sender.drop(item);
        this.#drop('too_large_for_receiver');
        this.#settle(item, 'too_large_for_receiver');
        continue;
      }
      if (builder.length > prefix && builder.lengthWith(size) > packing) return;
      if (!builder.add(message)) return;
      if (item.lost) {
        this.#counters.add('session.resends');
        if (item.sends > 0 && this.#heardAt > item.sentAt) item.ignored++;
      }
      this.#sender.sent(item, number, now);
      items.push(item);
    }
  }

  /** Returns how many it added. */
  #addUnreliable(builder: PacketBuilder, prefix: number, packing: number): number {
    let added = 0;
    for (let next = this.#unreliable.at(0); next; next = this.#unreliable.at(0)) {
      const message = this.#addressed(next);
      const size = messageSize(message);
      if (size > builder.maxPacket) {
        this.#drop('too_large_for_receiver');
      } else {
        if (builder.length > prefix && builder.lengthWith(size) > packing) return added;
        if (!builder.add(message)) return added;
        added++;
      }
      this.#unreliable.shift();
      if (this.#unreliable.length === 0) this.#unreliableBytes = 0;
      else this.#unreliableBytes -= Math.min(size, this.#unreliableBytes);
    }
    return added;
  }

  /** Adds a PING to a packet that nothing else would confirm, once half of the peer's buffer may be taken (§5.6). */
  #addFence(builder: PacketBuilder, confirmed: boolean): number | undefined {
    const buffer = this.#other?.buffer ?? 0;
    if (!this.#pacer.active || confirmed || this.#fence) return undefined;
    if (this.#pacer.outstanding + builder.length <= buffer / 2) return undefined;
    const ping = this.#ping();
    return builder.lengthWith(messageSize(ping)) <= buffer && builder.add(ping) ? ping.token : undefined;
  }

  /** A PING of its own, when a packet waits for room and nothing under way would make any. */
  #bareFence(link: LinkTraits, now: number): Uint8Array | undefined {
    if (this.#fence || !this.#pacer.unasked) return undefined;
    const ping = this.#ping();
    const bytes = encodePacket([ping]);
    const size = link.wireSize(bytes);
    if (!this.#pacer.allows(size)) return undefined;
    this.#fence = { token: ping.token, position: this.#pacer.sent(size, now, true) };
    this.#sentAt = now;
    return bytes;
  }

  #ping() {
    this.#pingToken = (this.#pingToken + 1) & 0xff;
    return { type: 'ping', token: this.#pingToken } as const;
  }

  #release(packet: BuiltPacket<C>, now: number): Uint8Array {
    const { items, fence } = packet;
    const asking = fence !== undefined || items.some(isFirstSending);
    const position = this.#pacer.sent(packet.size, now, asking);
    if (fence !== undefined) this.#fence = { token: fence, position };
    for (const item of items) {
      item.sentAt = now;
      if (isFirstSending(item)) item.position = position;
    }
    this.#sentAt = now;
    return packet.bytes;
  }

  #addressed(emit: OutgoingEmit<C>, seq?: number): Emit {
    const { channel, payload, qos, retain } = emit;
    const base = { type: 'emit', qos, retain, payload, ...(seq === undefined ? {} : { seq }) } as const;
    const address = this.#ids.address(channel);
    if (!address) return { ...base, name: channel.name };
    return {
      ...base,
      id: address.id,
      gatewayId: address.id > 0 && address.own === (this.#role === 'gateway'),
    };
  }

  #numbered(item: Outgoing<C>, seq: number): Reliable {
    const { content } = item;
    if (content.type === 'emit') return this.#addressed(content, seq);
    if (content.type === 'declare')
      return { type: 'declare', seq, id: content.id, name: content.channel.name };
    return { ...content, seq };
  }
}

/** An ACK of a message that was resent does not say which of its packets was read. */
function isFirstSending(item: Transmission): boolean {
  return item.sends === 1;
}

function refuse(reason: Reason, head: number, detail: Uint8Array = new Uint8Array()): Refuse {
  return { type: 'refuse', reason, head, detail };
}

/** The channel of an unreliable emit as a REFUSE names it (§7). */
function detailOf(message: Emit): Uint8Array {
  if (message.name !== undefined) {
    const name = Buffer.from(message.name);
    return Buffer.concat([Buffer.of(name.length), name]);
  }
  const id = Buffer.alloc(4);
  return id.subarray(0, writeVarint(id, 0, message.id as number));
}
