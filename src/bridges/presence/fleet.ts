import type { Logger } from 'pino';
import { z } from 'zod';
import type { Clock } from '../../clock.js';
import type { Counters } from '../../counters.js';
import { Deadlines } from '../../deadlines.js';
import type { FairTurns, Share, Worker } from '../../fair-turns.js';
import type { Router } from '../../router/router.js';
import type { ReasonName } from '../../wire/reasons.js';
import { type FleetWord, judge, readFleetWord, type Said } from './fleet-device.js';
import { RollCall, type Standing } from './roll-call.js';
import { asJson, type DeviceWord, parse } from './words.js';

const DEVICES = '$slipway/fleet/devices/';
const GATEWAYS = '$slipway/fleet/gateways/';

/**
 * The memory that this gateway has, kept in the last value that says of it that it is there: another one after each start, unless there is a
 * store. `make` makes a new one.
 */
export function ownRun(router: Router, gateway: string, make: () => string): string {
  const kept = router.lastValue(GATEWAYS + gateway);
  const known = kept && readRun(kept.payload);
  if (known !== undefined) return known;
  const run = make();
  router.emit(router.find(GATEWAYS + gateway), asJson({ state: 'online', run }), { qos: 1, retain: true });
  return run;
}

/** Of one device no more gateways are believed, those who spoke last: where it is, and those that hold something for it. */
const MAX_SAID = 16;

/** So long, ms, a device that is gone may take to come up elsewhere before it is told to be offline; its gateways may be heard out of order. */
export const MOVING_MS = 2000;

export interface FleetContext {
  readonly router: Router;
  readonly clock: Clock;
  readonly turns: FairTurns;
  readonly counters: Counters;
  readonly logger: Logger;
  /** This gateway's name, and the memory that it has (`DeviceWord.run`). */
  readonly gateway: string;
  readonly run: string;
  /** What is told of a device has changed. */
  readonly told: (device: string, word: FleetWord) => void;
}

/** What was said, as far as it is known from what was told. */
type Remembered = Omit<Said, 'at' | 'run'> & { readonly run: string | undefined };

interface Device {
  readonly said: Said[];
  /** What was told last. */
  told: FleetWord | undefined;
  /** Who spoke last. */
  speaker: string;
}

/**
 * All devices of all gateways, as far as their presence crosses bridges: what each gateway says of its own, put together into one last value
 * a device, and one a gateway (PROTOCOL.md §6.6).
 */
export class Fleet implements Worker {
  readonly #context: FleetContext;
  readonly #devices = new Map<string, Device>();
  /** Of the other gateways, those of which they said more than that they are not there. */
  readonly #devicesOf = new Map<string, Set<string>>();
  readonly #runs = new Map<string, string>();
  readonly #roll: RollCall;
  /** Those to be judged anew. */
  readonly #doubtful = new Set<string>();
  /** Those that are to be offline unless something else is said of them meanwhile. */
  readonly #leaving: Deadlines<string>;
  #saidFull = false;
  #order = 0;

