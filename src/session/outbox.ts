import type { Counters } from '../counters.js';
import type { EmitRun } from '../wire/emit-run.js';
import { type EmitHeader, emitSize, encodePacket, messageSize, PacketBuilder } from '../wire/encode.js';
import { MAX_SERIAL_FIRST_LENGTH } from '../wire/limits.js';
import type { Emit, Message, Ping, Qos, Reliable } from '../wire/messages.js';
import { Backlog } from './backlog.js';
import type { LinkTraits, SideLimits } from './contract.js';
import type { Address, IdTable } from './id-table.js';
import { type Channel, isExpired, type Outgoing, type OutgoingControl, type Unreliable } from './outgoing.js';
import type { OutgoingQueue } from './outgoing-queue.js';
import { Pacer } from './pacer.js';
import { Pings } from './pings.js';
import type { ReliableReceiver } from './reliable-receiver.js';
import type { Transmission } from './reliable-sender.js';

/** Answers to unreliable messages wait here; a peer that asks for more than this between two turns gets no more. */
const MAX_REPLIES = 64;
/** Several messages share a packet up to this size; a single one may be larger. */
const PACKING_BYTES = 16_384;
/** An ACK with the longest bitmap. */
const MAX_ACK_BYTES = 36;

/** What is built is finished before anything else happens: one builder serves all sessions. */
const BUILDER = new PacketBuilder();
/** For all peers that named no buffer. */
const UNPACED = new Pacer(0);

/** A packet that waits for the peer to have room for it, or is about to leave. */
interface BuiltPacket<C extends Channel> {
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly items: readonly Outgoing<C>[];
  /** How many messages in it are gone for good if it is not sent. */
  readonly unreliable: number;
  /** The token of the PING in it that asks whether it was read. */
  readonly fence: number | undefined;
}

/**
 * What goes into the next packet, and whether the other side has room for it: BEGIN, replies, the ACK, reliable
 * messages, those of QoS 0 (PROTOCOL.md §4.2, §5.3, §5.6).
 */
export class Outbox<C extends Channel> {
  readonly #role: 'gateway' | 'peer';
  readonly #receiver: ReliableReceiver;
  readonly #ids: IdTable<C>;
  readonly #counters: Counters;
  #replies: Message[] | undefined;
  /** What of QoS 0 waits to be packed, while there is any. */
  #backlog: Backlog | undefined;

  #link: LinkTraits | undefined;
  /** Of the other side and the link that stood last, bytes. */
  maxPacket = 0;
  #pacer = UNPACED;
  #delayed: BuiltPacket<C> | undefined;
  /** The PING that was sent last to learn what was read, until it is answered. */
  #fence: { token: number; position: number } | undefined;
  /** From the first PING on. */
  #pings: Pings | undefined;
  #packetNumber = 0;
  /** Repeated at the beginning of each packet until the gateway confirms the epoch. */
  beginToken: number | undefined;

  constructor(role: 'gateway' | 'peer', receiver: ReliableReceiver, ids: IdTable<C>, counters: Counters) {
    this.#role = role;
    this.#receiver = receiver;
    this.#ids = ids;
    this.#counters = counters;
  }

  /** Begins on a new link. */
  open(link: LinkTraits, other: SideLimits, beginToken: number | undefined): void {
    this.#link = link;
    this.maxPacket = Math.min(other.maxPacket, link.maxPacket);
    this.#pacer = other.buffer > 0 ? new Pacer(other.buffer) : UNPACED;
    this.#delayed = undefined;
    this.#fence = undefined;
    this.#pings?.restart();
    this.#replies = undefined;
    this.beginToken = beginToken;
  }

