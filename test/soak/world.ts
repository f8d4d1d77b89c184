import type { PresenceState } from '../../src/gateway/presence.js';
import type { Session } from '../../src/gateway/session.js';
import { BROADCAST_CHANNEL } from '../../src/wire/channels.js';
import { decodePacket } from '../../src/wire/decode.js';
import { type Faults, LATE_MS } from '../support/faulty-wire.js';
import { Random } from '../support/random.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { Attendance } from './attendance.js';
import { Board } from './board.js';
import { Cable, type CableOptions } from './cable.js';
import { FaultPlan, type PacketFault } from './fault-plan.js';
import { GatewayHost } from './gateway-host.js';
import { Ledger } from './ledger.js';
import { matches } from './patterns.js';
import type { Port } from './port.js';
import { type BoardSpec, describeStep, type Scenario, type Step } from './scenario.js';
import { SleepBook } from './sleep-book.js';
import { Twin } from './twin.js';
import type { Emission } from './watched-router.js';
import { WillsBook } from './wills-book.js';

/** A gateway learns by itself that a port or a connection is gone, but late, ms. */
const FORGOTTEN_AFTER_MS = 20_000;
/** What a gateway that is gone had acknowledged may still arrive for so long, ms. */
const STRAGGLING_MS = LATE_MS + 5000;
/** What happened so long before its process ended, a gateway with a store remembers, ms. */
const STORED_WITHIN_MS = 500;
/** What was held for a sleeper is with it so long after it woke, ms: longer than anything on its way stands still. */
const DELIVERED_WITHIN_MS = 10_000;
/** PROTOCOL.md §3.2. */
const BYE_HEAD = 0xb4;
/** What a gateway may send to a sleeper, which has asked for it (PROTOCOL.md §4.7). */
const ANSWERS = new Set(['ack', 'pong', 'time', 'welcome', 'refuse']);
/** A gateway and a sleeper agree on the sleep within so long, ms. */
const ASLEEP_WITHIN_MS = 1000;

export interface TraceLine {
  readonly at: number;
  readonly text: string;
}

/** A whole system in virtual time: one gateway, its boards, what connects them, and the books. */
export class World {
  readonly clock = new VirtualClock();
  readonly ledger: Ledger;
  readonly attendance: Attendance;
  readonly wills: WillsBook;
  readonly sleeps: SleepBook;
  readonly plan: FaultPlan;
  readonly gateway: GatewayHost;
  readonly boards = new Map<string, Board>();
  /** What happened, if that is wanted. */
  readonly trace: TraceLine[] = [];
  /** Called with every packet that leaves or reaches the gateway. */
  onPacket: ((board: string, packet: Uint8Array, from: 'peer' | 'gateway') => void) | undefined;
  onPresence: ((identity: string, state: PresenceState) => void) | undefined;
  /** Packets that were put on wires. */
  packets = 0;
  collisions = 0;
  /** The most messages that waited at the gateway for one board, looked at once a second. */
  mostHeld = 0;
  /** Things that went wrong on purpose, packet faults aside. */
  disruptions = 0;
  readonly #scenario: Scenario;
  readonly #tracing: boolean;
  readonly #cables = new Set<Cable>();
  readonly #sessions = new Map<string, Session>();
  readonly #specs: ReadonlyMap<string, BoardSpec>;
  readonly #random: Random;
  /** By identity: when its session was last told goodbye. */
  readonly #goodbyes = new Map<string, number>();
  /** Who was there, or lost and not told of, when the last process ended; and whether that is certain to be in the store. */
  #lostWithGateway = new Map<string, boolean>();
  /** The identities of which there are two. */
  readonly #twinned = new Set<string>();
  #killedAt = Number.NEGATIVE_INFINITY;
  #downMs = 0;

