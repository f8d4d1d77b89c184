import type { Logger } from 'pino';
import type { Cancel, Clock } from '../../clock.js';
import type { FairTurns, Share, Worker } from '../../fair-turns.js';
import type { Router } from '../../router/router.js';
import { DEVICE_STATES, deviceOfState } from '../../wire/device-states.js';
import type { BridgeCounts } from '../counts.js';
import type { BridgeFeature, Outlet } from '../feature.js';
import type { IncomingMessage, Interest, UpstreamRecords } from '../upstream.js';
import type { Fleet } from './fleet.js';
import type { OwnDevices } from './own-devices.js';
import { Undecided } from './undecided.js';
import { asJson, BEACON_MS, type Heard, Words } from './words.js';

/** Up to where upstream has been told: the memory, and a mark of `Router.lastValueMark`. */
const TOLD_KEY = 'core/presence';
/** From the first beacon of a connection to the next, ms. */
const FIRST_PAUSE_MS = 1000;
/** Beacons in this gateway's name, and not its own, until that is told: a few of the memory that it had before may be on their way. */
const NAMESAKE_BEACONS = 3;
/** How soon it is looked again whether the queue has room, ms. */
const LOOK_AGAIN_MS = 1000;

export interface PresenceContext {
  readonly config: { readonly direction: 'out' | 'in' | 'both'; readonly remote: string };
  readonly bridge: string;
  readonly gateway: string;
  readonly run: string;
  readonly logger: Logger;
  readonly router: Router;
  readonly clock: Clock;
  readonly turns: FairTurns;
  readonly counts: BridgeCounts;
  readonly outlet: Outlet;
  readonly records: Pick<UpstreamRecords, 'entries' | 'get' | 'put' | 'delete'>;
  readonly own: OwnDevices;
  readonly fleet: Fleet;
}

/**
 * Presence over one bridge: tells which devices are here, the last word on each, whenever the bridge is connected; and hears of those
 * elsewhere.
 */
export class PresenceFeature implements BridgeFeature, Worker {
  readonly interests: readonly Interest[];
  readonly #context: PresenceContext;
  readonly #words: Words;
  readonly #tells: boolean;
  /** Devices of which upstream was not told the last word. */
  readonly #untold = new Set<string>();
  readonly #undecided: Undecided;
  #isUp = false;
  #timer: Cancel | undefined;
  #beacon: Cancel | undefined;
  #toldMark = -1;
  #namesakeBeacons = 0;

