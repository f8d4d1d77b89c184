import type { Logger } from 'pino';
import { Access } from '../access/access.js';
import type { Policy } from '../access/policy.js';
import type { Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import { FairTurns } from '../fair-turns.js';
import type { Router } from '../router/router.js';
import { Alarms } from '../session/alarms.js';
import type { Store } from '../store/store.js';
import { type HeldLimits, HeldMessages } from './held-messages.js';
import { type PlaceLimits, Places } from './places.js';
import { QuietLogger } from './quiet-logger.js';
import { Wills } from './wills.js';

export interface CommonLimits extends PlaceLimits, HeldLimits {
  /** Bytes of all wills together. */
  readonly willBytes: number;
}

export interface CommonsContext {
  readonly router: Router;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly limits: CommonLimits;
  /** Where sessions are kept, if they are to outlive the process. */
  readonly store?: Store;
  /** Who may do what; without it everybody may do everything. */
  readonly policy?: Policy | undefined;
  /** The same in another way, in place of `policy`. */
  readonly access?: Access | undefined;
}

/** What the sessions of all protocols share, so that there is one set of limits, queues and promises. */
export class Commons {
  readonly places: Places;
  readonly wills: Wills;
  readonly held: HeldMessages;
  /** For what peers cause. */
  readonly peerLog: QuietLogger;
  /** Who works when. */
  readonly turns: FairTurns;
  readonly alarms: Alarms;
  /** Who may connect, and what they may do. */
  readonly access: Access;
  readonly #counters: Counters;
  readonly #remembered: boolean;

  constructor(context: CommonsContext) {
    const { router, clock, counters, logger, limits, store } = context;
    this.#counters = counters;
    this.#remembered = store !== undefined;
    this.places = new Places(limits);
    this.peerLog = new QuietLogger(logger, clock);
    this.wills = new Wills({ ...context, peerLog: this.peerLog, maxBytes: limits.willBytes });
    this.held = new HeldMessages({ ...context, places: this.places, peerLog: this.peerLog });
    this.turns = new FairTurns(clock, () => router.delivered);
    this.alarms = new Alarms(clock);
    const { peerLog } = this;
    this.access = context.access ?? new Access(context.policy, { clock, counters, peerLog });
  }

  /** Ends the absent session that has to make room for a new one from there, if there is no room without. */
  makeRoom(party: string | undefined): void {
    const inTheWay = this.places.inTheWay(party);
    if (!inTheWay) return;
    const { resident, limit } = inTheWay;
    const { identity } = resident;
    this.#counters.add('session.made_room');
    this.peerLog.info(
      { identity },
      `the session of ${identity}, which is absent, makes room for another (${limit})`,
    );
    resident.evict('limit_reached');
  }

  /** To be called before the sessions say goodbye: wills that are due go out, or wait for the next start. */
  stop(): void {
    this.wills.stop(this.#remembered);
    this.held.stop();
    this.places.stop();
  }
}