  constructor(scenario: Scenario, tracing: boolean) {
    this.#scenario = scenario;
    this.#tracing = tracing;
    this.plan = new FaultPlan(scenario.seed, scenario.packetFaults);
    const namesOf = (boards: readonly BoardSpec[]) => new Set(boards.map(({ name }) => name));
    this.ledger = new Ledger(() => this.clock.now(), {
      unreliable: namesOf(scenario.boards.filter(({ window }) => window === 0)),
      echoing: namesOf(scenario.boards.filter(({ kind, faults }) => kind === 'udp' && canRepeat(faults))),
    });
    this.#specs = new Map(scenario.boards.map((spec) => [spec.name, spec]));
    this.#random = new Random(scenario.seed + 2);
    const context = {
      now: () => this.clock.now(),
      schedule: (ms: number, task: () => void) => void this.clock.schedule(ms, task),
      violate: (what: string) => this.ledger.violate(what),
    };
    this.attendance = new Attendance({
      ...context,
      expiryMs: (identity) => (this.#specs.get(identity)?.expiry ?? 86_400) * 1000,
      isForgetful: (identity) => this.#specs.get(identity)?.window === 0,
      hasSession: (identity) => this.gateway.up && this.gateway.hub.sessions.has(identity),
    });
    this.wills = new WillsBook(context);
    this.sleeps = new SleepBook(context.violate);
    this.gateway = new GatewayHost(this.clock, new Random(scenario.seed + 1), scenario.gateway, {
      presence: (session, state) => this.#presence(session, state),
      packet: (port, packet, from) => this.#packet(port, packet, from),
      emitted: (emission) => this.#emitted(emission),
      ended: (session) => this.#ended(session),
      closed: (cable) => this.#closed(cable),
      died: () => this.#died(),
    });
    this.gateway.start([]);
    for (const spec of scenario.boards) this.add(spec);
    this.#watch();
    for (const step of scenario.steps) this.clock.schedule(step.at, () => this.#take(step));
  }

  /** Adds a board, switched on and plugged in. */
  add(spec: BoardSpec): void {
    const board = new Board(this, spec, this.#scenario.seed + 1000 * (this.boards.size + 1));
    this.boards.set(spec.name, board);
    for (const { pattern, qos, noLocal } of spec.wishes) this.ledger.wish(spec.name, pattern, qos, noLocal);
    board.powerOn();
    board.plug(false);
  }

  #watch(): void {
    if (this.gateway.up)
      for (const s of this.gateway.hub.sessions.values())
        this.mostHeld = Math.max(this.mostHeld, s.engine.pending);
    this.clock.schedule(1000, () => this.#watch());
  }

  /** Notes what happened, for the history. */
  tell(text: () => string): void {
    if (this.#tracing) this.trace.push({ at: this.clock.now(), text: text() });
  }

  /** Runs until `endMs`, or until something is wrong. */
  runUntil(endMs: number): void {
    while (this.ledger.violations.length === 0 && this.clock.step(endMs - this.clock.now())) {}
    if (this.ledger.violations.length === 0) this.clock.advance(Math.max(0, endMs - this.clock.now()));
  }

  /** Runs until `condition` holds; says whether it did by `endMs`. */
  runUntilAll(condition: () => boolean, endMs: number): boolean {
    while (this.clock.now() < endMs) {
      if (this.ledger.violations.length > 0 || condition()) return true;
      this.runUntil(Math.min(endMs, this.clock.now() + 100));
    }
    return condition();
  }

  // ----------------------------------------------------------------------------------------------------- steps

  #take(step: Step): void {
    if (step.what !== 'emit') this.tell(() => describeStep(step));
    if (!['emit', 'subscribe', 'unsubscribe', 'will'].includes(step.what)) this.disruptions++;
    const board = 'board' in step ? this.boards.get(step.board) : undefined;
    switch (step.what) {
      case 'emit':
        for (let i = 0; i < step.count; i++) board?.emit(step.emit);
        return;
      case 'subscribe':
        return board?.subscribe(step.pattern, step);
      case 'unsubscribe':
        return board?.unsubscribe(step.pattern);
      case 'reset':
        return board?.losePower(step);
      case 'will':
        return board?.leaveWill(step.will);
      case 'sleep':
        return board?.sleep(step.seconds);
      case 'leave':
        return board?.leave(step);
      case 'twin':
        return board && this.#twin(board, step);
      case 'mute':
        return board && this.#mute(board, step.forMs);
      case 'replug':
        board?.unplug(step.gatewayTold, step.boardTold);
        this.clock.schedule(step.afterMs, () => board?.plug(step.moved));
        return;
      case 'kill':
        return this.#kill(step.hostCalls, step.downMs, step.gently);
      case 'clock':
        this.gateway.skew = step.skewMs;
    }
  }

  #mute(board: Board, forMs: number): void {
    const { cable } = board;
    if (!cable) return;
    // TCP would resend what was lost: for it a mute cable is a connection that hangs, and is given up.
    cable.mute = true;
    const left = Math.max(0, this.#scenario.endsAt - this.clock.now());
    this.clock.schedule(Math.min(forMs, left), () => {
      if (cable.kind === 'tcp') board.closed(cable);
      if (cable.kind === 'tcp') this.hangUp(cable);
      else cable.mute = false;
    });
  }

  #kill(hostCalls: number, downMs: number, gently: boolean): void {
    if (!this.gateway.up) return;
    this.#downMs = downMs;
    const { machine } = this.gateway;
    if (gently) {
      this.wills.stopping();
      this.gateway.stop();
    } else if (hostCalls === 0) machine.die();
    else {
      machine.dieAfter(hostCalls - 1);
      this.clock.schedule(1000, () => machine.die());
    }
  }

  #died(): void {
    this.tell(() => 'the gateway is gone');
    this.#killedAt = this.clock.now();
    this.#sessions.clear();
    const remembers = this.#remembers;
    this.#lostWithGateway = remembers ? this.#thoseLost() : new Map();
    this.ledger.gatewayGone(remembers);
    this.attendance.gatewayGone();
    this.wills.gatewayGone(remembers);
    for (const name of this.boards.keys()) this.sleeps.gone(name);
    this.clock.schedule(this.#downMs, () => this.#restart());
  }

  get #remembers(): boolean {
    return this.#scenario.gateway.storeMs !== undefined;
  }

  #thoseLost(): Map<string, boolean> {
    const now = this.clock.now();
    const lost = new Map<string, boolean>();
    for (const name of this.boards.keys()) {
      const { state, since } = this.attendance.of(name);
      const certain = now - since > STORED_WITHIN_MS;
      if (state !== 'offline' || !certain || this.wills.isLost(name))
        lost.set(name, certain && state === 'online');
    }
    return lost;
  }

