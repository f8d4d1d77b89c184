import type { Logger } from 'pino';
import type { BridgeReport } from '../bridges/report.js';
import type { Cancel, Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import type { Router } from '../router/router.js';
import type { Resident } from './resident.js';

/** What `$slipway/stats` holds, as JSON (PROTOCOL.md §6.6). */
export interface StatisticsSnapshot {
  readonly uptime_s: number;
  readonly sessions: { readonly open: number; readonly held: number };
  readonly router: Router['sizes'];
  /** How each does, by its name; left out where there are none. */
  readonly bridges?: Readonly<Record<string, BridgeReport>>;
  /** Everything counted since the start; drops and refusals by reason. */
  readonly counters: Record<string, number>;
}

/** A name that counts something lost or refused. What the router refuses counts again where it is answered. */
const TROUBLE =
  /^(?!router\.refused\.).*\.(drop|refused|peer_refused|identity_collisions|accept_failed|socket_error|closed|unsent)(\.|$)/;

/** Emits the counters on `$slipway/stats`, and logs what was lost or refused since the last time. */
export class Statistics {
  readonly #router: Router;
  readonly #residents: Iterable<Resident>;
  readonly #bridges: { reports(): Readonly<Record<string, BridgeReport>> };
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #startedAt: number;
  #reported: Record<string, number> = {};
  #cancel: Cancel | undefined;

  /** `residents`: the sessions there are, of all protocols. */
  constructor(
    router: Router,
    residents: Iterable<Resident>,
    bridges: { reports(): Readonly<Record<string, BridgeReport>> },
    counters: Counters,
    clock: Clock,
    logger: Logger,
  ) {
    this.#router = router;
    this.#residents = residents;
    this.#bridges = bridges;
    this.#counters = counters;
    this.#clock = clock;
    this.#logger = logger;
    this.#startedAt = clock.now();
  }

  /** Starts emitting every `intervalMs`; 0 for never. */
  start(intervalMs: number): void {
    if (intervalMs === 0) return;
    this.#publish();
    this.#cancel = this.#clock.schedule(intervalMs, () => this.start(intervalMs));
  }

  /** Stops; what was not logged yet is logged now. */
  stop(): void {
    this.#cancel?.();
    this.#logTrouble();
  }

  snapshot(): StatisticsSnapshot {
    const sessions = [...this.#residents];
    const open = sessions.filter((session) => session.open).length;
    const bridges = this.#bridges.reports();
    return {
      uptime_s: Math.round((this.#clock.now() - this.#startedAt) / 1000),
      sessions: { open, held: sessions.length - open },
      router: this.#router.sizes,
      ...(Object.keys(bridges).length > 0 && { bridges }),
      counters: this.#counters.snapshot(),
    };
  }

  #publish(): void {
    const payload = Buffer.from(JSON.stringify(this.snapshot()));
    this.#router.emit('$slipway/stats', payload, { qos: 0, retain: true });
    this.#logTrouble();
  }

  #logTrouble(): void {
    const counters = this.#counters.snapshot();
    const news = Object.entries(counters)
      .filter(([name]) => TROUBLE.test(name))
      .map(([name, count]) => [name, count - (this.#reported[name] ?? 0)] as const)
      .filter(([, count]) => count > 0);
    this.#reported = counters;
    if (news.length === 0) return;
    const text = news.map(([name, count]) => `${name} ${count}`).join(', ');
    this.#logger.warn({ trouble: Object.fromEntries(news) }, `lost or refused since last said: ${text}`);
  }
}
