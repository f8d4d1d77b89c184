import type { Session } from '../../src/gateway/session.js';
import { BROADCAST_CHANNEL } from '../../src/wire/channels.js';
import { decodePacket } from '../../src/wire/decode.js';
import type { DeviceState } from '../../src/wire/device-states.js';
import { type Faults, LATE_MS } from '../support/faulty-wire.js';
import { Attendance } from './attendance.js';
import { Ledger, STORED_WITHIN_MS } from './ledger.js';
import { matches } from './patterns.js';
import { deviceOf } from './presence-book.js';
import type { BoardSpec } from './scenario.js';
import { SleepBook } from './sleep-book.js';
import type { Emission } from './watched-router.js';
import { WillsBook } from './wills-book.js';
import type { World } from './world.js';

/** What a gateway that is gone had acknowledged may still arrive for so long, ms. */
const STRAGGLING_MS = LATE_MS + 5000;
/** What was held for who slept, or was away, is with it so long after it is back, ms: longer than anything on its way stands still. */
const DELIVERED_WITHIN_MS = 10_000;
/** PROTOCOL.md §3.2. */
const BYE_HEAD = 0xb4;
/** What a gateway may send to a sleeper, which has asked for it (PROTOCOL.md §4.7). */
const ANSWERS = new Set(['ack', 'pong', 'time', 'welcome', 'refuse']);
/** A gateway and a sleeper agree on the sleep within so long, ms. */
const ASLEEP_WITHIN_MS = 1000;
/** Of who is not in the scenario, s. */
const USUAL_EXPIRY_S = 3600;

/** Keeps the books on what the gateway does: from what it says, passes on and sends, as seen from outside of it. */
export class Observer {
  readonly ledger: Ledger;
  readonly attendance: Attendance;
  readonly wills: WillsBook;
  readonly sleeps: SleepBook;
  readonly #world: World;
  /** By identity: when its session was last told goodbye. */
  readonly #goodbyes = new Map<string, number>();
  /** Who was there, or lost and not told of, when the last process ended; and whether that is certain to be in the store. */
  #lostWithGateway = new Map<string, boolean>();
  /** By identity, of those that are away: the last values of QoS 0 that they miss, by channel. */
  readonly #missed = new Map<string, Map<string, string>>();
  readonly #lastValues = new Map<string, string>();
  /** The identities of which there are two. */
  readonly twinned = new Set<string>();
  #goneAt = Number.NEGATIVE_INFINITY;

  constructor(world: World) {
    this.#world = world;
    const { boards } = world.scenario;
    const namesOf = (some: readonly BoardSpec[]) => new Set(some.map(({ name }) => name));
    this.ledger = new Ledger(() => world.clock.now(), {
      unreliable: namesOf(boards.filter(({ window }) => window === 0)),
      echoing: namesOf(boards.filter(({ kind, faults }) => kind === 'udp' && canRepeat(faults))),
    });
    const specs = new Map(boards.map((spec) => [spec.name, spec]));
    const context = {
      now: () => world.clock.now(),
      schedule: (ms: number, task: () => void) => void world.clock.schedule(ms, task),
      violate: (what: string) => this.ledger.violate(what),
    };
    this.attendance = new Attendance({
      ...context,
      expiryMs: (identity) => (specs.get(identity)?.expiry ?? USUAL_EXPIRY_S) * 1000,
      isForgetful: (identity) => specs.get(identity)?.window === 0,
      hasSession: (identity) => world.gateway.up && world.gateway.hub.sessions.has(identity),
    });
    this.wills = new WillsBook(context);
    this.sleeps = new SleepBook(context.violate);
  }

  // ------------------------------------------------------------------------------------------ the gateway's process

  gatewayGone(): void {
    const { clock, boards } = this.#world;
    this.#goneAt = clock.now();
    const remembers = this.#remembers;
    this.#lostWithGateway = remembers ? this.#thoseLost() : new Map();
    this.ledger.gatewayGone(remembers);
    this.attendance.gatewayGone();
    this.wills.gatewayGone(remembers);
    this.#missed.clear();
    for (const name of boards.keys()) this.sleeps.gone(name);
  }