  #restart(): void {
    this.tell(() => 'the gateway starts');
    for (const [identity, certain] of this.#lostWithGateway) this.wills.restored(identity, certain);
    this.gateway.start(this.#cables);
    for (const [identity, session] of this.gateway.up ? this.gateway.hub.sessions : []) {
      if (session.engine.asleep) this.#asleep(identity);
    }
  }

  // ---------------------------------------------------------------------------------------------------- cables

  cable(options: Omit<CableOptions, 'toGateway' | 'fault'>): Cable {
    const cable: Cable = new Cable(this.clock, this.plan, {
      ...options,
      toGateway: (bytes) => this.gateway.receive(cable, bytes),
      fault: (fault) => this.tell(() => describeFault(fault)),
    });
    this.#cables.add(cable);
    return cable;
  }

  /** The gateway's end is plugged in too. False: there is nobody. */
  connect(cable: Cable): boolean {
    if (cable.kind === 'udp') return true;
    const taken = this.gateway.plug(cable);
    // A serial line is there even when the gateway is not.
    return cable.kind === 'serial' || taken;
  }

  /** The gateway sees the cable go. */
  hangUp(cable: Cable): void {
    cable.pulled = true;
    this.#cables.delete(cable);
    this.#count(cable);
    this.gateway.unplugged(cable);
  }

  /** Nobody tells the gateway; it finds out in the end. */
  forgottenLater(cable: Cable): void {
    this.clock.schedule(FORGOTTEN_AFTER_MS, () => {
      if (cable.kind !== 'udp') this.hangUp(cable);
      else {
        this.#cables.delete(cable);
        this.#count(cable);
      }
    });
  }

  #closed(cable: Cable): void {
    if (cable.kind !== 'tcp') return;
    this.#cables.delete(cable);
    this.#count(cable);
    // What was sent before is still under way.
    this.clock.schedule(500, () => {
      for (const board of this.boards.values()) board.closed(cable);
    });
  }

