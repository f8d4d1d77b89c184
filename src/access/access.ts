import { type Clock, systemClock } from '../clock.js';
import { Counters } from '../counters.js';
import { isLoopback } from '../links/party.js';
import { PasswordCheck, type Verdict } from './password-check.js';
import type { Policy } from './policy.js';
import type { Admission, Claim, Principal, RefusalReason } from './principal.js';
import type { Rights } from './rights.js';
import { NO_RIGHTS } from './rules.js';

/** What `Access.review` says of somebody who was let in earlier. */
export interface Review {
  /** What its session may do from now on: that of a user who is gone, nothing. Undefined: everything. */
  readonly rights: Rights | undefined;
  /**
   * Whether it would still be let in with what it proved then. If not (its user was removed, its password changed, its token
   * revoked) its link has to be closed. It may come back with what counts now: until then its session waits for it as any
   * other does, with `rights`.
   */
  readonly admitted: boolean;
}

export interface AccessContext {
  readonly clock: Clock;
  readonly counters: Counters;
  /** For what peers cause: it has to bound that. */
  readonly peerLog: { warn(fields: object, text: string): void };
}

/** What a client certificate is as a credential. */
const CERTIFICATE = 'certificate';

/**
 * Who may connect, and what they may do. Whoever opens sessions asks `admit` first, keeps the principal and gives its `rights` to the
 * router (`Subscriber.rights`). When rules or users have changed (`watch`) it asks `review` for each of its
 * sessions, connected or not, and then tells the router (`Router.forgetRights`).
 */
export class Access {
  readonly #context: AccessContext;
  readonly #passwords: PasswordCheck;
  readonly #watchers = new Set<() => void>();
  #policy: Policy | undefined;

  /** Without a policy everybody may do everything; without a context nothing is counted or logged. */
  constructor(policy?: Policy, context: AccessContext = unwatched()) {
    this.#policy = policy;
    this.#context = context;
    this.#passwords = new PasswordCheck(context.clock);
  }

  /** Whether there are rules at all. Without them everything is allowed, and credentials are not looked at. */
  get enforced(): boolean {
    return this.#policy !== undefined;
  }

  /**
   * Lets a peer in, or says why not; refusals are counted (`access.refused.<reason>`) and logged here. It is a promise only where a
   * password has to be hashed: that takes a while, and the peer may be gone when it is kept. It never rejects.
   * A device that has a key (`deviceKey`) is to be asked for its proof first.
   */
  admit(claim: Claim): Admission | Promise<Admission> {
    const { device, proved = false, serial, party } = claim;
    const local = party !== undefined && isLoopback(party);
    const from = serial ? 'serial' : local ? 'loopback' : 'network';
    const principal: Principal = { ...(device !== undefined && { device }), from };
    const policy = this.#policy;
    if (policy === undefined) return { principal, rights: undefined };
    const key = device === undefined ? undefined : policy.users.keyOf(device);
    if (key === undefined) return this.#identify(claim, principal, policy);
    // There is no pause: 256 bits cannot be guessed, and others at its address must not wait for it.
    if (!proved)
      return this.#refuse(claim, 'bad_credentials', `bad credentials for device ${quoted(device)}`);
    return this.#identify(claim, { ...principal, key: key.credential }, policy);
  }

  /** Says what somebody who was let in, perhaps by an earlier process, may do now. */
  review(principal: Principal): Review {
    const policy = this.#policy;
    if (policy === undefined) return { rights: undefined, admitted: true };
    const now = standing(principal, policy);
    const rights = now && policy.rules.rightsOf(now.principal);
    return { rights: rights ?? NO_RIGHTS, admitted: rights !== undefined && now?.proved === true };
  }

  /**
   * Whether a session of `owner` may go on with `newcomer`, who calls itself the same: that of a user only with that user, that of a
   * name that was believed only with one that is. What waits in it is the owner's.
   */
  mayTakeOver(owner: Principal, newcomer: Principal): boolean {
    const rules = this.#policy?.rules;
    if (rules === undefined) return true;
    if (owner.user !== undefined) return owner.user === newcomer.user;
    return rules.believes(newcomer) || !rules.believes(owner);
  }

