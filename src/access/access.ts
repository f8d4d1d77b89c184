import { isLoopback } from '../links/party.js';
import type { Admission, Claim, Principal } from './principal.js';
import type { Rights } from './rights.js';

/** What `Access.review` says of somebody who was let in earlier. */
export interface Review {
  /** What it may do from now on: of who is gone, nothing. Undefined: everything. */
  readonly rights: Rights | undefined;
  /**
   * Whether it would still be let in with what it proved then. If not (its user was removed, its password changed, its token
   * revoked) its link has to be closed; it may come back, and its session waits for that as for any other, with `rights`.
   */
  readonly admitted: boolean;
}

/**
 * Who may connect, and what they may do. Whoever opens sessions asks `admit` first, keeps the principal and gives its `rights` to the
 * router (`Subscriber.rights`). When rules or users have changed (`watch`) it asks `review` for each of its
 * sessions, connected or not, and then tells the router (`Router.forgetRights`).
 */
export class Access {
  readonly #watchers = new Set<() => void>();

  /** Whether there are rules at all. Without them everything is allowed, and credentials are not looked at. */
  get enforced(): boolean {
    return false;
  }

  /**
   * Lets a peer in, or says why not; refusals are counted (`access.refused.<reason>`) and logged here. It is a promise only where a
   * password has to be hashed: that takes a while, and the peer may be gone when it is kept. It never rejects.
   * A device that has a key (`deviceKey`) is to be asked for its proof first.
   */
  admit(claim: Claim): Admission | Promise<Admission> {
    return { principal: principalOf(claim), rights: undefined };
  }

  /** Says what somebody who was let in, perhaps by an earlier process, may do now. */
  review(_principal: Principal): Review {
    return { rights: undefined, admitted: true };
  }

  /** The key that a device of that identity has to prove, 32 bytes; undefined if it has none. */
  deviceKey(_identity: string): Uint8Array | undefined {
    return undefined;
  }

  /** Calls `listener` whenever rules or users have changed. Returns what ends that. */
  watch(listener: () => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }
}

function principalOf({ device, party }: Claim): Principal {
  const from = party === undefined ? 'serial' : isLoopback(party) ? 'loopback' : 'network';
  return { ...(device !== undefined && { device }), from };
}
