import { BROADCAST_CHANNEL } from '../../src/wire/channels.js';
import type { Qos } from '../../src/wire/messages.js';
import { matches } from './patterns.js';
import { deviceOf, PresenceBook } from './presence-book.js';

/** A message that a board's program was told is on its way. */
export interface Sent {
  /** Says who sent it and is unlike every other. */
  readonly text: string;
  readonly from: string;
  readonly boot: number;
  /** Counts up within a boot. */
  readonly number: number;
  readonly channel: string;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly at: number;
  /** A will: the gateway emits it, each time that its board is lost. */
  readonly isWill: boolean;
  /** When the gateway passed it on. */
  readonly passedOn: number[];
  /** What became of it: the gateway took responsibility, or refused it. */
  outcome?: 'ok' | (string & {});
  settledAt?: number;
}

/** A time during which something was certain to hold; `until` is open while it does. */
interface Span {
  readonly from: number;
  until: number;
}

/** One subscription of a board, as far as the board can know. */
interface Wish extends Span {
  readonly pattern: string;
  readonly qos: Qos;
  readonly noLocal: boolean;
  /** When the gateway confirmed it; certain from then on until it is ended. */
  confirmedAt: number;
  /** When the gateway confirmed its end. */
  goneAt: number;
}

/** One boot of a board, as a receiver (PROTOCOL.md §5.1: one that remembers nothing is a new receiver). */
interface Receiver {
  readonly identity: string;
  readonly boot: number;
  /** How often each reliable message came. */
  readonly times: Map<string, number>;
  /** By channel: the last value that it heard of, by whatever way. */
  readonly values: Map<string, string>;
  /** By sender: the last reliable message, and how often the order went backwards. */
  readonly last: Map<string, Sent>;
  readonly descents: Map<string, number>;
}

/** A promise that was broken: what, and the moment on the virtual clock. */
export interface Violation {
  readonly what: string;
  readonly at: number;
}

export interface Delivery {
  readonly channel: string;
  readonly text: string;
  readonly qos: Qos;
  readonly retained: boolean;
}

/** How long it may take until what nobody waits for is in the store, ms. */
export const STORED_WITHIN_MS = 1500;

/** What the ledger has to know of boards, by identity. */
export interface Traits {
  /** Their firmware takes nothing reliable: all comes at QoS 0. */
  readonly unreliable: ReadonlySet<string>;
  /** Their wire may say a thing twice. */
  readonly echoing: ReadonlySet<string>;
}

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Keeps books on a simulated system from outside: what was sent, acknowledged, subscribed to and delivered; and holds it
 * against what PROTOCOL.md §5 and §6 promise.
 */
export class Ledger {
  readonly violations: Violation[] = [];
  readonly sent = new Map<string, Sent>();
  readonly presence = new PresenceBook((what) => this.violate(what));
  deliveries = 0;
  readonly #now: () => number;
  readonly #wishes = new Map<string, Wish[]>();
  readonly #receivers = new Map<string, Receiver>();
  /** By message and identity: when it came last. */
  readonly #delivered = new Map<string, Map<string, number>>();
  /** What found a full queue at the gateway. */
  readonly #foundNoRoom = new Set<string>();
  readonly #online = new Map<string, Span[]>();
  /** Moments at which the gateway forgot what it had acknowledged, as one without a store may. */
  readonly #amnesias: number[] = [];
  /** Moments at which its process ended, whatever it remembers. */
  readonly #crashes: number[] = [];
  /** By identity: moments at which its session ended by the rules. */
  readonly #endings = new Map<string, number[]>();
  readonly #traits: Traits;

  constructor(now: () => number, traits: Traits) {
    this.#now = now;
    this.#traits = traits;
  }

