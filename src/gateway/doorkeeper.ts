import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Access } from '../access/access.js';
import type { Admission, Principal } from '../access/principal.js';
import type { Rights } from '../access/rights.js';
import { CHALLENGE_BYTES } from '../wire/limits.js';
import type { Hello } from '../wire/messages.js';
import { gatewayProof, peerProof } from '../wire/proof.js';
import type { Reason } from '../wire/reasons.js';
import type { Connection } from './connection.js';

/** Who was let in. */
export interface Entry {
  readonly turnedAway?: undefined;
  readonly principal: Principal;
  readonly rights: Rights | undefined;
  /** What the gateway proves itself with in a WELCOME of that token, to a peer that has a key. */
  readonly prove?: ((token: number) => Uint8Array) | undefined;
}

/** Why somebody was not let in, as a REFUSE says it (PROTOCOL.md §7). */
export interface TurnedAway {
  readonly turnedAway: Reason;
  readonly detail?: Uint8Array;
  /** For the log, where nobody else has written it. */
  readonly why?: string;
}

export type Verdict = Entry | TurnedAway;

const NO_KEY_HERE: TurnedAway = {
  turnedAway: 'bad_credentials',
  why: 'it has a key and the gateway has none for it (slipway key add)',
};

/** Judges what a HELLO shows of who its sender is: keys, users, passwords and tokens (PROTOCOL.md §4.8). */
export class Doorkeeper {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /** A promise only where a password has to be hashed; it is never rejected. Nothing of the HELLO is kept. */
  judge(connection: Connection, hello: Hello): Verdict | Promise<Verdict> {
    const key = this.#access.deviceKey(hello.identity);
    if (!key) return hello.proof ? NO_KEY_HERE : this.#admit(connection, hello, false);
    const { proof } = hello;
    if (!proof) return this.#admit(connection, hello, false);
    const { challenge } = connection;
    if (proof.length === 0 || !challenge) {
      connection.challenge = challenge ?? randomBytes(CHALLENGE_BYTES);
      return { turnedAway: 'prove_identity', detail: connection.challenge };
    }
    const wanted = peerProof(key, challenge, hello);
    const proved = timingSafeEqual(wanted, proof);
    // Nobody guesses at one challenge twice.
    if (!proved) connection.challenge = undefined;
    return this.#admit(connection, hello, proved, (token) => gatewayProof(key, wanted, token));
  }

  #admit(
    { link }: Connection,
    { identity, user, secret }: Hello,
    proved: boolean,
    prove?: Entry['prove'],
  ): Verdict | Promise<Verdict> {
    const admission = this.#access.admit({
      device: identity,
      proved,
      user,
      // Its bytes are the packet's, and may have to last.
      secret: secret && new Uint8Array(secret),
      certificate: link.secure?.user,
      serial: link.kind === 'serial',
      party: link.party,
      link: link.name,
    });
    return admission instanceof Promise
      ? admission.then((settled) => verdictOf(settled, prove))
      : verdictOf(admission, prove);
  }
}

function verdictOf(admission: Admission, prove: Entry['prove']): Verdict {
  if (admission.refused !== undefined) return { turnedAway: admission.refused };
  const { principal, rights } = admission;
  return { principal, rights, prove };
}