  /** The link is gone. Returns how many messages of QoS 0 are lost with it. */
  close(): number {
    const lost = (this.#backlog?.count ?? 0) + (this.#delayed?.unreliable ?? 0);
    this.clearBacklog();
    this.#link = undefined;
    this.#delayed = undefined;
    this.#replies = undefined;
    return lost;
  }

  /** Bytes of QoS 0 that wait to be packed. */
  get backlogBytes(): number {
    return this.#backlog?.bytes ?? 0;
  }

  /** What of QoS 0 waits to be packed, in order. The payloads are views: copy what is kept. */
  backlogged(): Emit[] {
    return this.#backlog?.messages(this.#role) ?? [];
  }

  clearBacklog(): void {
    this.#backlog?.clear();
    this.#backlog = undefined;
  }

  /** Whether a packet waits for the other side to have room for it. */
  get delayed(): boolean {
    return this.#delayed !== undefined;
  }

  /** Sends `reply` with the next packet. Returns false if there are too many already. */
  reply(message: Message): boolean {
    this.#replies ??= [];
    return this.#replies.length < MAX_REPLIES && this.#replies.push(message) > 0;
  }

  /** Sends a PING with the next packet. */
  ask(): void {
    this.#pings ??= new Pings();
    this.#pings.wanted = true;
  }

  /** How long the last PING took to be answered, ms; undefined until one was, over the link that stands. */
  get pingRoundTrip(): number | undefined {
    return this.#pings?.roundTripMs;
  }

  /** Queues an emit as one of QoS 0, behind at most `limit` bytes of others. Returns why not, if it cannot. */
  push(
    { channel, payload, retain }: Unreliable<C>,
    limit: number,
  ): 'too_large_for_receiver' | 'backlog_full' | undefined {
    const header = this.#header(channel, 0, retain, 0);
    const size = emitSize(0, header.name, header.id, payload.length);
    if (size > this.maxPacket) return 'too_large_for_receiver';
    if (this.backlogBytes + size > limit) return 'backlog_full';
    this.#backlog ??= new Backlog();
    this.#backlog.push(header, payload, size);
    return undefined;
  }

  /** Whether no message of a run is too large for the other side; false if they cannot stay as long as they are. */
  takesRun(channel: C, run: EmitRun): boolean {
    const address = this.address(channel, false);
    return address !== undefined && run.takesId(address.id) && run.longest <= this.maxPacket;
  }

  /** Queues all of a run that `takesRun` is true for, as `push` would. Returns false if there is no room for all of it. */
  pushRun(channel: C, run: EmitRun, limit: number): boolean {
    const address = this.address(channel, false);
    if (address === undefined || this.backlogBytes + run.length > limit) return false;
    this.#backlog ??= new Backlog();
    this.#backlog.pushRun(run, address.id, this.#isGatewayId(address));
    return true;
  }

  /** The other side has read the packet that carried `item`. */
  read(item: Outgoing<C>): void {
    if (item.sends > 0) this.#pacer.confirm(item.position);
  }

  /** The other side answered the PING `token` at `now`. Returns how long that took at most, ms, if it is known. */
  answered(token: number, now: number): number | undefined {
    if (this.#fence?.token === token) {
      this.#pacer.confirm(this.#fence.position);
      this.#fence = undefined;
    }
    return this.#pings?.answered(token, now);
  }

  /** When what was sent is taken as gone, and what waits may leave, given the resend timer in ms. */
  deadline(timeout: number): number | undefined {
    return this.#pacer.deadline(timeout);
  }

  /** What was sent was thrown away: its own ACK, which would tell that it was read, will not come. A PING has to ask. */
  discarded(): void {
    this.#pacer.doubt();
  }

  /** Takes what was sent as gone if it is time. */
  expire(now: number, timeout: number): void {
    const gone = this.#pacer.deadline(timeout);
    if (gone === undefined || now < gone) return;
    this.#pacer.expire();
    this.#fence = undefined;
  }

  /**
   * The next packet, if any may leave at `now`. `queue` is what waits of reliable messages, `heardAt` when the other side last
   * spoke. With `hush` only answers and acknowledgements leave: the other side sleeps (§4.7).
   */
  next(
    now: number,
    queue: OutgoingQueue<C> | undefined,
    heardAt: number,
    hush: boolean,
  ): Uint8Array | undefined {
    const packet = this.#delayed ?? this.#build(now, queue, heardAt, hush);
    if (!packet) return undefined;
    if (this.#pacer.allows(packet.size)) {
      this.#delayed = undefined;
      return this.#release(packet, now);
    }
    this.#delayed = packet;
    return this.#bareFence(now);
  }

  /** What `item` takes in a packet, bytes without L. */
  sizeOf({ content }: Outgoing<C>): number {
    if (content.type !== 'emit') return messageSize(control(content, 0));
    return this.emitSize(content.channel, content.payload.length, content.qos > 0);
  }

  /** What an emit takes in a packet as things stand, bytes without L. */
  emitSize(channel: C, payloadBytes: number, reliable: boolean): number {
    const address = this.address(channel, reliable);
    return emitSize(reliable ? 1 : 0, address ? undefined : channel.name, address?.id, payloadBytes);
  }

  #add({ content }: Outgoing<C>, seq: number, size: number): boolean {
    if (content.type !== 'emit') return BUILDER.add(control(content, seq));
    return BUILDER.addEmit(
      this.#header(content.channel, content.qos, content.retain, seq),
      content.payload,
      size,
    );
  }

