import type { Rights } from './rights.js';

/** What a peer says of itself when it introduces itself, and what its link tells of it. */
export interface Claim {
  /** The identity of a native peer, or the client id of an MQTT one; undefined when it has none yet. */
  readonly device?: string | undefined;
  /** It proved the key of that identity (`Access.deviceKey`). */
  readonly proved?: boolean;
  readonly user?: string | undefined;
  /** A user's password or token, as it came. It is not kept. */
  readonly secret?: Uint8Array | undefined;
  /** The name in a client certificate that TLS has verified. */
  readonly certificate?: string | undefined;
  /** It is on a serial line. */
  readonly serial: boolean;
  /** `Link.party`: whom attempts count for, and whether that is this machine. */
  readonly party: string | undefined;
  /** `Link.name`, for the log: `tcp:192.0.2.7:40312`. */
  readonly link: string;
}

/**
 * Who was let in: plain facts, which the owner of a session keeps with it, in the store as well, and shows to
 * `Access.review` after the rules have changed.
 */
export interface Principal {
  /** What it calls itself, verified or not. */
  readonly device?: string;
  /** The key that it proved to be that with: names an entry of the users file, and changes with it. Holds no secret. */
  readonly key?: string;
  /** Verified. */
  readonly user?: string;
  /** The password, token or certificate that it proved to be that with, as `key` is. */
  readonly credential?: string;
  readonly from: 'serial' | 'loopback' | 'network';
}

/** Who stands behind a session of which nothing is known any more: it has the rights of anyone. */
export const UNKNOWN: Principal = { from: 'network' };

export type RefusalReason = 'bad_credentials' | 'not_allowed' | 'too_many_attempts';

export interface Refusal {
  /**
   * `bad_credentials`: the password, token or key is wrong, missing, or of nobody (they are not told apart); `not_allowed`: no
   * rule allows it anything; `too_many_attempts`: it must wait.
   */
  readonly refused: RefusalReason;
  /** Before which it need not try again, ms. */
  readonly retryMs?: number;
}

export interface Admitted {
  readonly refused?: undefined;
  readonly principal: Principal;
  /** Undefined where there are no rules: everything is allowed. */
  readonly rights: Rights | undefined;
}

export type Admission = Admitted | Refusal;
