import { Random } from '../support/random.js';
import { CFirmware } from './c-firmware.js';
import type { Cable } from './cable.js';
import type { Firmware, ProgramEmit, ProgramWill, Wish } from './firmware.js';
import { Machine } from './machine.js';
import type { BoardSpec, Step } from './scenario.js';
import { Traffic } from './traffic.js';
import { TsFirmware } from './ts-firmware.js';
import type { World } from './world.js';

/** A program that finds no gateway, or loses it, tries again after so long, ms. */
const RECONNECT_MS = 500;
/** The length of a will, bytes. */
const WILL_BYTES = 12;

type Reset = Step & { readonly what: 'reset' };
type Leave = Step & { readonly what: 'leave' };
type Will = Pick<ProgramWill, 'channel' | 'qos' | 'retain'>;

/** One board through all its boots: what is plugged into it, and what its program wants. */
export class Board {
  readonly spec: BoardSpec;
  readonly wishes = new Map<string, Wish>();
  readonly traffic: Traffic;
  boot = 0;
  machine: Machine | undefined;
  firmware: Firmware | undefined;
  cable: Cable | undefined;
  readonly #world: World;
  readonly #random: Random;
  readonly #countsEdges: boolean;
  #sockets = 0;
  #plugged = 0;
  #messages = 0;
  #will: ProgramWill | undefined;
  #wills = 0;
  /** Until when its program wants to sleep, and to be left alone. */
  #sleepsUntil = 0;
  #awayUntil = 0;
  /** How the next loss of power goes. */
  #reset = { downMs: 0, told: true };

