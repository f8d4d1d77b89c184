import type { Reason } from '../wire/reasons.js';
import type { EngineState, Epoch, IdEntry, LinkHealth, LinkTraits } from './contract.js';
import type { Channel, Outgoing, Unreliable } from './outgoing.js';
import { ReceivingSide } from './receiving-side.js';
import { Sleep } from './sleep.js';

/**
 * One session's protocol, without I/O, clock or timer (§4.5, §5, §6.3, §7): packets and messages go in, with the time;
 * `poll` gives the packets that are to be sent and `wakeAt` says when to call it again. The handshake around it is the
 * peer's (peer-session.ts) or the gateway's own business.
 *
 * Its layers: what is sent (sending-side.ts), what is received (receiving-side.ts), and here how it begins, stands and ends.
 */
export class SessionEngine<C extends Channel> extends ReceivingSide<C> {
  // ------------------------------------------------------------------------------------------------ the epoch

  /**
   * Begins an epoch, or goes on with one, over a link. Under a new numbering `fresh` runs before what is unacknowledged
   * is queued anew; subscriptions are its business, and their `settle` is not called.
   */
  begin(link: LinkTraits, epoch: Epoch, now: number, fresh?: () => void): void {
    this.#attach(link, epoch, now);
    if (epoch.received !== undefined) this.queue?.finish(this.queue.settleBefore(epoch.received));
    if (!epoch.continues) this.#renumber(epoch, fresh);
    this.queue?.resume(this.sendWindow, link, now);
    this.receiver.resume(epoch.own.window, epoch.other.inFlight);
    this.releaseKept();
  }

