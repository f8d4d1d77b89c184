import type { Logger } from 'pino';
import type { Counters } from '../../counters.js';
import { Tally } from '../../tally.js';
import type { EndpointKind } from '../endpoint.js';
import { RateLimit } from '../rate-limit.js';

export interface ConnectionBounds {
  /** Connections open at once; more are closed at once and counted. */
  readonly maxConnections: number;
  /** How many of them one party may have (see `partyOf`); any number if left out. */
  readonly maxConnectionsPerParty?: number | undefined;
  /** How many new ones a party may open each second, after bursts of ten times as many; any number if left out. */
  readonly acceptsPerSecond?: number | undefined;
}

/** What was said of peers that are turned away is said again when nothing of the kind happened for so long, ms. */
const SAY_AGAIN_MS = 60_000;

/** Who may connect to one listener. Counts those that may not as `tcp.refused.too_fast`, and says so now and then. */
export class ConnectionLimits {
  readonly #kind: EndpointKind;
  readonly #bounds: ConnectionBounds;
  readonly #logger: Logger;
  readonly #counters: Counters;
  readonly #open = new Tally();
  readonly #rate: RateLimit | undefined;
  /** When a peer was turned away last, by reason, as `performance.now`. */
  readonly #turnedAwayAt = new Map<string, number>();

  constructor(kind: EndpointKind, bounds: ConnectionBounds, logger: Logger, counters: Counters) {
    this.#kind = kind;
    this.#bounds = bounds;
    this.#logger = logger;
    this.#counters = counters;
    const { acceptsPerSecond } = bounds;
    this.#rate = acceptsPerSecond === undefined ? undefined : new RateLimit(acceptsPerSecond);
  }

  /** Whether another connection of that party may come in. If so it counts until `gone`. `peer` is for the log. */
  admit(party: string, peer: string): boolean {
    const { maxConnections, maxConnectionsPerParty = maxConnections, acceptsPerSecond } = this.#bounds;
    if (this.#open.of(party) >= maxConnectionsPerParty) {
      const why = `${maxConnectionsPerParty} connections of that address are open (limits.per_address.links)`;
      this.turnAway(peer, 'too_many_of_address', why);
      return false;
    }
    if (this.#rate?.take(party, performance.now()) === false) {
      const why = `it opens more than ${acceptsPerSecond} connections a second (limits.per_address.connections)`;
      this.turnAway(peer, 'too_fast', why);
      return false;
    }
    this.#open.add(party);
    return true;
  }

  /** There are as many connections as there may be at all. */
  full(peer: string): void {
    const { maxConnections } = this.#bounds;
    const why = `${maxConnections} connections are open (listen.${this.#kind}.max_connections)`;
    this.turnAway(peer, 'too_many', why);
  }

  gone(party: string): void {
    this.#open.remove(party);
  }

  /** Counts a peer that cannot come in as `tcp.refused.<reason>`, and logs the first of many. */
  turnAway(peer: string, reason: string, why: string): void {
    this.#counters.add(`${this.#kind}.refused.${reason}`);
    const now = performance.now();
    const isNews = now - (this.#turnedAwayAt.get(reason) ?? Number.NEGATIVE_INFINITY) > SAY_AGAIN_MS;
    this.#turnedAwayAt.set(reason, now);
    if (isNews) this.#logger.warn(`${peer} was turned away: ${why}`); // The counter has them all.
  }
}