  get #remembers(): boolean {
    return this.#world.scenario.gateway.storeMs !== undefined;
  }

  #thoseLost(): Map<string, boolean> {
    const lost = new Map<string, boolean>();
    for (const name of this.#world.boards.keys()) {
      const { state, since } = this.attendance.of(name);
      const certain = this.#goneAt - since > STORED_WITHIN_MS;
      if (state !== 'offline' || !certain || this.wills.isLost(name, STORED_WITHIN_MS))
        lost.set(name, certain && state === 'online');
    }
    return lost;
  }

  /** `start`s the next process. */
  gatewayBack(start: () => void): void {
    const { gateway } = this.#world;
    for (const [identity, certain] of this.#lostWithGateway) this.wills.restored(identity, certain);
    start();
    for (const [identity, session] of gateway.up ? gateway.hub.sessions : [])
      if (session.engine.asleep) this.#asleep(identity);
  }

  /** The word of a gateway that is gone since counts for nothing, unless that remembers. */
  get #straggling(): boolean {
    return !this.#remembers && this.#world.clock.now() - this.#goneAt < STRAGGLING_MS;
  }

  // ---------------------------------------------------------------------------------------------------- sessions

  /** A board says that the gateway confirmed a subscription. */
  confirmed(identity: string, pattern: string): void {
    if (!this.#straggling || this.#holds(identity, pattern)) this.ledger.confirmed(identity, pattern);
  }

  #holds(identity: string, pattern: string): boolean {
    const { gateway } = this.#world;
    const session = gateway.up ? gateway.hub.sessions.get(identity) : undefined;
    return session !== undefined && gateway.router.subscriptionsOf(session).has(pattern);
  }

  /** A board says that the gateway confirmed its will. */
  willConfirmed(identity: string, text: string | undefined): void {
    if (!this.#straggling) this.wills.confirmed(identity, text);
  }

  presence({ identity }: Session, state: DeviceState): void {
    this.#world.tell(() => `${identity} is ${state} at the gateway`);
    const before = this.attendance.of(identity);
    this.attendance.changed(identity, state);
    if (this.twinned.has(identity))
      this.ledger.violate(`${identity} went ${state} because of another of that name`);
    if (state === 'offline') {
      this.ledger.offline(identity);
      this.sleeps.gone(identity);
      this.wills.offline(identity, this.#goodbyes.get(identity) === this.#world.clock.now());
    } else if (state === 'asleep') this.#asleep(identity);
    else {
      // One that wakes was there all along.
      if (before.state !== 'asleep') this.ledger.online(identity);
      this.wills.online(identity);
      if (before.state === 'asleep') this.#awake(identity);
      this.#back(identity);
    }
  }

  #asleep(identity: string): void {
    if (this.attendance.of(identity).state !== 'asleep') this.attendance.changed(identity, 'asleep');
    this.sleeps.asleep(identity);
  }

  /** What a sleeper missed at QoS 0 is sent now. */
  #awake(identity: string): void {
    const kept = this.sleeps.awake(identity);
    const { boot } = this.#world.boards.get(identity) ?? { boot: 0 };
    this.#expect(identity, kept, (channel, text) => {
      const known = this.ledger.believedBy(identity, boot, channel) === text;
      if (!known && !this.ledger.hasGot(identity, text))
        this.ledger.violate(`${identity} woke, and never got ${text}, the last on ${channel} in its sleep`);
    });
  }

  /** The last values that changed while it was away are sent now. */
  #back(identity: string): void {
    const missed = this.#missed.get(identity) ?? new Map<string, string>();
    this.#missed.delete(identity);
    const { boot } = this.#world.boards.get(identity) ?? { boot: 0 };
    this.#expect(identity, missed, (channel, text) => {
      const isLast = this.#lastValues.get(channel) === text;
      if (isLast && this.ledger.believedBy(identity, boot, channel) !== text)
        this.ledger.violate(`${identity} came back, and was not told ${text}, the last value of ${channel}`);
    });
  }

  /** Over a connection that stands all of that arrives: looks at it after a while, if nothing has come between. */
  #expect(
    identity: string,
    messages: ReadonlyMap<string, string>,
    check: (channel: string, text: string) => void,
  ): void {
    const board = this.#world.boards.get(identity);
    if (board?.spec.kind !== 'tcp' || messages.size === 0) return;
    const { cable, boot } = board;
    const { since } = this.attendance.of(identity);
    this.#world.clock.schedule(DELIVERED_WITHIN_MS, () => {
      const undisturbed = board.cable === cable && board.boot === boot && cable?.mute === false;
      if (!undisturbed || this.attendance.of(identity).since !== since) return;
      for (const [channel, text] of messages) check(channel, text);
    });
  }

  ended({ identity }: Session): void {
    this.#world.tell(() => `the session of ${identity} is over`);
    this.attendance.ended(identity);
    this.wills.ended(identity);
    this.ledger.ended(identity);
    this.sleeps.gone(identity);
    this.#missed.delete(identity);
  }

  // -------------------------------------------------------------------------------------------------- messages

  /** A message is passed on by the gateway, or refused. */
  emitted({ channel, text, qos, from, refusal }: Emission): void {
    const device = deviceOf(channel);
    if (device !== undefined) this.#told(device, text);
    const sent = this.ledger.sent.get(text);
    if (sent?.isWill) {
      this.#world.tell(
        () => `the will ${text} is ${refusal === undefined ? 'emitted' : `refused: ${refusal}`}`,
      );
      this.wills.tried(sent.from, text, refusal === 'queue_full');
    }
    if (refusal === 'queue_full') {
      this.ledger.findNoRoom(text);
      this.#checkFull(channel, text, from);
    }
    if (refusal !== undefined) return;
    this.ledger.passOn(text);
    if (!sent) return;
    if (sent.retain) this.#lastValues.set(channel, text);
    for (const [identity, session] of this.#world.gateway.hub.sessions) {
      const { state } = this.attendance.of(identity);
      if (state !== 'asleep') this.sleeps.forgive(identity, text);
      if (state === 'online') continue;
      const reach = this.#reach(session, channel);
      const unreliably = reach !== undefined && (reach === 0 || qos === 0) && identity !== from;
      if (unreliably && state === 'asleep') this.sleeps.passed(identity, channel, text);
      if (state === 'offline' && sent.retain) this.#miss(identity, channel, unreliably ? text : undefined);
    }
  }

  /** The gateway tells everyone who listens of the state of a device. */
  #told(device: string, said: string): void {
    const { state } = this.attendance.of(device);
    if (said !== state) this.ledger.violate(`the gateway said that ${device} is ${said}; it is ${state}`);
    this.ledger.presence.said(device, said);
  }

  /** One that is away misses a last value, or gets it when it comes back as it gets all that is reliable. */
  #miss(identity: string, channel: string, text: string | undefined): void {
    const missed = this.#missed.get(identity) ?? new Map<string, string>();
    this.#missed.set(identity, missed);
    if (text === undefined) missed.delete(channel);
    else missed.set(channel, text);
  }

  /** At which quality at most the session gets what is emitted on the channel; undefined: not at all. */
  #reach(session: Session, channel: string): number | undefined {
    if (channel === BROADCAST_CHANNEL) return session.engine.takesReliable ? 2 : 0;
    let reach: number | undefined;
    for (const [pattern, { qos }] of this.#world.gateway.router.subscriptionsOf(session))
      if (matches(pattern, channel)) reach = Math.max(reach ?? 0, session.engine.takesReliable ? qos : 0);
    return reach;
  }

  /** Nobody is refused for want of room unless there is none (§5.7); who has none may be told to go. */
  #checkFull(channel: string, text: string, from: string | undefined): void {
    const { queue, endFull } = this.#world.scenario.gateway;
    const full: string[] = [];
    for (const [identity, session] of this.#world.gateway.hub.sessions)
      if (session.engine.pending >= queue && (this.#reach(session, channel) ?? 0) > 0) full.push(identity);
    // Of several the first that is asked goes, and nobody asks the others.
    if (endFull) for (const identity of full) this.attendance.overfull(identity, full.length === 1);
    if (full.length === 0)
      this.ledger.violate(`${text} of ${from ?? 'the gateway'} was refused, and there was room for it`);
  }

  /** A packet reaches the gateway from the board's cable, or leaves it. */
  packet(identity: string, packet: Uint8Array, from: 'peer' | 'gateway'): void {
    if (from === 'gateway') return this.#checkHush(identity, packet);
    // Few enough to be worth a look: a goodbye is short, and stands at the end.
    const isGoodbye = packet.at(-2) === BYE_HEAD && (packet.at(-1) as number) < 2;
    if (isGoodbye && decodePacket(packet, 'peer').at(-1)?.type === 'bye')
      this.#goodbyes.set(identity, this.#world.clock.now());
  }

  /** A sleeper is sent nothing but answers, once it knows that the gateway knows. */
  #checkHush(identity: string, packet: Uint8Array): void {
    const { state, since } = this.attendance.of(identity);
    if (state !== 'asleep' || this.#world.clock.now() - since < ASLEEP_WITHIN_MS) return;
    const engine = this.#world.gateway.hub.sessions.get(identity)?.engine;
    if (!engine?.asleep || engine.nextIn !== engine.expected) return;
    const types = decodePacket(packet, 'gateway').map(({ type }) => type);
    if (!types.every((type) => ANSWERS.has(type)))
      this.ledger.violate(`the gateway sent ${types.join(' and ')} to ${identity}, which sleeps`);
  }
}

function canRepeat({ duplicate, late = 0 }: Faults): boolean {
  return duplicate > 0 || late > 0;
}