  #renumber(epoch: Epoch, fresh?: () => void): void {
    const again = this.queue?.renumber(epoch.nextOut, epoch.taken) ?? [];
    this.firstOut = epoch.nextOut;
    this.receiver.restart(epoch.nextIn);
    this.recorder?.received();
    this.idTable.clear();
    for (const item of again) if (item.content.type === 'unsubscribe') this.enqueue(item);
    fresh?.();
    for (const item of again) if (item.content.type !== 'unsubscribe') this.#requeue(item);
  }

  #requeue(item: Outgoing<C>): void {
    const { content } = item;
    if (content.type !== 'emit' || this.takesReliable) return this.enqueue(item);
    // The board was given a firmware that takes nothing reliable: it gets what was held for it as it can (§3.2).
    this.pushKept(content);
    item.settle?.(undefined);
    this.recorder?.settled(item);
  }

  /** Takes up what a recorder kept of a session, which has no link yet. */
  restore({ otherLimits, nextIn, withheld, nextOut, outgoing, ids }: EngineState<C>): void {
    this.window = otherLimits.window;
    this.outbox.maxPacket = otherLimits.maxPacket;
    this.receiver.restore(nextIn, withheld);
    this.firstOut = nextOut;
    if (outgoing.length > 0) this.openQueue().takeUp(nextOut, outgoing);
    this.idTable.restore(ids);
  }

  #attach(link: LinkTraits, epoch: Epoch, now: number): void {
    this.link = link;
    this.own = epoch.own;
    this.window = epoch.other.window;
    this.idTable.ownLimit = this.#idsToDeclare(link, epoch);
    // What waited may be in ids of the numbering before, or too large for the link.
    this.drop('link_lost', this.outbox.close());
    this.outbox.open(link, epoch.other, epoch.beginToken);
    this.keepAlive.restart(epoch.keepAlive * 1000, now);
  }

  #idsToDeclare(link: LinkTraits, { own, other }: Epoch): number {
    // A peer that allows any number must not make the gateway hold every channel there is.
    if (this.role === 'gateway') return Math.min(other.ids, own.ids);
    // On UDP a peer's ids must mean the same at every boot (§6.3), which these, given in order of use, do not.
    return link.ordered ? other.ids : 0;
  }

  /** The link is gone. What is reliable stays, and what is kept for a sleeper; the rest is dropped and counted. */
  detach(): void {
    this.link = undefined;
    this.drop('link_lost', this.outbox.close());
    if (this.queue?.pending !== 0) return;
    this.firstOut = this.queue.nextSeq;
    this.queue = undefined;
  }

  /** Ends the session: every message still waiting is settled with `reason`. What was recorded is the owner's to remove. */
  end(reason: Reason): void {
    this.detach();
    this.giveUpSleep();
    this.idTable.clear();
    this.queue?.end(reason);
  }

  /** Drops emits that have waited, without a number, since before `time`. Returns how many. */
  dropWaitingSince(time: number): number {
    return this.queue?.dropWaitingSince(time) ?? 0;
  }

  // ------------------------------------------------------------------------------------------- how it stands

  /** The largest packet (bytes) and the window of the other side, as it said last. */
  get otherLimits(): EngineState<C>['otherLimits'] {
    return { maxPacket: this.outbox.maxPacket, window: this.window ?? 0 };
  }

  /** The sequence number expected next, all before it acknowledged. */
  get nextIn(): number {
    return this.receiver.acknowledged;
  }

  /** What was taken of the messages behind `nextIn`, which a refusal keeps from being acknowledged; as an ACK's bitmap. */
  get takenBehind(): Uint8Array {
    return this.receiver.takenBehind;
  }

  get nextOut(): number {
    return this.queue?.nextSeq ?? this.firstOut;
  }

  /** What is not known to have been delivered, in order. */
  get outgoing(): Iterable<Outgoing<C>> {
    return this.queue ?? [];
  }

  get ids(): Iterable<IdEntry<C>> & { readonly size: number } {
    return this.idTable;
  }

  /** The number expected next, whether or not what came before may be acknowledged yet. */
  get expected(): number {
    return this.receiver.expected;
  }

  /** Numbers whose refusal is not acknowledged yet. */
  get withheld(): readonly number[] {
    return this.receiver.withheld;
  }

  /** Reliable messages accepted and not yet acknowledged. */
  get pending(): number {
    return this.queue?.pending ?? 0;
  }

  /** How the link that stands does, for whoever watches it. */
  get health(): LinkHealth {
    return {
      roundTripMs: this.queue?.roundTrip.smoothed ?? this.outbox.pingRoundTrip,
      sent: this.queue?.sendings.all ?? 0,
      resent: this.queue?.sendings.repeated ?? 0,
      pending: this.pending,
    };
  }

  /** Bytes that wait: of reliable messages until they are acknowledged, of others until they leave. */
  get pendingBytes(): { reliable: number; unreliable: number } {
    return { reliable: this.queue?.bytes ?? 0, unreliable: this.outbox.backlogBytes };
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
    for (const message of this.outbox.backlogged()) {
      const target = this.targetOf(message);
      const channel = typeof target === 'string' ? this.owner.hold(target) : target;
      if (channel === undefined || typeof channel === 'string') continue; // It was known when the message came.
      if (typeof target === 'string') this.owner.release(channel);
      emits.push({ channel, payload: message.payload, retain: message.retain });
    }
    return emits;
  }

  /** When something was last heard, on the caller's clock in ms. */
  get heardAt(): number {
    return this.keepAlive.heardAt;
  }

  /** The greatest packet that the other side takes over this link, bytes; undefined while there is no link. */
  get maxPacket(): number | undefined {
    return this.link && this.outbox.maxPacket;
  }

  // ------------------------------------------------------------------------------------------------ sleep (§4.7)

  /** Whether the other side, a peer, sleeps. Nothing is sent to it meanwhile but answers and acknowledgements. */
  get asleep(): boolean {
    return this.sleeping !== undefined;
  }

  /** Until when the other side sleeps, if it does, on the caller's clock in ms. */
  get sleepsUntil(): number | undefined {
    return this.sleeping?.until;
  }

  /** When the other side, if it sleeps, is to be let go of unless it says something, on the caller's clock in ms. */
  get awaitedUntil(): number {
    return this.keepAlive.deadline();
  }

  /** The other side, a peer, sleeps for `ms` from `now` on. */
  sleep(ms: number, now: number): void {
    if (!this.sleeping) {
      this.sleeping = new Sleep<C>();
      for (const emit of this.#unreliable()) this.keep(emit, Number.POSITIVE_INFINITY);
      this.outbox.clearBacklog();
    }
    this.sleeping.begin(now + ms, now);
    this.keepAlive.sleep(now + ms);
    // It waits for this before it turns its receiver off.
    this.receiver.acknowledgeNow(now);
  }

  /** The other side says that it is awake; it is, when all of its packet is read. */
  rouse(): void {
    if (this.sleeping) this.sleeping.roused = true;
  }

  /** Announces that this side, a peer, will be silent for so many seconds; 0 that it is awake. */
  announceSleep(seconds: number, settle: (refusal: Reason | undefined) => void): void {
    this.control({ type: 'sleep', seconds }, (refusal) => {
      if (refusal === undefined && seconds > 0) this.keepAlive.sleep(this.keepAlive.heardAt + seconds * 1000);
      settle(refusal);
    });
  }
}
