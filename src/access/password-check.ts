import { createHmac, randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { Clock } from '../clock.js';
import { Attempts } from './attempts.js';
import { FairQueue } from './fair-queue.js';
import { MAX_PASSWORD_BYTES, verifyPassword } from './password.js';
import type { Claim } from './principal.js';
import { Recent } from './recent.js';
import type { User } from './users.js';

/** How long a password that was right need not be hashed again: very many clients may come back at once. */
const VERIFIED_MS = 5 * 60_000;
/** How long a user is known at an address. */
const KNOWN_MS = 30 * 86_400_000;
const MAX_REMEMBERED = 10_000;
const MAX_USER_LENGTH = 255;
/** What waits to be hashed; each takes some 100 ms. */
const WAITING = 1024;
const WAITING_PER_PARTY = 256;
/** When somebody may come back for whom there was no room, ms. */
const BUSY_MS = 5000;

export type Verdict = 'right' | 'wrong' | { readonly retryMs: number };

/**
 * Checks passwords, and limits attempts: by address and by user, with growing pauses (`Attempts`). A user who got in from an address
 * before is known there, and has attempts of its own: neither an attack on its name from elsewhere nor one on others from
 * its address locks it out.
 */
export class PasswordCheck {
  readonly #clock: Clock;
  readonly #attempts = new Attempts();
  readonly #known = new Recent(MAX_REMEMBERED, KNOWN_MS);
  /** What was right: a digest under a key that dies with the process, from which no password can be found. */
  readonly #verified = new Recent(MAX_REMEMBERED, VERIFIED_MS);
  readonly #digestKey = randomBytes(32);
  // Hashing takes whole cores: one stays for everything else.
  readonly #queue = new FairQueue({
    atOnce: Math.max(1, Math.min(2, availableParallelism() - 1)),
    waiting: WAITING,
    waitingPerParty: WAITING_PER_PARTY,
  });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Whether the claim's secret is the password of that user, who may not exist: nobody can tell that from the answer or
   * from how long it takes. What is wrong counts as an attempt. Never rejects.
   */
  check(claim: Claim, user: User | undefined): Verdict | Promise<Verdict> {
    const retryMs = this.#pause(claim);
    if (retryMs > 0) return { retryMs };
    const { secret } = claim;
    if (claim.user === undefined || secret === undefined || secret.length > MAX_PASSWORD_BYTES)
      return this.#wrong(claim);
    const digest = this.#digest(secret, user);
    if (this.#verified.has(digest, this.#clock.now())) return this.#right(claim, digest);
    const waits = { ...claim, secret: new Uint8Array(secret) };
    const verdict = this.#queue.run(claim.party ?? '', () => this.#hash(waits, user, digest));
    return verdict ?? { retryMs: BUSY_MS };
  }

  async #hash(
    claim: Claim & { secret: Uint8Array },
    user: User | undefined,
    digest: string,
  ): Promise<Verdict> {
    // Those that came at the same time may have failed meanwhile.
    const retryMs = this.#pause(claim);
    if (retryMs > 0) return { retryMs };
    const right = await verifyPassword(claim.secret, user?.password?.hash);
    return right ? this.#right(claim, digest) : this.#wrong(claim);
  }

  #right(claim: Claim, digest: string): Verdict {
    const now = this.#clock.now();
    this.#verified.add(digest, now);
    this.#known.add(placeOf(claim), now);
    return 'right';
  }

  #wrong(claim: Claim): Verdict {
    const now = this.#clock.now();
    for (const key of this.#keysOf(claim)) this.#attempts.failed(key, now);
    return 'wrong';
  }

  #pause(claim: Claim): number {
    const now = this.#clock.now();
    return Math.max(0, ...this.#keysOf(claim).map((key) => this.#attempts.pause(key, now)));
  }

  #keysOf(claim: Claim): string[] {
    const place = placeOf(claim);
    if (this.#known.has(place, this.#clock.now())) return [place];
    const { party, user } = claim;
    const byUser = user === undefined || user.length > MAX_USER_LENGTH ? [] : [`user ${user}`];
    return party === undefined ? byUser : [`address ${party}`, ...byUser];
  }

  /** Of a password and the very entry that it was checked against: another password, another entry. */
  #digest(secret: Uint8Array, user: User | undefined): string {
    const entry = JSON.stringify([user?.name, user?.password?.credential]);
    return createHmac('sha256', this.#digestKey).update(`${entry}\n`).update(secret).digest('base64');
  }
}

/** A user at an address. */
function placeOf({ party = '', user = '' }: Claim): string {
  return `at ${party} ${user.slice(0, MAX_USER_LENGTH)}`;
}
