import type { Epoch, SideLimits } from '../session/contract.js';
import { identityProblem } from '../wire/channels.js';
import {
  GATEWAY_PROOF_BYTES,
  LONGEST_WELCOME_BYTES,
  PROTOCOL_VERSION,
  SPOKEN_VERSIONS,
} from '../wire/limits.js';
import type { Hello, Welcome } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import { takenSize } from '../wire/size.js';
import type { Entry } from './doorkeeper.js';
import { farFrom, type Numbering } from './numbering.js';
import type { Session } from './session.js';

/** An epoch that was offered to a peer and begins when the peer says so (PROTOCOL.md §4.2). */
export interface Offer {
  /** Not all of it: what its sender showed of itself must not lie about. */
  readonly hello: Pick<Hello, 'identity' | 'nonce' | 'token' | 'program' | 'expiry'>;
  readonly entry: Entry;
  /** All but the time, which is that of sending it. */
  readonly welcome: Omit<Welcome, 'time'>;
  readonly epoch: Epoch;
  /** The session of that identity as it stood at the offer. */
  readonly standing: Session | undefined;
  readonly standingEpochs: number | undefined;
}

/** Why a HELLO cannot be answered with an offer, whoever else is there (§4.1, §4.6). */
export function helloProblem(hello: Hello): { reason: Reason; detail: Uint8Array } | undefined {
  if (hello.version < PROTOCOL_VERSION) {
    return { reason: 'version', detail: SPOKEN_VERSIONS };
  }
  if (identityProblem(hello.identity) === undefined) return undefined;
  return { reason: 'identity_invalid', detail: new Uint8Array() };
}

/** Where the session's numbering stands. */
export function numberingOf({ nonce, token, engine }: Session): Numbering {
  return { nonce, token, nextIn: engine.nextIn, nextOut: engine.nextOut, taken: engine.takenBehind };
}

/** What the WELCOME tells of messages behind a refused one: as much as its peer's packet has room for (§4.3). */
function takenFor({ maxPacket }: Hello, { taken }: Numbering, { prove }: Entry): Pick<Welcome, 'taken'> {
  const room = maxPacket - LONGEST_WELCOME_BYTES - (prove ? 2 + GATEWAY_PROOF_BYTES : 0);
  let bytes = Math.min(taken.length, room);
  while (takenSize(bytes) > room) bytes--;
  return bytes > 0 ? { taken: taken.subarray(0, bytes) } : {};
}

/**
 * Whether a HELLO was delayed on its way: its boot has begun a later epoch since (§4.2). Were it answered, the peer could
 * take the WELCOME for the answer to its last one, and its numbering would be lost.
 */
export function isLate(hello: Hello, { nonce, token }: Pick<Numbering, 'nonce' | 'token'>): boolean {
  // One that takes nothing reliable holds no epoch, and has no numbering to lose.
  if (hello.nonce !== nonce || hello.window === 0) return false;
  return hello.token === 0 || (hello.token !== token && (token - hello.token) >>> 0 < 0x8000_0000);
}

/** How far the tokens of two epochs of a boot lie apart at most (§4.2). */
const MAX_TOKEN_STEP = 2 ** 24;

/**
 * The token of a new epoch. Within a boot they grow, so that a later one can be told from an earlier one; by how much is
 * drawn, so that no two offers have the same: a BEGIN must not fit but the one that its peer was sent (§4.2).
 */
function newToken(held: number, random32: () => number): number {
  const token = held === 0 ? random32() : held + 1 + (random32() % MAX_TOKEN_STEP);
  return token >>> 0 || 1;
}

/** Whether what its peer may do is as it was: if not, it has to say again what it wants (§4.8). */
function keepsRights({ principal }: Session, entry: Entry): boolean {
  if (entry.rights === undefined) return true;
  const { user, from, key } = entry.principal;
  return principal.user === user && principal.from === from && principal.key === key;
}

/** What goes on and what begins anew: the table of §4.3. */
export function makeOffer(
  hello: Hello,
  entry: Entry,
  session: Session | undefined,
  remembered: Numbering | undefined,
  own: SideLimits,
  keepAlive: number,
  random32: () => number,
): Offer {
  const old = session ? numberingOf(session) : remembered;
  const sameNumbering = old?.nonce === hello.nonce && old.token === hello.token;
  // A peer that repeats `clean` because it is not sure that its epoch began has nothing older to be rid of.
  const kept = hello.clean && !sameNumbering ? undefined : session;
  const continues = sameNumbering && kept?.numberingStands === true && keepsRights(kept, entry);
  const nextIn = continues ? (old as Numbering).nextIn : farFrom(old?.nextIn, random32);
  const nextOut = continues ? (old as Numbering).nextOut : farFrom(old?.nextOut, random32);
  // An epoch that goes on keeps its token: whether or not the BEGIN arrives, both sides name the same numbering.
  const token = continues ? hello.token : newToken(hello.token, random32);
  const welcome: Offer['welcome'] = {
    type: 'welcome',
    version: PROTOCOL_VERSION,
    resumed: kept !== undefined,
    continues,
    known: sameNumbering,
    nonce: hello.nonce,
    token,
    nextIn,
    nextOut,
    received: sameNumbering ? (old as Numbering).nextIn : 0,
    keepAlive,
    maxPacket: own.maxPacket,
    window: own.window,
    ids: own.ids,
    ...(sameNumbering && !continues && takenFor(hello, old as Numbering, entry)),
    ...(entry.prove && { proof: entry.prove(token) }),
  };
  const { identity, nonce, program, expiry, maxPacket, window, inFlight, buffer, ids } = hello;
  return {
    hello: { identity, nonce, token: hello.token, program, expiry },
    entry,
    welcome,
    standing: session,
    standingEpochs: session?.epochs,
    epoch: {
      continues,
      nextIn,
      nextOut,
      received: sameNumbering && kept ? hello.received : undefined,
      keepAlive,
      own,
      // Not the HELLO: all of it would stay for as long as the session.
      other: { maxPacket, window, inFlight, buffer, ids },
    },
  };
}