  constructor(context: FleetContext) {
    this.#context = context;
    this.#runs.set(context.gateway, context.run);
    this.#leaving = new Deadlines(context.clock, MOVING_MS, (id) => {
      const device = this.#devices.get(id);
      if (device) this.#judge(id, device, true);
    });
    this.#roll = new RollCall(context.clock, (gateway) => this.#rollChanged(gateway));
  }

  /** Takes up what was told before a restart. */
  start(): void {
    const { router, gateway: here } = this.#context;
    for (const { name, payload } of router.lastValues(`${GATEWAYS}+`)) {
      const run = readRun(payload);
      const gateway = name.slice(GATEWAYS.length);
      if (run === undefined || gateway === here) continue;
      this.#runs.set(gateway, run);
      this.#roll.mentioned(gateway, true);
    }
    for (const { name, payload } of router.lastValues(`${DEVICES}+`)) {
      const word = readFleetWord(payload);
      if (word === undefined) continue;
      const id = name.slice(DEVICES.length);
      const device = { said: [], told: word, speaker: word.gateway };
      this.#devices.set(id, device);
      const { gateway, held = {} } = word;
      const state = word.was ?? word.state;
      this.#restore(id, device, { gateway, state, run: word.run, held: 0 });
      for (const [where, count] of Object.entries(held))
        this.#restore(id, device, {
          gateway: where,
          state: 'offline',
          run: this.#runs.get(where),
          held: count,
        });
    }
  }

  stop(): void {
    this.#roll.stop();
    this.#leaving.stopAll();
    this.#context.turns.leave(this);
  }

  /** What is told of that device. */
  of(device: string): FleetWord | undefined {
    return this.#devices.get(device)?.told;
  }

  /** A gateway is there, with that memory. */
  heard(gateway: string, run: string): void {
    if (!this.#mayKnow(gateway)) return void this.#noRoom('limit_reached');
    const forgot = this.#runs.get(gateway) !== run;
    this.#runs.set(gateway, run);
    const known = this.#roll.of(gateway) === 'heard';
    this.#roll.heard(gateway);
    if (forgot && known) this.#rollChanged(gateway);
  }

  /**
   * A gateway says that of one of its devices; undefined: it knows it no more. `stored`: perhaps it said so long ago. Returns whether
   * what is told is so now; else it is soon, when the gateway was heard or is known to be silent, or the device had its time to come up
   * elsewhere.
   */
  said(gateway: string, id: string, word: DeviceWord | undefined, stored = false): boolean {
    if (gateway !== this.#context.gateway) {
      const isNew = !this.#devices.has(id);
      if (isNew && word === undefined) return this.#forget(id);
      const isFull = isNew && this.#devices.size >= this.#context.router.maxLastValues;
      if (isFull || !this.#mayKnow(gateway)) return this.#noRoom('limit_reached');
      this.#mentioned(gateway, word?.run, stored);
    }
    const device = this.#devices.get(id) ?? { said: [], told: undefined, speaker: gateway };
    this.#devices.set(id, device);
    device.speaker = gateway;
    const before = this.#unsay(id, device, gateway);
    let isHeard = true;
    if (word && (word.state !== 'offline' || word.held !== undefined)) {
      const { state, run, held = 0 } = word;
      // What upstream only says again is no news.
      const isKnown = stored && before?.state === state && before.run === run;
      const said = { gateway, state, run, held, at: isKnown ? before.at : ++this.#order };
      this.#keep(id, device, said);
      const standing = this.#standingOf(said);
      isHeard = standing === 'heard' || standing === 'silent';
    }
    const isLast = device.told === undefined || device.told.gateway === gateway;
    if (word !== undefined || !isLast || device.said.length > 0) return this.#judge(id, device) && isHeard;
    return this.#forget(id);
  }

  work(share: Share): boolean {
    for (const id of this.#doubtful) {
      this.#doubtful.delete(id);
      const device = this.#devices.get(id);
      if (device) this.#judge(id, device);
      if (share.over(1)) return this.#doubtful.size > 0;
    }
    return false;
  }

  /** There is a last value for each gateway, and for each device. */
  #mayKnow(gateway: string): boolean {
    return this.#roll.of(gateway) !== undefined || this.#roll.size < this.#context.router.maxLastValues;
  }

  /** Its memory is taken to be the one of which somebody speaks, until it is heard itself. */
  #mentioned(gateway: string, run: string | undefined, stored: boolean): void {
    if (run !== undefined && !this.#runs.has(gateway)) this.#runs.set(gateway, run);
    this.#roll.mentioned(gateway, stored);
  }

  #restore(id: string, device: Device, { run, ...said }: Remembered): void {
    // What was told of devices here is told anew.
    if (said.gateway === this.#context.gateway || run === undefined) return;
    this.#keep(id, device, { ...said, run, at: 0 });
    this.#mentioned(said.gateway, run, true);
  }

  #keep(id: string, device: Device, said: Said): void {
    if (device.said.length >= MAX_SAID) {
      const oldest = device.said.reduce((a, b) => (a.at <= b.at ? a : b));
      this.#unsay(id, device, oldest.gateway);
      this.#context.counters.add('fleet.drop.too_many_gateways');
    }
    device.said.push(said);
    const devices = this.#devicesOf.get(said.gateway) ?? new Set();
    this.#devicesOf.set(said.gateway, devices.add(id));
  }

  #unsay(id: string, device: Device, gateway: string): Said | undefined {
    const index = device.said.findIndex((one) => one.gateway === gateway);
    if (index < 0) return undefined;
    this.#devicesOf.get(gateway)?.delete(id);
    return device.said.splice(index, 1)[0];
  }

  #forget(id: string): true {
    this.#devices.delete(id);
    this.#leaving.stop(id);
    this.#context.router.clearLastValue(DEVICES + id);
    return true;
  }

  #standingOf({ gateway, run }: Said): Standing | 'forgotten' {
    if (gateway === this.#context.gateway) return 'heard';
    const standing = this.#roll.of(gateway) ?? 'awaited';
    return standing === 'heard' && this.#runs.get(gateway) !== run ? 'forgotten' : standing;
  }

  /** `waited`: it had its time to come up elsewhere. Returns whether what is told is so now; else it is judged again. */
  #judge(id: string, device: Device, waited = false): boolean {
    const { said, told, speaker } = device;
    const word = judge(said, (one) => this.#standingOf(one), told, speaker);
    if (word === undefined) return false;
    const leaves = word.state === 'offline' && word.was === undefined && told && told.state !== 'offline';
    if (leaves && !waited) return this.#judgeLater(id);
    this.#leaving.stop(id);
    if (sameWord(told, word)) return true;
    const refusal = this.#emit(DEVICES + id, word);
    if (refusal === 'not_stored') return this.#judgeLater(id);
    if (refusal !== undefined) return this.#giveUp(id, device, refusal);
    device.told = word;
    this.#context.told(id, word);
    return true;
  }

  #judgeLater(id: string): false {
    if (!this.#leaving.has(id)) this.#leaving.start(id);
    return false;
  }

  /** There is no room for it: what is told later of it may find some. */
  #giveUp(id: string, device: Device, refusal: ReasonName): true {
    for (const { gateway } of device.said) this.#devicesOf.get(gateway)?.delete(id);
    this.#devices.delete(id);
    return this.#noRoom(refusal);
  }

  /** It is left out: counted, and said once. */
  #noRoom(refusal: ReasonName): true {
    this.#context.counters.add(`fleet.drop.${refusal}`);
    if (this.#saidFull) return true;
    this.#saidFull = true;
    this.#context.logger.warn(
      { refusal },
      `the fleet has more devices or gateways than there is room for here (${refusal}): raise limits.last_values`,
    );
    return true;
  }

  #rollChanged(gateway: string): void {
    const state = this.#roll.of(gateway) === 'heard' ? 'online' : 'offline';
    const refusal = this.#emit(GATEWAYS + gateway, { state, run: this.#runs.get(gateway) });
    if (refusal !== undefined) this.#noRoom(refusal);
    for (const id of this.#devicesOf.get(gateway) ?? []) this.#doubtful.add(id);
    if (this.#doubtful.size > 0) this.#context.turns.wait(this);
  }

  #emit(name: string, word: object): ReasonName | undefined {
    const { router } = this.#context;
    const payload = asJson(word);
    const before = router.lastValue(name)?.payload;
    if (before && Buffer.compare(before, payload) === 0) return undefined;
    // Seldom used, and there may be very many: not listed.
    const channel = router.find(name);
    const refusal = router.emit(channel, payload, { qos: 1, retain: true });
    // One watcher that takes nothing must not keep it from everyone else.
    if (refusal === 'queue_full') return router.emit(channel, payload, { qos: 0, retain: true });
    return refusal === 'too_large_for_receiver' ? undefined : refusal;
  }
}

function sameWord(a: FleetWord | undefined, b: FleetWord): boolean {
  return a !== undefined && Buffer.compare(asJson(a), asJson(b)) === 0;
}

const gatewayWord = z.object({ run: z.string() });

function readRun(payload: Uint8Array): string | undefined {
  return gatewayWord.safeParse(parse(payload)).data?.run;
}