  violate(what: string): void {
    this.violations.push({ what, at: this.#now() });
  }

  // ------------------------------------------------------------------------------------------------ what happens

  send(sent: Omit<Sent, 'at' | 'isWill' | 'passedOn'>): void {
    this.sent.set(sent.text, { ...sent, at: this.#now(), isWill: false, passedOn: [] });
  }

  /** A board leaves a will. */
  leaveWill(will: Pick<Sent, 'text' | 'from' | 'channel' | 'qos' | 'retain'>): void {
    const at = this.#now();
    this.sent.set(will.text, { ...will, boot: 0, number: 0, at, isWill: true, passedOn: [], outcome: 'ok' });
  }

  /** The gateway passes a message on to whoever is entitled to it. */
  passOn(text: string): void {
    this.sent.get(text)?.passedOn.push(this.#now());
  }

  /** The gateway has no room for a message at somebody who is entitled to it. */
  findNoRoom(text: string): void {
    this.#foundNoRoom.add(text);
  }

  /** The program was told at once that it was not taken. */
  unsend(text: string): void {
    this.sent.delete(text);
  }

  settle(text: string, refusal: string | undefined): void {
    const sent = this.sent.get(text) as Sent;
    if (sent.outcome !== undefined) return this.violate(`${text} was settled twice`);
    sent.outcome = refusal ?? 'ok';
    sent.settledAt = this.#now();
    const forbidden = isForbidden(sent);
    if (forbidden && refusal === undefined)
      this.violate(`${text}, which nobody may emit on ${sent.channel}, was acknowledged`);
    if (refusal === 'queue_full' && this.#foundNoRoom.has(text)) this.#checkNobodyGot(sent);
    else if (!forbidden && refusal !== undefined)
      this.violate(`${text} was refused for no reason: ${refusal}`);
  }

  /** What is refused for want of room, nobody gets (§5.7); unless it was sent again to a gateway that forgot it had taken it. */
  #checkNobodyGot({ text, from, at, passedOn }: Sent): void {
    const excuses = [...this.#crashes, ...(this.#endings.get(from) ?? [])];
    if (passedOn.length > 0 && !excuses.some((excuse) => excuse >= at))
      this.violate(`${text} was refused, and passed on`);
  }

  /** A board asks for a subscription, in place of an earlier one to the same pattern. */
  wish(identity: string, pattern: string, qos: Qos, noLocal: boolean): void {
    this.unwish(identity, pattern);
    const wish = {
      pattern,
      qos,
      noLocal,
      from: this.#now(),
      until: NEVER,
      confirmedAt: NEVER,
      goneAt: NEVER,
    };
    this.#wishesOf(identity).push(wish);
  }

  confirmed(identity: string, pattern: string): void {
    const wish = this.#wishesOf(identity).findLast((one) => one.pattern === pattern);
    if (wish && wish.until === NEVER) wish.confirmedAt = Math.min(wish.confirmedAt, this.#now());
  }

  unwish(identity: string, pattern: string): void {
    for (const wish of this.#wishesOf(identity)) {
      if (wish.pattern === pattern) wish.until = Math.min(wish.until, this.#now());
    }
  }

  /** The gateway confirmed that the pattern is not subscribed to any more. */
  gone(identity: string, pattern: string): void {
    for (const wish of this.#wishesOf(identity)) {
      if (wish.pattern === pattern && wish.until < NEVER) wish.goneAt = Math.min(wish.goneAt, this.#now());
    }
  }

  online(identity: string): void {
    // A board that took over from its own former boot was not told to be offline.
    this.offline(identity);
    const spans = this.#online.get(identity) ?? [];
    spans.push({ from: this.#now(), until: NEVER });
    this.#online.set(identity, spans);
  }

  offline(identity: string): void {
    const last = this.#online.get(identity)?.at(-1);
    if (last) last.until = Math.min(last.until, this.#now());
  }

  /** The gateway's process is gone. If it does not remember, subscriptions stand only when they are confirmed again. */
  gatewayGone(remembers: boolean): void {
    for (const identity of this.#online.keys()) this.offline(identity);
    this.#crashes.push(this.#now());
    if (remembers) return;
    this.#amnesias.push(this.#now());
    for (const identity of this.#wishes.keys()) this.#renew(identity);
  }

  /** The session ended by the rules: what was held for it is gone. */
  ended(identity: string): void {
    // One that slept is not told to be offline.
    this.offline(identity);
    this.#endings.set(identity, [...(this.#endings.get(identity) ?? []), this.#now()]);
    this.#renew(identity);
  }

  #renew(identity: string): void {
    for (const wish of this.#wishesOf(identity).filter(({ until }) => until === NEVER))
      this.wish(identity, wish.pattern, wish.qos, wish.noLocal);
  }

  /** A handler was given a message. */
  deliver(identity: string, boot: number, delivery: Delivery): void {
    this.deliveries++;
    const { channel, text, qos, retained } = delivery;
    const who = `${identity}, boot ${boot},`;
    const device = deviceOf(channel);
    if (device !== undefined) {
      if (this.#matching(identity, channel).length === 0)
        this.violate(`${who} got ${channel}, to which it had not subscribed`);
      return this.presence.heard(identity, boot, device, text);
    }
    const sent = this.sent.get(text);
    if (!sent) return this.violate(`${who} got "${text}", which nobody sent`);
    if (sent.passedOn.length === 0) this.violate(`${who} got ${text}, which the gateway had not passed on`);
    if (isForbidden(sent)) this.violate(`${who} got ${text}, which was not to be emitted`);
    if (sent.channel !== channel) this.violate(`${who} got ${text} on ${channel} instead of ${sent.channel}`);
    if (qos > sent.qos) this.violate(`${who} got ${text} at QoS ${qos}, which was sent at ${sent.qos}`);
    if (retained && !sent.retain) this.violate(`${who} got ${text} as a last value, which it never was`);
    this.#checkWanted(identity, who, sent, retained);
    const receiver = this.#receiver(identity, boot);
    if (sent.retain) receiver.values.set(channel, text);
    if (retained) return;
    const { echoing } = this.#traits;
    // What a sender sends again to a gateway that crashed, and may have passed it on at QoS 0, is passed on again (§5.1).
    if (qos > 0) this.#checkTimes(receiver, who, sent, this.#amnesias);
    else if (!echoing.has(identity) && !echoing.has(sent.from))
      this.#checkTimes(receiver, who, sent, this.#crashes);
    const delivered = this.#delivered.get(text) ?? new Map<string, number>();
    delivered.set(identity, this.#now());
    this.#delivered.set(text, delivered);
    if (qos > 0 && !sent.isWill) this.#checkOrder(receiver, who, sent);
  }

  #checkWanted(identity: string, who: string, sent: Sent, retained: boolean): void {
    if (sent.channel === BROADCAST_CHANNEL) {
      if (sent.from === identity) this.violate(`${who} got its own broadcast ${sent.text}`);
      return;
    }
    // A subscription that was ended for certain before the message was sent cannot have matched it.
    const wanted = this.#matching(identity, sent.channel).filter(({ goneAt }) => goneAt >= sent.at);
    if (wanted.length === 0) this.violate(`${who} got ${sent.text}, to which it had not subscribed`);
    else if (!retained && sent.from === identity && wanted.every(({ noLocal }) => noLocal))
      this.violate(`${who} got its own ${sent.text} in spite of "no local"`);
  }

  #checkTimes({ times }: Receiver, who: string, sent: Sent, excuses: readonly number[]): void {
    const count = (times.get(sent.text) ?? 0) + 1;
    times.set(sent.text, count);
    const until = Math.min(sent.settledAt ?? NEVER, this.#now());
    const emits = sent.isWill ? sent.passedOn.length : 1;
    const allowed = emits + excuses.filter((at) => at >= sent.at && at <= until).length;
    if (count > allowed) this.violate(`${who} got ${sent.text} (QoS ${sent.qos}) ${count} times`);
  }

  #checkOrder({ last, descents }: Receiver, who: string, sent: Sent): void {
    const before = last.get(sent.from);
    if (before) {
      const backwards = isBackwards(before, sent);
      const count = (descents.get(sent.from) ?? 0) + (backwards ? 1 : 0);
      descents.set(sent.from, count);
      if (backwards && count > this.#amnesias.length)
        this.violate(`${who} got ${sent.text} after ${before.text}`);
    }
    last.set(sent.from, sent);
  }

  // --------------------------------------------------------------------------------------- what must have happened

  /** Checks, once everything is at rest, that what was acknowledged arrived. */
  settleAccounts(): void {
    const audiences = new Map<string, string[]>();
    for (const sent of this.sent.values()) {
      if (sent.qos === 0) continue;
      const audience = audiences.get(sent.channel) ?? this.#audienceOf(sent);
      audiences.set(sent.channel, audience);
      if (sent.outcome === 'ok') this.#checkArrived(sent, audience);
    }
  }

  /** Who ever asked for the channel. */
  #audienceOf(sent: Sent): string[] {
    if (sent.channel === BROADCAST_CHANNEL) return [...this.#online.keys()];
    return [...this.#wishes.keys()].filter((identity) => this.#matching(identity, sent.channel).length > 0);
  }

  #checkArrived(sent: Sent, audience: readonly string[]): void {
    const { text, qos, passedOn, isWill } = sent;
    if (passedOn.length === 0 && !isWill)
      this.violate(`${text} (QoS ${qos}) was acknowledged, and never passed on`);
    const delivered = this.#delivered.get(text);
    for (const identity of audience) {
      const came = delivered?.get(identity) ?? Number.NEGATIVE_INFINITY;
      const missed = passedOn.find((at) => came < at && this.#isOwed(identity, sent, at));
      if (missed === undefined) continue;
      const taken = isWill ? 'a will, was emitted' : `QoS ${qos}, was acknowledged`;
      this.violate(`${text} (${taken}) and never reached ${identity}`);
    }
  }

  /** Whether the subscription, or for a broadcast the connection, was certain at the moment when the gateway passed it on. */
  #isOwed(identity: string, sent: Sent, at: number): boolean {
    if (this.#traits.unreliable.has(identity)) return false;
    const forgotten = [...this.#amnesias, ...(this.#endings.get(identity) ?? [])];
    if (forgotten.some((moment) => moment >= at)) return false;
    // Another process may have taken it anew; and nobody was told that a will was emitted which was about to be stored.
    const certainAt = sent.isWill ? at + STORED_WITHIN_MS : (sent.settledAt as number);
    if (this.#crashes.some((crash) => crash >= at && crash <= certainAt)) return false;
    if (sent.channel === BROADCAST_CHANNEL) {
      const spans = this.#online.get(identity) ?? [];
      return sent.from !== identity && spans.some(({ from, until }) => from < at && until > at);
    }
    const wishes = this.#matching(identity, sent.channel).filter(
      ({ confirmedAt, until }) => confirmedAt < at && until > at,
    );
    return wishes.some(({ qos, noLocal }) => qos > 0 && !(noLocal && sent.from === identity));
  }

  /** Whether the identity was ever given the message, at whatever quality. */
  hasGot(identity: string, text: string): boolean {
    return this.#delivered.get(text)?.has(identity) === true;
  }

  /** What a boot of a board takes for the last value of a channel. */
  believedBy(identity: string, boot: number, channel: string): string | undefined {
    return this.#receiver(identity, boot).values.get(channel);
  }

  /**
   * Checks what a board that has just subscribed to all last values was told of them: nothing older than what was
   * acknowledged last, and what everyone else who is subscribed believes too.
   */
  checkLastValues(auditor: string, boots: ReadonlyMap<string, number>): void {
    const { values } = this.#receiver(auditor, 1);
    const newest = new Map<string, Sent>();
    for (const sent of this.sent.values()) {
      const isOwed = sent.retain && sent.qos > 0 && sent.outcome === 'ok' && !sent.isWill;
      if (isOwed && !this.#amnesiasIn(sent.at, NEVER)) newest.set(sent.channel, sent);
    }
    for (const [channel, sent] of newest) {
      const value = this.sent.get(values.get(channel) ?? '');
      if (!value) this.violate(`${channel} has no last value; ${sent.text} was acknowledged`);
      else if (isBackwards(sent, value))
        this.violate(`the last value of ${channel} is ${value.text}; ${sent.text} was acknowledged after it`);
    }
    for (const [identity, boot] of boots) {
      if (this.#traits.unreliable.has(identity)) continue;
      for (const [channel, value] of values) {
        const wishes = this.#matching(identity, channel);
        // At QoS 0 an old last value may come after a newer message; and with "no local" nobody hears of its own.
        const reliably = wishes.every(({ qos }) => qos > 0) && wishes.some(({ until }) => until === NEVER);
        const sent = this.sent.get(value);
        if (!reliably || sent?.qos === 0 || sent?.from === identity) continue;
        const believed = this.#receiver(identity, boot).values.get(channel);
        if (believed !== value)
          this.violate(
            `${identity} takes ${believed ?? 'nothing'} for the last value of ${channel}; it is ${value}`,
          );
      }
    }
  }

  // ------------------------------------------------------------------------------------------------------ look-ups

  /** What `identity` has asked for and not taken back: pattern and QoS. */
  standing(identity: string): Map<string, Qos> {
    const standing = this.#wishesOf(identity).filter(({ until }) => until === NEVER);
    return new Map(standing.map(({ pattern, qos }) => [pattern, qos]));
  }

  #matching(identity: string, channel: string): Wish[] {
    return this.#wishesOf(identity).filter(({ pattern }) => matches(pattern, channel));
  }

  #amnesiasIn(from: number, to: number): number {
    return this.#amnesias.filter((at) => at >= from && at <= to).length;
  }

  #wishesOf(identity: string): Wish[] {
    let wishes = this.#wishes.get(identity);
    if (!wishes) {
      wishes = [];
      this.#wishes.set(identity, wishes);
    }
    return wishes;
  }

  #receiver(identity: string, boot: number): Receiver {
    const key = `${identity}/${boot}`;
    let receiver = this.#receivers.get(key);
    if (!receiver) {
      receiver = {
        identity,
        boot,
        times: new Map(),
        values: new Map(),
        last: new Map(),
        descents: new Map(),
      };
      this.#receivers.set(key, receiver);
    }
    return receiver;
  }
}

/** The gateway's own channels are not for boards to emit on (PROTOCOL.md §6.1). */
function isForbidden({ channel }: Sent): boolean {
  return channel.startsWith('$') && channel !== BROADCAST_CHANNEL;
}

/** Whether of two messages of one sender the one that came second was sent first. */
function isBackwards(first: Sent, second: Sent): boolean {
  return second.boot < first.boot || (second.boot === first.boot && second.number < first.number);
}
