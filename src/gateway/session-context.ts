import type { Access } from '../access/access.js';
import type { Principal } from '../access/principal.js';
import type { Rights } from '../access/rights.js';
import type { Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import type { FairTurns } from '../fair-turns.js';
import type { Router } from '../router/router.js';
import type { Alarms } from '../session/alarms.js';
import type { QueueLimits } from '../session/contract.js';
import type { Store } from '../store/store.js';
import type { Refuse, Will } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type { Session } from './session.js';

/** Who a session is, from its peer's HELLO (PROTOCOL.md §4.1). */
export interface Identity {
  readonly identity: string;
  readonly nonce: number;
  readonly token: number;
  readonly program: boolean;
  /** As who it was let in, and what that may do: undefined for everything (§4.8). */
  readonly principal: Principal;
  readonly rights: Rights | undefined;
}

export interface SessionLimits {
  readonly queue: QueueLimits;
  /** Unsent bytes a link, beyond which QoS 0 is dropped. */
  readonly backlog: number;
  /** The longest that a session outlives its link, and that its peer may sleep (PROTOCOL.md §4.7), ms. */
  readonly expiryMs: number;
}

/** What a session tells whoever keeps it. */
export interface SessionKeeper {
  /** The peer said BYE. */
  leaves(session: Session, reason: Reason): void;
  /** The peer was silent for too long, or disagrees about the numbering. */
  fails(session: Session, reason: Reason): void;
  /** There is no room in its queue for so many bytes, nor was there since `sinceMs` ago. `first` of this link, or absence. */
  full(session: Session, bytes: number, sinceMs: number, first: boolean): void;
  /** It has to end for want of room: for another session, or in its own queue. */
  evict(session: Session, reason: 'limit_reached' | 'queue_full'): void;
  /** The peer sleeps, or is awake again. */
  slept(session: Session, state: 'asleep' | 'online'): void;
  /** It is about to have one id more. Returns whether it may. */
  takesId(session: Session): boolean;
  /** It has one id less. */
  gaveId(session: Session): void;
  /** The peer leaves a will, or takes it back. Returns why not, if that is refused. */
  will(session: Session, will: Will): Reason | undefined;
  /** Whether it left a will, and whether one is on its way. */
  stateOfWill(session: Session): { readonly stands: boolean; readonly due: boolean };
  /** The peer refused something that it was sent. */
  refused(session: Session, message: Refuse): void;
}

export interface SessionContext {
  readonly router: Router;
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly counters: Counters;
  readonly limits: SessionLimits;
  readonly keeper: SessionKeeper;
  readonly turns: FairTurns;
  /** Where sessions are kept, if they are to outlive the process. */
  readonly store: Store | undefined;
  readonly access: Access;
}