  constructor(world: World, spec: BoardSpec, seed: number) {
    this.#world = world;
    this.spec = spec;
    this.traffic = new Traffic(() => world.clock.now());
    this.#random = new Random(seed);
    this.#countsEdges = world.scenario.steps.some(
      (step) => step.what === 'reset' && step.board === spec.name && step.edges !== undefined,
    );
    for (const { pattern, qos, noLocal } of spec.wishes) this.wishes.set(pattern, { qos, noLocal });
  }

  // ---------------------------------------------------------------------------------------------------- power

  powerOn(): void {
    const { ledger, observer } = this.#world;
    this.boot++;
    this.#messages = 0;
    const machine = new Machine(this.#world.clock, () => this.#powerLost());
    this.machine = machine;
    machine.run(() => {
      const Client = this.spec.engine === 'c' ? CFirmware : TsFirmware;
      this.firmware = new Client({
        machine,
        spec: this.spec,
        countsEdges: this.#countsEdges,
        wishes: this.wishes,
        random32: () => this.#random.u32(),
        random: () => this.#random.next(),
        compose: (emit) => this.#compose(emit),
        unsend: (text) => ledger.unsend(text),
        settled: (text, refusal) => this.#settled(text, refusal),
        confirmed: (pattern) => observer.confirmed(this.spec.name, pattern),
        gone: (pattern) => ledger.gone(this.spec.name, pattern),
        will: () => this.#will,
        willConfirmed: (will) => observer.willConfirmed(this.spec.name, will?.text),
        delivered: (delivery) => this.#delivered(delivery),
        refused: (what) => ledger.violate(`refused for no reason: ${what}`),
        send: (bytes) => this.cable?.boardSends(bytes),
        disconnect: () => this.#disconnect(),
      });
    });
    const { cable } = this;
    if (cable) machine.run(() => this.firmware?.linkUp(cable));
    else if (this.spec.kind === 'tcp') this.plug(false);
  }

  /** Power is lost at the host call, or the edge, that so many precede; or a while later if nothing is done until then. */
  losePower({ hostCalls, edges, downMs, told }: Reset): void {
    const { machine } = this;
    if (!machine?.alive) return;
    this.#reset = { downMs, told };
    if (edges !== undefined) this.firmware?.powerFor(edges);
    else if (hostCalls === 0) return machine.die();
    else machine.dieAfter(hostCalls - 1);
    this.#world.clock.schedule(1000, () => machine.die());
  }

  #powerLost(): void {
    const { cable, firmware } = this;
    const { downMs, told } = this.#reset;
    this.firmware = undefined;
    this.#world.tell(() => `${this.spec.name} is without power`);
    const unfinished = firmware?.unfinished();
    // What was written of a frame is on the line already.
    if (unfinished && unfinished.length > 0 && cable?.kind === 'serial') cable.boardSends(unfinished);
    if (cable?.kind === 'tcp') {
      this.cable = undefined;
      if (told) this.#world.hangUp(cable);
    }
    this.#world.clock.schedule(downMs, () => {
      this.#world.tell(() => `${this.spec.name} boots`);
      this.powerOn();
    });
  }

  // ---------------------------------------------------------------------------------------------------- cables

  /** Plugs it in; a TCP connection is tried until somebody listens. */
  plug(moved: boolean): void {
    if (this.cable) return;
    const { spec } = this;
    // Only a serial port can be the same as before.
    if (moved || spec.kind !== 'serial' || this.#sockets === 0) this.#sockets++;
    const address = `${spec.name}.${this.#sockets}`;
    const cable = this.#world.cable({
      kind: spec.kind,
      address,
      wire: `${spec.name}${++this.#plugged}`,
      faults: spec.faults,
      traffic: this.traffic,
      toBoard: (bytes) => this.#arrive(cable, bytes),
    });
    this.cable = cable;
    if (!this.#world.connect(cable)) {
      this.cable = undefined;
      this.#reconnectLater();
      return;
    }
    this.machine?.run(() => this.firmware?.linkUp(cable));
  }

  /** Pulls the cable out. */
  unplug(gatewayTold: boolean, boardTold: boolean): void {
    const { cable } = this;
    if (!cable) return;
    this.cable = undefined;
    cable.pulled = true;
    if (gatewayTold) this.#world.hangUp(cable);
    else this.#world.forgottenLater(cable);
    if (boardTold || cable.kind === 'tcp') this.machine?.run(() => this.firmware?.linkDown());
  }

  /** The other side closed the connection. */
  closed(cable: Cable): void {
    if (cable !== this.cable || cable.kind !== 'tcp') return;
    this.cable = undefined;
    cable.pulled = true;
    this.machine?.run(() => this.firmware?.linkDown());
    this.#reconnectLater();
  }

  #disconnect(): void {
    this.#world.clock.schedule(0, () => {
      this.unplug(true, true);
      this.#reconnectLater();
    });
  }

  #reconnectLater(): void {
    const { clock } = this.#world;
    clock.schedule(Math.max(RECONNECT_MS, this.#awayUntil - clock.now()), () => {
      if (this.machine?.alive) this.plug(false);
    });
  }

  #arrive(cable: Cable, bytes: Uint8Array): void {
    if (cable === this.cable) this.machine?.run(() => this.firmware?.receive(bytes));
  }

  // --------------------------------------------------------------------------------------------------- program

  emit(emit: ProgramEmit): void {
    if (this.#world.clock.now() < this.#sleepsUntil) return;
    this.machine?.run(() => this.firmware?.emit(emit));
  }

  subscribe(pattern: string, wish: Wish): void {
    this.wishes.set(pattern, wish);
    this.#world.ledger.wish(this.spec.name, pattern, wish.qos, wish.noLocal);
    this.machine?.run(() => this.firmware?.wish(pattern));
  }

  unsubscribe(pattern: string): void {
    if (!this.wishes.delete(pattern)) return;
    this.#world.ledger.unwish(this.spec.name, pattern);
    this.machine?.run(() => this.firmware?.unwish(pattern));
  }

  /** Leaves a will, in place of an older one; or takes it back. */
  leaveWill(will: Will | undefined): void {
    const { name } = this.spec;
    this.#will = will && { ...will, text: `${name}.w${++this.#wills}.`.padEnd(WILL_BYTES, 'x') };
    if (this.#will) this.#world.ledger.leaveWill({ ...this.#will, from: name });
    this.#world.observer.wills.requested(name, this.#will?.text);
    this.machine?.run(() => this.firmware?.leaveWill());
  }

  sleep(seconds: number): void {
    const { clock } = this.#world;
    this.#sleepsUntil = clock.now() + seconds * 1000;
    this.machine?.run(() => this.firmware?.sleep(seconds));
    clock.schedule(seconds * 1000, () => {
      if (clock.now() >= this.#sleepsUntil) this.machine?.run(() => this.firmware?.sleep(0));
    });
  }

  /** Says goodbye, and comes back after a while. */
  leave({ forMs, forGood }: Leave): void {
    const { machine, firmware, spec } = this;
    const { clock, observer } = this.#world;
    if (!machine?.alive || !firmware) return;
    if (forGood) observer.attendance.leavesForGood(spec.name);
    this.#awayUntil = clock.now() + forMs;
    machine.run(() => firmware.leave(forGood));
    if (spec.engine === 'c') {
      const comeBack = () => {
        // It may have left again.
        if (clock.now() >= this.#awayUntil) machine.run(() => firmware.comeBack());
      };
      return void clock.schedule(forMs, comeBack);
    }
    // A program ends with its goodbye.
    this.#reset = { downMs: forMs, told: false };
    machine.die();
  }

  #compose({ channel, qos, retain, size }: ProgramEmit): string {
    const { name } = this.spec;
    const number = ++this.#messages;
    const text = `${name}.${this.boot}.${number}.`.padEnd(size, 'x');
    this.#world.ledger.send({ text, from: name, boot: this.boot, number, channel, qos, retain });
    this.#world.tell(() => `${name} emits ${text} on ${channel}, QoS ${qos}`);
    return text;
  }

  #settled(text: string, refusal: string | undefined): void {
    this.#world.ledger.settle(text, refusal);
    this.#world.tell(() => `${text} is ${refusal === undefined ? 'acknowledged' : `refused: ${refusal}`}`);
  }

  #delivered(delivery: Parameters<World['ledger']['deliver']>[2]): void {
    const { ledger, observer } = this.#world;
    ledger.deliver(this.spec.name, this.boot, delivery);
    if (!delivery.retained) observer.sleeps.delivered(this.spec.name, delivery.text);
    this.#world.tell(
      () => `${this.spec.name} is given ${delivery.text}${delivery.retained ? ' (last value)' : ''}`,
    );
  }
}