  /** The key that a device of that identity has to prove, 32 bytes; undefined if it has none. */
  deviceKey(identity: string): Uint8Array | undefined {
    return this.#policy?.users.keyOf(identity)?.bytes;
  }

  /** Calls `listener` whenever rules or users have changed. Returns what ends that. */
  watch(listener: () => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  /** Another policy is in force from now on. */
  change(policy: Policy | undefined): void {
    this.#policy = policy;
    for (const listener of this.#watchers) listener();
  }

  /** Finds out which user it is, if any. */
  #identify(claim: Claim, principal: Principal, { users }: Policy): Admission | Promise<Admission> {
    const { user, secret, certificate } = claim;
    if (certificate !== undefined && (user === undefined || user === certificate))
      return this.#enter(claim, { ...principal, user: certificate, credential: CERTIFICATE });
    if (user === undefined && secret === undefined) return this.#enter(claim, principal);
    const token = secret && users.tokenOf(secret);
    if (token && (user === undefined || user === token.user))
      return this.#enter(claim, { ...principal, ...token });
    const entry = user === undefined ? undefined : users.get(user);
    const conclude = (verdict: Verdict): Admission => {
      if (typeof verdict === 'object') return this.#tooMany(verdict.retryMs);
      if (verdict === 'wrong' || !entry?.password) return this.#wrong(claim);
      return this.#enter(claim, { ...principal, user: entry.name, credential: entry.password.credential });
    };
    const verdict = this.#passwords.check(claim, entry);
    return verdict instanceof Promise ? verdict.then(conclude) : conclude(verdict);
  }

  /** The users may have changed while a password was hashed. */
  #enter(claim: Claim, principal: Principal): Admission {
    const policy = this.#policy;
    if (policy === undefined) return { principal, rights: undefined };
    const now = standing(principal, policy);
    if (!now?.proved) return this.#wrong(claim);
    const rights = policy.rules.rightsOf(now.principal);
    return rights ? { principal, rights } : this.#refuse(claim, 'not_allowed', 'no rule allows it anything');
  }

  #wrong(claim: Claim): Admission {
    const { user, certificate } = claim;
    const named = user ?? certificate;
    const whose =
      named === undefined ? 'nobody: it names no user, and has no token of one' : `user ${quoted(named)}`;
    const how = certificate === undefined ? '' : ' (with a certificate)';
    return this.#refuse(claim, 'bad_credentials', `bad credentials for ${whose}${how}`);
  }

  /** Is only counted: of each attempt that led to it there is a line. */
  #tooMany(retryMs: number): Admission {
    this.#context.counters.add('access.refused.too_many_attempts');
    return { refused: 'too_many_attempts', retryMs };
  }

  #refuse({ link }: Claim, refused: RefusalReason, why: string): Admission {
    const { counters, peerLog } = this.#context;
    counters.add(`access.refused.${refused}`);
    // config/fail2ban reads this line.
    peerLog.warn({ link, reason: refused }, `refused ${link}: ${why}`);
    return { refused };
  }
}

function unwatched(): AccessContext {
  return { clock: systemClock, counters: new Counters(), peerLog: { warn: () => undefined } };
}

/**
 * Who that is today, and whether what it proved once still proves it. Undefined for a user that is gone.
 */
function standing(
  principal: Principal,
  { users, anyCertificate }: Policy,
): { readonly principal: Principal; readonly proved: boolean } | undefined {
  const { key, ...rest } = principal;
  const { user, credential = '', device } = rest;
  const entry = user === undefined ? undefined : users.get(user);
  const certified = credential === CERTIFICATE && (anyCertificate || entry !== undefined);
  if (user !== undefined && entry === undefined && !certified) return undefined;
  const userProved = user === undefined || certified || entry?.credentials.has(credential) === true;
  const deviceKey = device === undefined ? undefined : users.keyOf(device);
  // A key that is no longer in the file proves nothing.
  if (deviceKey === undefined) return { principal: rest, proved: userProved };
  return {
    principal: { ...rest, key: deviceKey.credential },
    proved: userProved && key === deviceKey.credential,
  };
}

/** What a peer calls somebody, for the log: it may be anything, also what a terminal would obey. */
function quoted(name = ''): string {
  const harmless = name.slice(0, 64).replace(/[\p{C}"\\]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);
  return `"${harmless}"`;
}
