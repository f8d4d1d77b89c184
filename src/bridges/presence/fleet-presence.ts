import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Clock } from '../../clock.js';
import type { Counters } from '../../counters.js';
import type { FairTurns } from '../../fair-turns.js';
import type { Router } from '../../router/router.js';
import { Fleet, ownRun } from './fleet.js';
import { OwnDevices, type StandingSession } from './own-devices.js';
import { type PresenceContext, PresenceFeature } from './presence.js';

export interface FleetPresenceContext {
  readonly router: Router;
  readonly clock: Clock;
  readonly turns: FairTurns;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly gateway: string;
  /** The session of a device, if one stands here. */
  readonly sessionOf: (device: string) => StandingSession | undefined;
}

/** Presence across all bridges of one gateway. */
export class FleetPresence {
  readonly #context: FleetPresenceContext;
  readonly #run: string;
  readonly #fleet: Fleet;
  readonly #own: OwnDevices;
  readonly #features: PresenceFeature[] = [];

  constructor(context: FleetPresenceContext) {
    const { router, gateway } = context;
    this.#context = context;
    const run = ownRun(router, gateway, () => randomBytes(9).toString('base64url'));
    this.#run = run;
    this.#fleet = new Fleet({ ...context, run, told: (device) => this.#own.moved(device) });
    const known = (device: string) => this.#fleet.said(gateway, device, this.#own.wordOf(device));
    this.#own = new OwnDevices({
      ...context,
      run,
      told: (device) => this.#fleet.of(device),
      known,
      changed: (device) => {
        known(device);
        for (const feature of this.#features) feature.changed(device);
      },
    });
  }

  /** What one bridge has to do with it; all of them before `start`. */
  feature(
    context: Pick<PresenceContext, 'bridge' | 'config' | 'counts' | 'outlet' | 'records'>,
  ): PresenceFeature {
    const feature = new PresenceFeature({
      ...this.#context,
      ...context,
      run: this.#run,
      own: this.#own,
      fleet: this.#fleet,
    });
    this.#features.push(feature);
    return feature;
  }

  /** To be called when the store's last values and sessions are taken up. */
  start(): void {
    this.#fleet.start();
    this.#own.start();
    for (const feature of this.#features) feature.start();
  }

  stop(): void {
    this.#own.stop();
    this.#fleet.stop();
  }
}
