import type { Cancel } from '../clock.js';
import { Tally } from '../tally.js';
import type { Resident } from './resident.js';

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
  readonly #residents = new Set<Resident>();
  /** Those without a link, longest first, each with what ends its waiting. */
  readonly #absences = new Map<Resident, Cancel>();
  readonly #sessionsOf = new Tally();
  readonly #idsOf = new Tally();

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /** All there are. */
  get residents(): ReadonlySet<Resident> {
    return this.#residents;
  }

  /** Whether a new session may come from there, perhaps in the place of another. */
  hasRoom(party: string | undefined): boolean {
    return this.#limitReached(party) === undefined || this.inTheWay(party) !== undefined;
  }

  /** The session that has to make room for a new one from there, if there is no room without. */
  inTheWay(party: string | undefined): { resident: Resident; limit: PlaceLimit } | undefined {
    const limit = this.#limitReached(party);
    if (limit === undefined) return undefined;
    // The one that has been absent longest, of those that count for the limit and for which nothing is held.
    for (const resident of this.#absences.keys()) {
      const counts = limit === 'limits.sessions' || resident.party === party;
      if (counts && resident.pending === 0) return { resident, limit };
    }
    return undefined;
  }

  /** The session is there, and counts from now on for whom it came from last. */
  enter(resident: Resident, party: string | undefined): void {
    this.#residents.add(resident);
    this.#account(resident, party);
  }

  /** The session is over. */
  leave(resident: Resident): void {
    this.returned(resident);
    this.#residents.delete(resident);
    this.#account(resident, undefined);
  }

  /** The session has no link; `cancel` ends its waiting. */
  absent(resident: Resident, cancel: Cancel): void {
    this.#absences.set(resident, cancel);
  }

  /** The session waits no more. */
  returned(resident: Resident): void {
    this.#absences.get(resident)?.();
    this.#absences.delete(resident);
  }

  /** Nobody waits any more. */
  stop(): void {
    for (const cancel of this.#absences.values()) cancel();
  }

  #account(resident: Resident, party: string | undefined): void {
    const { idCount } = resident;
    if (resident.party !== undefined) {
      this.#sessionsOf.remove(resident.party);
      this.#idsOf.remove(resident.party, idCount);
    }
    resident.party = party;
    if (party === undefined) return;
    this.#sessionsOf.add(party);
    this.#idsOf.add(party, idCount);
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
  fullestAbsent(): Resident | undefined {
    let fullest: Resident | undefined;
    for (const resident of this.#absences.keys())
      if (resident.pending > (fullest?.pending ?? 0)) fullest = resident;
    return fullest;
  }

  #limitReached(party: string | undefined): PlaceLimit | undefined {
    // First the narrower one: a party that has its share makes room among its own.
    if (party !== undefined && this.#sessionsOf.of(party) >= this.#limits.sessionsPerParty)
      return 'limits.per_address.sessions';
    return this.#residents.size >= this.#limits.sessions ? 'limits.sessions' : undefined;
  }
}
