import { Tally } from '../tally.js';
import type { Session } from './session.js';

export interface PlaceLimits {
  /** Sessions, connected or not. */
  readonly sessions: number;
  /** How many of them may have come from one network address. */
  readonly sessionsPerParty: number;
  /** How many channel ids they may have. */
  readonly idsPerParty: number;
}

export type PlaceLimit = 'limits.sessions' | 'limits.per_address.sessions';

/** How many sessions there may be, in all and of each network address, which one makes room for another, and how many ids they have. */
export class Places {
  readonly #limits: PlaceLimits;
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #absent: ReadonlyMap<Session, unknown>;
  readonly #sessionsOf = new Tally();
  readonly #idsOf = new Tally();

  /** `sessions` are all there are; `absent` those without a link, longest first. */
  constructor(
    limits: PlaceLimits,
    sessions: ReadonlyMap<string, Session>,
    absent: ReadonlyMap<Session, unknown>,
  ) {
    this.#limits = limits;
    this.#sessions = sessions;
    this.#absent = absent;
  }

  /** Whether a new session may come from there, perhaps in the place of another. */
  hasRoom(party: string | undefined): boolean {
    return this.#limitReached(party) === undefined || this.inTheWay(party) !== undefined;
  }

  /** The session that has to make room for a new one from there, if there is no room without. */
  inTheWay(party: string | undefined): { session: Session; limit: PlaceLimit } | undefined {
    const limit = this.#limitReached(party);
    if (limit === undefined) return undefined;
    // The one that has been absent longest, of those that count for the limit and for which nothing is held.
    for (const session of this.#absent.keys()) {
      const counts = limit === 'limits.sessions' || session.party === party;
      if (counts && session.engine.pending === 0) return { session, limit };
    }
    return undefined;
  }

  /** From now on the session counts for whom it came from last; `undefined` when it ended. */
  account(session: Session, party: string | undefined): void {
    const { size } = session.engine.ids;
    if (session.party !== undefined) {
      this.#sessionsOf.remove(session.party);
      this.#idsOf.remove(session.party, size);
    }
    session.party = party;
    if (party === undefined) return;
    this.#sessionsOf.add(party);
    this.#idsOf.add(party, size);
  }

  /** A session of that party is about to have one channel id more. Returns whether it may. */
  takesId(party: string | undefined): boolean {
    if (party === undefined) return true;
    if (this.#idsOf.of(party) >= this.#limits.idsPerParty) return false;
    this.#idsOf.add(party);
    return true;
  }

  /** A session of that party has one channel id less. */
  gaveId(party: string | undefined): void {
    if (party !== undefined) this.#idsOf.remove(party);
  }

  /** The absent session for which most is held. */
  fullestAbsent(): Session | undefined {
    let fullest: Session | undefined;
    for (const session of this.#absent.keys())
      if (session.engine.pending > (fullest?.engine.pending ?? 0)) fullest = session;
    return fullest;
  }

  #limitReached(party: string | undefined): PlaceLimit | undefined {
    // First the narrower one: a party that has its share makes room among its own.
    if (party !== undefined && this.#sessionsOf.of(party) >= this.#limits.sessionsPerParty)
      return 'limits.per_address.sessions';
    return this.#sessions.size >= this.#limits.sessions ? 'limits.sessions' : undefined;
  }
}
