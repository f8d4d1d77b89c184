import { messageSize } from '../wire/encode.js';
import { headOf } from '../wire/head.js';
import { type Emit, isNumbered, type Message, type Reliable } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type { MessageSource } from './contract.js';
import type { Channel } from './outgoing.js';
import { refuse, refuseEmit, refuseNumbered } from './refusals.js';
import { SendingSide } from './sending-side.js';

/** What precedes every message of a peer that is not confirmed yet: BEGIN with its length. */
const BEGIN_PREFIX_BYTES = 6;

/** What the other side of a session says, and what is done about it (PROTOCOL.md §5.3, §6.3, §7). */
export abstract class ReceivingSide<C extends Channel> extends SendingSide<C> {
  /**
   * Acts on the messages of one packet, handshake messages excepted, until there are no more or `share` is over. Their bytes may be
   * reused afterwards.
   */
  receive(packet: MessageSource, now: number, share?: { over(work?: number): boolean }): void {
    this.keepAlive.heard(now);
    while (!packet.done && this.link) {
      const run = this.#receiveRun(packet);
      if (run > 0) {
        if (share?.over(run)) break;
        continue;
      }
      const message = packet.next();
      this.#receiveOne(message, now);
      if (share?.over(message.type === 'emit' ? 1 : undefined)) break;
    }
    if (this.link && this.sleeping?.roused) this.#wake(now);
  }

  /** Takes a run of emits at once, if one comes next and nothing is special about it. Returns how many messages that were. */
  #receiveRun(packet: MessageSource): number {
    const { owner } = this;
    if (owner.emitRun === undefined || this.sleeping) return 0;
    const run = packet.run();
    const channel = run && this.targetOf(run);
    if (!run || channel === undefined || typeof channel === 'string') return 0;
    if (!owner.emitRun(channel, run)) return 0;
    packet.take(run);
    return run.count;
  }

  #receiveOne(message: Message, now: number): void {
    if (this.sleeping && !isNumbered(message)) this.sleeping.heard(message, this.link?.ordered === true, now);
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
        if (message.time !== undefined) this.owner.timed?.(message.token, message.time);
        else this.reply({ type: 'time', token: message.token, time: this.owner.wallTime() });
        return;
      case 'refuse':
        return this.owner.refused(message);
      case 'bye':
        this.giveUpSleep();
        return this.owner.bye(message.reason);
      case 'extended':
        this.counters.add('session.refused.unsupported');
        return this.reply(refuse('unsupported', headOf(message)));
      case 'hello':
      case 'welcome':
      case 'begin':
        // The handshake's own; by now they say nothing new.
        return;
    }
  }

  #receivePong(token: number, now: number): void {
    const tookMs = this.outbox.answered(token, now);
    if (tookMs !== undefined) this.openQueue().roundTrip.atMost(tookMs);
  }

  #receiveAck(next: number, bitmap: Uint8Array, now: number): void {
    const acknowledged = this.openQueue().acknowledge(next, bitmap, now);
    if (!acknowledged) return this.drop('stale_ack');
    if (this.outbox.beginToken !== undefined && this.owner.confirmed?.() === true)
      this.outbox.beginToken = undefined;
    for (const item of acknowledged.arrived) this.outbox.read(item);
    if (bitmap.length > 0 && bitmap.every((byte) => byte === 0)) this.outbox.discarded();
    this.queue?.finish(acknowledged.settled);
  }

  #receiveReliable(message: Reliable, now: number): void {
    const numbered = message as Reliable & { seq: number };
    switch (this.receiver.receive(numbered, now)) {
      case 'deliver':
        this.#takeInTurn(numbered, now);
        for (let held = this.receiver.nextHeld(); held; held = this.receiver.nextHeld())
          this.#takeInTurn(held, now);
        return this.recorder?.received();
      case 'duplicate':
        return this.counters.add('session.duplicates');
      case 'beyond':
        return this.drop('beyond_window');
      case 'held':
        return;
    }
  }

  #takeInTurn(message: Reliable & { seq: number }, now: number): void {
    this.sleeping?.heard(message, this.link?.ordered === true, now);
    const refusal = this.#takeReliable(message);
    if (!refusal) return;
    this.counters.add(`session.refused.${refusal}`);
    if (!this.takesReliable) {
      // It cannot take a REJECT: tell it once, and go on (§7).
      this.reply(refuseNumbered(refusal, headOf(message), message.seq));
      this.receiver.acknowledgeNow(now);
      return;
    }
    this.receiver.withhold(message.seq);
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
        return refusal ?? this.owner.control(message);
      }
      case 'unsubscribe':
      case 'will':
      case 'sleep':
        return this.owner.control(message);
      case 'reject': {
        const item = this.queue?.refused(message.of);
        if (!item) return undefined;
        this.counters.add(`session.peer_refused.${message.reason}`);
        this.queue?.settle(item, message.reason);
        return undefined;
      }
    }
  }

  #takeDeclaration(id: number, name: string): Reason | undefined {
    if (id > (this.own?.ids ?? 0)) return 'limit_reached';
    return this.idTable.declare(id, name);
  }

  #takeEmit(message: Emit): Reason | undefined {
    const target = this.targetOf(message);
    return target === undefined ? 'no_such_id' : this.owner.emit(target, message);
  }

  #refuseUnreliable(message: Emit, refusal: Reason | undefined): void {
    if (!refusal) return;
    this.counters.add(`session.refused.${refusal}`);
    const refusing = refuseEmit(refusal, message);
    // The name may be longer than the peer can take; then nothing is said of it (§7).
    const fits = messageSize(refusing) <= this.outbox.maxPacket - BEGIN_PREFIX_BYTES;
    this.reply(fits ? refusing : refuse(refusal, refusing.head));
  }

  #wake(now: number): void {
    this.releaseKept();
    this.keepAlive.wake();
    this.queue?.repeat(now);
    this.owner.woke();
  }

  /** The channel that an emit is for, or its name; undefined if nothing has that id. */
  protected targetOf({
    name,
    id,
    gatewayId,
  }: Pick<Emit, 'name' | 'id' | 'gatewayId'>): C | string | undefined {
    return name ?? this.idTable.lookup(id as number, (gatewayId === true) === (this.role === 'gateway'));
  }
}
