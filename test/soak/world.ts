import type { DeviceState } from '../../src/wire/device-states.js';
import { Random } from '../support/random.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { Board } from './board.js';
import { Cable, type CableOptions } from './cable.js';
import { FaultPlan, type PacketFault } from './fault-plan.js';
import { GatewayHost } from './gateway-host.js';
import { policyFor } from './keys.js';
import type { Ledger } from './ledger.js';
import { Observer } from './observer.js';
import { type BoardSpec, describeStep, type Scenario, type Step } from './scenario.js';
import { Twin } from './twin.js';

/** A gateway learns by itself that a port or a connection is gone, but late, ms. */
const FORGOTTEN_AFTER_MS = 20_000;
export interface TraceLine {
  readonly at: number;
  readonly text: string;
}

/** A whole system in virtual time: one gateway, its boards, what connects them, and the books. */
export class World {
  readonly clock = new VirtualClock();
  readonly scenario: Scenario;
  readonly observer: Observer;
  readonly ledger: Ledger;
  readonly plan: FaultPlan;
  readonly gateway: GatewayHost;
  readonly boards = new Map<string, Board>();
  /** What happened, if that is wanted. */
  readonly trace: TraceLine[] = [];
  /** Called with every packet that leaves or reaches the gateway. */
  onPacket: ((board: string, packet: Uint8Array, from: 'peer' | 'gateway') => void) | undefined;
  onPresence: ((identity: string, state: DeviceState) => void) | undefined;
  /** Packets that were put on wires. */
  packets = 0;
  collisions = 0;
  /** The most messages that waited at the gateway for one board, looked at once a second. */
  mostHeld = 0;
  /** Things that went wrong on purpose, packet faults aside. */
  disruptions = 0;
  readonly #tracing: boolean;
  readonly #cables = new Set<Cable>();
  readonly #random: Random;
  #downMs = 0;

  constructor(scenario: Scenario, tracing: boolean) {
    this.scenario = scenario;
    this.#tracing = tracing;
    this.plan = new FaultPlan(scenario.seed, scenario.packetFaults);
    this.#random = new Random(scenario.seed + 2);
    this.observer = new Observer(this);
    this.ledger = this.observer.ledger;
    const policy = policyFor(scenario.boards.map(({ name }) => name));
    this.gateway = new GatewayHost(this.clock, new Random(scenario.seed + 1), scenario.gateway, policy, {
      presence: (session, state) => {
        this.observer.presence(session, state);
        this.onPresence?.(session.identity, state);
      },
      packet: ({ cable: { address } }, packet, from) => {
        this.onPacket?.(address, packet, from);
        this.observer.packet(address.slice(0, address.lastIndexOf('.')), packet, from);
      },
      emitted: (emission) => this.observer.emitted(emission),
      ended: (session) => this.observer.ended(session),
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
    const board = new Board(this, spec, this.scenario.seed + 1000 * (this.boards.size + 1));
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
    const left = Math.max(0, this.scenario.endsAt - this.clock.now());
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
      this.observer.wills.stopping();
      this.gateway.stop();
    } else if (hostCalls === 0) machine.die();
    else {
      machine.dieAfter(hostCalls - 1);
      this.clock.schedule(1000, () => machine.die());
    }
  }

  #died(): void {
    this.tell(() => 'the gateway is gone');
    this.observer.gatewayGone();
    this.clock.schedule(this.#downMs, () => {
      this.tell(() => 'the gateway starts');
      this.observer.gatewayBack(() => this.gateway.start(this.#cables));
    });
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

  /** Two boards with one identity: the one that is there stays, and the other is refused (§4.4). */
  #twin(board: Board, { kind, forMs }: Step & { readonly what: 'twin' }): void {
    const { name } = board.spec;
    if (!board.firmware?.connected || this.observer.attendance.of(name).state !== 'online') return;
    const collisions = () => this.gateway.counters.get('session.identity_collisions');
    const before = collisions();
    const twin = new Twin(this, board, kind, this.#random);
    this.observer.twinned.add(name);
    this.clock.schedule(forMs, () => {
      this.observer.twinned.delete(name);
      if (collisions() === before) this.ledger.violate(`nobody noticed that there are two of ${name}`);
      twin.goAway(this);
    });
  }
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