  #count(cable: Cable): void {
    this.packets += cable.packets;
    cable.packets = 0;
    this.collisions += cable.fromBoard.count + cable.fromGateway.count;
    cable.fromBoard.count = 0;
    cable.fromGateway.count = 0;
  }

  /** Adds up what is still counted at the cables. */
  countAll(): void {
    for (const cable of this.#cables) this.#count(cable);
  }

  // -------------------------------------------------------------------------------------------------- sessions

  /** A board says that the gateway confirmed a subscription; the word of one that is gone since counts for nothing. */
  confirmed({ spec: { name } }: Board, pattern: string): void {
    const straggling = !this.#remembers && this.clock.now() - this.#killedAt < STRAGGLING_MS;
    if (!straggling || this.#holds(name, pattern)) this.ledger.confirmed(name, pattern);
  }

  #holds(identity: string, pattern: string): boolean {
    const session = this.gateway.up ? this.gateway.hub.sessions.get(identity) : undefined;
    return session !== undefined && this.gateway.router.subscriptionsOf(session).has(pattern);
  }

  #presence(session: Session, state: PresenceState): void {
    const { identity } = session;
    this.tell(() => `${identity} is ${state} at the gateway`);
    const before = this.attendance.of(identity);
    this.attendance.changed(identity, state);
    this.ledger.presence.said(identity, state);
    if (this.#twinned.has(identity))
      this.ledger.violate(`${identity} went ${state} because of another of that name`);
    if (state === 'offline') {
      this.ledger.offline(identity);
      this.sleeps.gone(identity);
      this.wills.offline(identity, this.#goodbyes.get(identity) === this.clock.now());
    } else if (state === 'asleep') this.#asleep(identity);
    else {
      this.#sessions.set(identity, session);
      // One that wakes was there all along.
      if (before.state !== 'asleep') this.ledger.online(identity);
      this.wills.online(identity);
      if (before.state === 'asleep') this.#awake(identity);
    }
    this.onPresence?.(identity, state);
  }

  #asleep(identity: string): void {
    if (this.attendance.of(identity).state !== 'asleep') this.attendance.changed(identity, 'asleep');
    this.sleeps.asleep(identity);
  }

  /** What a sleeper missed at QoS 0 is sent now: over a connection that stands it arrives. */
  #awake(identity: string): void {
    const kept = this.sleeps.awake(identity);
    const board = this.boards.get(identity);
    if (board?.spec.kind !== 'tcp' || kept.size === 0) return;
    const { cable, boot } = board;
    const { since } = this.attendance.of(identity);
    this.clock.schedule(DELIVERED_WITHIN_MS, () => {
      const undisturbed = board.cable === cable && board.boot === boot && cable?.mute === false;
      if (!undisturbed || this.attendance.of(identity).since !== since) return;
      for (const [channel, text] of kept) {
        if (!this.ledger.hasGot(identity, text, 0))
          this.ledger.violate(`${identity} woke, and never got ${text}, the last on ${channel} in its sleep`);
      }
    });
  }

  #ended({ identity }: Session): void {
    this.tell(() => `the session of ${identity} is over`);
    this.attendance.ended(identity);
    this.wills.ended(identity);
    this.ledger.ended(identity);
    this.sleeps.gone(identity);
  }

  // -------------------------------------------------------------------------------------------------- messages

  /** A message is passed on by the gateway, or refused. */
  #emitted({ channel, text, qos, from, refusal }: Emission): void {
    const sent = this.ledger.sent.get(text);
    if (sent?.isWill) {
      this.tell(() => `the will ${text} is ${refusal === undefined ? 'emitted' : `refused: ${refusal}`}`);
      this.wills.tried(sent.from, text, refusal === 'queue_full');
    }
    if (refusal === 'queue_full') {
      this.ledger.findNoRoom(text);
      this.#checkFull(channel, text, from);
    }
    if (refusal !== undefined) return;
    this.ledger.passOn(text);
    // What the gateway itself says is not in the books.
    if (!sent) return;
    for (const [identity, session] of this.gateway.hub.sessions) {
      if (!session.engine.asleep) {
        this.sleeps.forgive(identity, text);
        continue;
      }
      const reach = this.#reach(session, channel);
      if (reach !== undefined && (reach === 0 || qos === 0) && identity !== from)
        this.sleeps.passed(identity, channel, text);
    }
  }

  /** At which quality at most the session gets what is emitted on the channel; undefined: not at all. */
  #reach(session: Session, channel: string): number | undefined {
    if (channel === BROADCAST_CHANNEL) return session.engine.takesReliable ? 2 : 0;
    let reach: number | undefined;
    for (const [pattern, { qos }] of this.gateway.router.subscriptionsOf(session))
      if (matches(pattern, channel)) reach = Math.max(reach ?? 0, session.engine.takesReliable ? qos : 0);
    return reach;
  }

  /** Nobody is refused for want of room unless there is none (§5.7); who has none may be told to go. */
  #checkFull(channel: string, text: string, from: string | undefined): void {
    const { queue, endFull } = this.#scenario.gateway;
    let full = false;
    for (const [identity, session] of this.gateway.hub.sessions) {
      if (session.engine.pending < queue || !(this.#reach(session, channel) ?? 0)) continue;
      full = true;
      if (endFull) this.attendance.overfull(identity);
    }
    if (!full)
      this.ledger.violate(`${text} of ${from ?? 'the gateway'} was refused, and there was room for it`);
  }

  #packet(port: Port, packet: Uint8Array, from: 'peer' | 'gateway'): void {
    const { cable } = port;
    this.onPacket?.(cable.address, packet, from);
    const identity = cable.address.slice(0, cable.address.lastIndexOf('.'));
    if (from === 'gateway') return this.#checkHush(identity, packet);
    // Few enough to be worth a look: a goodbye is short, and stands at the end.
    const isGoodbye = packet.at(-2) === BYE_HEAD && (packet.at(-1) as number) < 2;
    if (isGoodbye && decodePacket(packet, 'peer').at(-1)?.type === 'bye')
      this.#goodbyes.set(identity, this.clock.now());
  }

  /** A sleeper is sent nothing but answers, once it knows that the gateway knows. */
  #checkHush(identity: string, packet: Uint8Array): void {
    const { state, since } = this.attendance.of(identity);
    if (state !== 'asleep' || this.clock.now() - since < ASLEEP_WITHIN_MS) return;
    const engine = this.gateway.hub.sessions.get(identity)?.engine;
    if (!engine?.asleep || engine.nextIn !== engine.expected) return;
    const types = decodePacket(packet, 'gateway').map(({ type }) => type);
    if (!types.every((type) => ANSWERS.has(type)))
      this.ledger.violate(`the gateway sent ${types.join(' and ')} to ${identity}, which sleeps`);
  }

  /** Two boards with one identity: the one that is there stays, and the other is refused (§4.4). */
  #twin(board: Board, { kind, forMs }: Step & { readonly what: 'twin' }): void {
    const { name } = board.spec;
    if (!board.firmware?.connected || this.attendance.of(name).state !== 'online') return;
    const collisions = () => this.gateway.counters.get('session.identity_collisions');
    const before = collisions();
    const twin = new Twin(this, board, kind, this.#random);
    this.#twinned.add(name);
    this.clock.schedule(forMs, () => {
      this.#twinned.delete(name);
      if (collisions() === before) this.ledger.violate(`nobody noticed that there are two of ${name}`);
      twin.goAway(this);
    });
  }

  get scenario(): Scenario {
    return this.#scenario;
  }
}

function canRepeat({ duplicate, late = 0 }: Faults): boolean {
  return duplicate > 0 || late > 0;
}

function describeFault({ wire, packet, fault }: PacketFault): string {
  const way = wire.endsWith('>') ? 'to the gateway' : 'to the board';
  const words: string[] = [];
  if (fault.lost) words.push('is lost');
  if (fault.cutAt !== undefined) words.push('is cut short');
  if (fault.flips) words.push(`has ${fault.flips.length} bits flipped`);
  if (fault.noise) words.push(`has ${fault.noise.length} bytes of noise before it`);
  if (fault.delay !== undefined) words.push(`takes ${fault.delay.toFixed(1)} ms longer`);
  for (const later of fault.copies ?? []) words.push(`comes again ${later.toFixed(1)} ms later`);
  if (fault.stall !== undefined) words.push(`stands still for ${fault.stall.toFixed(1)} ms`);
  if (fault.pieces) words.push('comes in pieces');
  return `packet ${packet} of ${wire.slice(0, -1)} ${way} ${words.join(', ')}`;
}