  constructor(context: PresenceContext) {
    const { direction, remote } = context.config;
    this.#context = context;
    this.#words = new Words(remote);
    this.#tells = direction !== 'in';
    this.interests =
      direction === 'out'
        ? []
        : [
            { pattern: this.#words.devices, qos: 1 },
            { pattern: this.#words.beacons, qos: 0 },
          ];
    this.#undecided = new Undecided(context.records, context.clock, context.router.maxLastValues);
    if (this.#tells) this.#findUntold(this.#restoreMark());
  }

  /** Once the fleet has taken up what it told before. */
  start(): void {
    const { fleet } = this.#context;
    if (this.interests.length === 0) return;
    for (const [name, payload] of this.#undecided.left()) {
      const heard = this.#words.read(name, payload);
      if (typeof heard === 'object' && heard.type === 'device')
        fleet.said(heard.gateway, heard.device, heard.word, true);
    }
  }

  take({ name, payload, stored }: IncomingMessage): boolean {
    if (this.interests.length === 0) return false;
    const { counts, gateway, fleet } = this.#context;
    const heard = this.#words.read(name, payload);
    if (heard === undefined) return false;
    if (heard === 'malformed') counts.drop('malformed');
    else if (heard.gateway === gateway) {
      counts.add('loop');
      this.#heardOwn(heard);
    } else if (heard.type === 'alive') fleet.heard(heard.gateway, heard.beacon.run);
    else if (fleet.said(heard.gateway, heard.device, heard.word, stored)) this.#undecided.forget(name);
    // What else somebody has written there is not kept.
    else this.#undecided.keep(name, heard.word ? asJson(heard.word) : new Uint8Array());
    return true;
  }

  echoed({ name, payload }: IncomingMessage): void {
    const heard = this.#words.read(name, payload);
    if (typeof heard === 'object' && heard.gateway === this.#context.gateway) this.#heardOwn(heard);
  }

  /** Two of one name take all that the other says for what they said themselves. */
  #heardOwn(heard: Heard): void {
    const { bridge, gateway, run, logger } = this.#context;
    if (heard.type !== 'alive' || heard.beacon.run === run) return;
    this.#namesakeBeacons += 1;
    if (this.#namesakeBeacons !== NAMESAKE_BEACONS) return;
    const mend = 'give each a name of its own (gateway)';
    logger.warn(
      { bridge },
      `bridge ${bridge}: another gateway is called "${gateway}", too, and neither hears the other: ${mend}`,
    );
  }

  /** There is something else to be said of a device here. */
  changed(device: string): void {
    if (!this.#tells) return;
    this.#untold.add(device);
    if (this.#isUp) this.#goOn();
  }

  up(isAnew: boolean): void {
    if (!this.#tells) return;
    this.#isUp = true;
    if (isAnew) {
      this.#toldMark = -1;
      this.#context.records.delete(TOLD_KEY);
      this.#findUntold(0);
    }
    this.#sendBeacon(FIRST_PAUSE_MS);
    this.#goOn();
  }

  down(): void {
    this.#isUp = false;
    this.#beacon?.();
  }

  stop(): void {
    this.#keepMark();
    this.down();
    this.#undecided.stop();
    this.#timer?.();
    this.#context.turns.leave(this);
  }

  work(share: Share): boolean {
    const { gateway, outlet, own } = this.#context;
    for (const device of this.#untold) {
      if (!this.#isUp) return false;
      const word = own.wordOf(device);
      const payload = word ? asJson(word) : new Uint8Array();
      if (!outlet.hasRoom(payload.length)) return this.#lookAgain();
      this.#untold.delete(device);
      outlet.post({ name: this.#words.device(gateway, device), payload, qos: 1, retain: true });
      if (share.over(1)) return this.#untold.size > 0;
    }
    return false;
  }

  #goOn(): void {
    const { turns } = this.#context;
    const share = turns.begin();
    if (share === undefined || this.work(share)) turns.wait(this);
  }

  #lookAgain(): false {
    this.#timer ??= this.#context.clock.schedule(LOOK_AGAIN_MS, () => {
      this.#timer = undefined;
      if (this.#isUp) this.#goOn();
    });
    return false;
  }

  /** `pause`: until the next one, ms. They grow: gateways that start together find each other soon. */
  #sendBeacon(pause: number): void {
    const { clock, gateway, outlet, run } = this.#context;
    outlet.post({ name: this.#words.beacon(gateway), payload: asJson({ run }), qos: 0, retain: false });
    this.#keepMark();
    this.#beacon = clock.schedule(pause, () => this.#sendBeacon(Math.min(2 * pause, BEACON_MS)));
  }

  /** Up to where upstream was told, as far as that is remembered: a mark of `Router.lastValueMark`. */
  #restoreMark(): number {
    const { records, router, run } = this.#context;
    const kept = records.get(TOLD_KEY);
    const told = kept && (JSON.parse(Buffer.from(kept).toString()) as { run: string; mark: number });
    const since = told?.run === run ? told.mark : 0;
    router.restoreLastValueMark(since);
    return since;
  }

  #findUntold(since: number): void {
    const { router } = this.#context;
    for (const { name, mark } of router.lastValues(DEVICE_STATES)) {
      const device = deviceOfState(name);
      if (mark > since && device !== undefined) this.#untold.add(device);
    }
  }

  /** Once all is told, or in the queue, which is kept with it. */
  #keepMark(): void {
    const { records, router, run } = this.#context;
    const mark = router.lastValueMark();
    if (!this.#tells || this.#untold.size > 0 || mark === this.#toldMark) return;
    this.#toldMark = mark;
    records.put(TOLD_KEY, Buffer.from(JSON.stringify({ run, mark })));
  }
}