  #build(
    now: number,
    queue: OutgoingQueue<C> | undefined,
    heardAt: number,
    hush: boolean,
  ): BuiltPacket<C> | undefined {
    const builder = BUILDER;
    // Only a serial line keeps order and yet loses: there a packet must not look like text (§8).
    const serial = this.#link?.ordered && !this.#link.reliable;
    builder.start(this.maxPacket, serial ? MAX_SERIAL_FIRST_LENGTH : undefined);
    if (this.beginToken !== undefined) builder.add({ type: 'begin', token: this.beginToken });
    const prefix = builder.length;
    this.#addReplies();
    if (!hush && this.#pings?.wanted && builder.add(this.#ping(now))) this.#pings.wanted = false;
    this.#addAck(prefix, queue, now);
    const items = hush || !queue ? [] : this.#addReliable(prefix, queue, now, heardAt);
    const unreliable = hush ? 0 : this.#addUnreliable();
    if (builder.length === prefix) return undefined;
    const fence = hush || items.some(isFirstSending) ? undefined : this.#addFence(now);
    const bytes = builder.finishInPlace();
    this.#packetNumber++;
    return { bytes, size: this.#wireSize(bytes), items, unreliable, fence };
  }

  #wireSize(packet: Uint8Array): number {
    return this.#link?.wireSize(packet) ?? packet.length;
  }

  #addReplies(): void {
    if (!this.#replies) return;
    while (this.#replies.length > 0 && BUILDER.add(this.#replies[0] as Message)) this.#replies.shift();
    if (this.#replies.length === 0) this.#replies = undefined;
  }

  /** Messages share a packet up to this size. */
  get #packing(): number {
    return this.#pacer.active ? Math.min(PACKING_BYTES, this.#pacer.buffer / 2) : PACKING_BYTES;
  }

  /** Whether a message of `size` bytes is to go behind the `prefix`, alone or in company. */
  #suits(size: number, prefix: number): boolean {
    return BUILDER.length <= prefix || BUILDER.lengthWith(size) <= this.#packing;
  }

  #addAck(prefix: number, queue: OutgoingQueue<C> | undefined, now: number): void {
    const dueAt = this.#receiver.ackDueAt;
    if (dueAt === undefined) return;
    const company = BUILDER.length > prefix || this.#backlog !== undefined || queue?.peek() !== undefined;
    // It fits any packet that is otherwise empty.
    if ((company || now >= dueAt) && BUILDER.lengthWith(MAX_ACK_BYTES) <= this.maxPacket)
      BUILDER.add(this.#receiver.takeAck());
  }

  #addReliable(prefix: number, queue: OutgoingQueue<C>, now: number, heardAt: number): Outgoing<C>[] {
    const items: Outgoing<C>[] = [];
    for (let item = queue.peek(); item; item = queue.peek()) {
      const seq = item.lost ? item.seq : queue.nextSeq;
      const size = this.sizeOf(item);
      const refusal = item.lost ? undefined : this.#refusal(item, size, now);
      if (refusal) {
        queue.drop(item);
        this.#counters.add(`session.drop.${refusal}`);
        queue.finish([item], refusal === 'expired' ? 'timeout' : refusal);
        continue;
      }
      if (!this.#suits(size, prefix) || !this.#add(item, seq, size)) break;
      if (item.lost) {
        this.#counters.add('session.resends');
        if (item.sends > 0 && heardAt > item.sentAt) item.ignored++;
      }
      const first = !item.lost;
      queue.sent(item, this.#packetNumber + 1, now);
      if (first) queue.numbered(item);
      items.push(item);
    }
    return items;
  }

  /** Why a message cannot be sent for the first time, if so. */
  #refusal(
    { content }: Outgoing<C>,
    size: number,
    now: number,
  ): 'too_large_for_receiver' | 'expired' | undefined {
    if (size > this.maxPacket) return 'too_large_for_receiver';
    return content.type === 'emit' && isExpired(content, now) ? 'expired' : undefined;
  }

  /** Returns how many it added. */
  #addUnreliable(): number {
    const moved = this.#backlog?.moveTo(BUILDER, this.#packing) ?? 0;
    if (this.#backlog?.count === 0) this.#backlog = undefined;
    return moved;
  }

  /** Adds a PING to a packet that nothing else would confirm, once half of the peer's buffer may be taken. */
  #addFence(now: number): number | undefined {
    const builder = BUILDER;
    if (!this.#pacer.active || this.#fence) return undefined;
    if (this.#pacer.outstanding + builder.length <= this.#pacer.buffer / 2) return undefined;
    const ping = this.#ping(now);
    return builder.lengthWith(messageSize(ping)) <= this.#pacer.buffer && builder.add(ping)
      ? ping.token
      : undefined;
  }

  /** A PING of its own, when a packet waits for room and nothing under way would make any. */
  #bareFence(now: number): Uint8Array | undefined {
    if (this.#fence || !this.#pacer.unasked) return undefined;
    const ping = this.#ping(now);
    const bytes = encodePacket([ping]);
    const size = this.#wireSize(bytes);
    if (!this.#pacer.allows(size)) return undefined;
    this.#fence = { token: ping.token, position: this.#pacer.sent(size, now, true) };
    return bytes;
  }

  #ping(now: number): Ping {
    this.#pings ??= new Pings();
    return this.#pings.make(now);
  }

  #release({ bytes, size, items, fence }: BuiltPacket<C>, now: number): Uint8Array {
    const asking = fence !== undefined || items.some(isFirstSending);
    const position = this.#pacer.sent(size, now, asking);
    if (fence !== undefined) this.#fence = { token: fence, position };
    for (const item of items) {
      item.sentAt = now;
      if (isFirstSending(item)) item.position = position;
    }
    return bytes;
  }

  /** How an emit names its channel now; undefined if by its name. */
  address(channel: C, reliable: boolean): Address | undefined {
    const address = this.#ids.address(channel);
    // A datagram may come so late that the gateway has given the id to another channel (§6.3).
    const ambiguous = address && !reliable && !this.#link?.ordered && this.#isGatewayId(address);
    return ambiguous ? undefined : address;
  }

  #isGatewayId({ id, own }: Address): boolean {
    return id > 0 && own === (this.#role === 'gateway');
  }

  #header(channel: C, qos: Qos, retain: boolean, seq: number): EmitHeader {
    const address = this.address(channel, qos > 0);
    return address === undefined
      ? { qos, retain, seq, name: channel.name, id: undefined, gatewayId: false }
      : { qos, retain, seq, name: undefined, id: address.id, gatewayId: this.#isGatewayId(address) };
  }
}

/** A control message as it goes out under the number `seq`. */
function control<C extends Channel>(content: OutgoingControl<C>, seq: number): Reliable {
  return content.type === 'declare'
    ? { type: 'declare', seq, id: content.id, name: content.channel.name }
    : { seq, ...content };
}

/** An ACK of a message that was resent does not say which of its packets was read. */
function isFirstSending(item: Transmission): boolean {
  return item.sends === 1;
}
