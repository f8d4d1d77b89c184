import type { Logger } from 'pino';
import type { Access } from '../access/access.js';
import type { Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import type { Link, LinkEvents } from '../links/link.js';
import type { Channel } from '../router/channel.js';
import type { Router } from '../router/router.js';
import type { Outgoing } from '../session/outgoing.js';
import type { Contents } from '../store/contents.js';
import type { Store } from '../store/store.js';
import type { DeviceState } from '../wire/device-states.js';
import { headOf } from '../wire/head.js';
import type { Refuse } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type { CommonLimits, Commons } from './commons.js';
import { Connection, type ConnectionKeeper } from './connection.js';
import { numberingOf, type Offer } from './handshake.js';
import { Introductions, type OfferedLimits } from './introductions.js';
import { RememberedNumberings } from './numbering.js';
import { RETURN_MS } from './presence.js';
import { Session } from './session.js';
import type { SessionContext, SessionKeeper, SessionLimits } from './session-context.js';

export interface HubLimits extends SessionLimits, OfferedLimits, CommonLimits {}

/** What the hub tells the rest of the gateway. */
export interface HubEvents {
  /** A session came to stand on a link, or its peer sleeps, or woke, or is gone. */
  presence(session: Session, state: DeviceState): void;
  /** Nothing is remembered of that identity any more. */
  forgotten(identity: string): void;
  /** A line of text on a serial link, and the session that stands there. */
  text(link: Link, session: Session | undefined, line: string): void;
}

export interface HubContext {
  readonly router: Router;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly limits: HubLimits;
  readonly commons: Commons;
  readonly events: HubEvents;
  readonly access: Access;
  /** 32 random bits. */
  readonly random32: () => number;
  /** Where sessions are kept, if they are to outlive the process. */
  readonly store?: Store;
}

/** For the log. */
const STALLED = {
  too_slow: 'it does not read what it is sent (limits.tcp_stall)',
  timeout: 'it did not finish a packet that it had begun (limits.tcp_stall)',
};

/** The sessions and the links they stand on: who is who, who takes over from whom (PROTOCOL.md §4). */
export class Hub {
  readonly #context: HubContext;
  readonly #commons: Commons;
  readonly #sessions = new Map<string, Session>();
  readonly #connections = new Map<Link, Connection>();
  readonly #numberings: RememberedNumberings;
  readonly #introductions: Introductions;
  readonly #keeper: ConnectionKeeper & SessionKeeper;
  readonly #sessionContext: SessionContext;
  readonly #stopReviewing: () => void;
  #stopped = false;

  constructor(context: HubContext) {
    this.#context = context;
    const { commons } = context;
    const { alarms, held, peerLog, places, turns, wills } = commons;
    this.#commons = commons;
    this.#stopReviewing = context.access.watch(() => this.#review());
    this.#numberings = new RememberedNumberings(context.limits.sessions, context.store, (identity) => {
      if (!this.#sessions.has(identity)) context.events.forgotten(identity);
    });
    this.#introductions = new Introductions({
      ...context,
      store: context.store,
      peerLog,
      sessions: this.#sessions,
      places,
      numberings: this.#numberings,
    });
    this.#keeper = {
      // A board answers the goodbye with a HELLO, perhaps while its port is being closed.
      hello: (connection, hello) => this.#stopped || this.#introductions.hello(connection, hello),
      begin: (connection, offer) => this.#begin(connection, offer),
      text: (connection, line) => context.events.text(connection.link, connection.session, line),
      stalled: ({ session }, reason) => session && this.#letGo(session, STALLED[reason], reason),
      closed: (connection, reason) => this.#closed(connection, reason),
      clock: context.clock,
      turns,
      leaves: (session, reason) => this.#leaves(session, reason),
      fails: (session, reason) => this.#letGo(session, reason, reason),
      slept: (session, state) => context.events.presence(session, state),
      takesId: (session) => this.#takesId(session),
      gaveId: ({ party }) => places.gaveId(party),
      will: (session, will) => wills.set(session, will),
      stateOfWill: (session) => wills.stateOf(session),
      refused: (session, message) => this.#refused(session, message),
      full: (session, bytes, sinceMs, first) => held.full(session, bytes, sinceMs, first),
      evict: (session, reason) => this.#evict(session, reason),
    };
    this.#sessionContext = {
      store: undefined,
      ...context,
      alarms,
      keeper: this.#keeper,
      turns,
    };
  }

  /** Takes on a link. What it receives goes to the events returned, until it closes. */
  attach(link: Link): LinkEvents {
    const connection = new Connection(link, this.#keeper, this.#context.counters);
    this.#connections.set(link, connection);
    this.#introductions.expect(connection);
    return connection;
  }

  /** Closes the connection over UDP that has been there longest without a session: somebody else wants its place. */
  giveUpHalfOpen(): void {
    this.#introductions.giveUpHalfOpen();
  }

  get connections(): ReadonlyMap<Link, Connection> {
    return this.#connections;
  }

  /** Takes up the sessions and numberings that the store kept: all are absent, and have what was left of their time to come back. */
  restore({ sessions, numberings }: Pick<Contents, 'sessions' | 'numberings'>): void {
    const now = this.#context.store?.time() ?? 0;
    const restored = sessions.map((stored) => {
      const session = Session.restore(stored, this.#sessionContext);
      this.#sessions.set(stored.identity, session);
      this.#commons.places.enter(session, undefined);
      return { session, stored };
    });
    for (const [identity, numbering] of numberings) this.#numberings.restore(identity, numbering);
    // Only when all are there: the end of one may tell the others something.
    for (const { session, stored } of restored) {
      if (session.engine.asleep) {
        this.#awaitWaking(session);
        continue;
      }
      // It went down with the gateway, or could not come back meanwhile: it has a while for that, as in `Presence.correctLater`.
      if (stored.state.willDue || session.expiresAt === null) this.#commons.wills.lost(session, RETURN_MS);
      const left = (session.expiresAt ?? now + session.expiryMs) - now;
      if (left > 0) this.#expireIn(session, left);
      else this.#end(session, 'timeout');
    }
  }

  get sessions(): ReadonlyMap<string, Session> {
    return this.#sessions;
  }

  /** Whether the peer of that identity is there. */
  stateOf(identity: string): DeviceState {
    const session = this.#sessions.get(identity);
    if (session?.engine.asleep) return 'asleep';
    return session?.open ? 'online' : 'offline';
  }

  /** Whether the peer of that identity is there, and how many reliable messages wait for it; undefined if no session of it stands. */
  standingOf(identity: string): { present: boolean; pending: number } | undefined {
    const session = this.#sessions.get(identity);
    return (
      session && {
        present: session.open && !session.engine.asleep,
        pending: emitsIn(session.engine.outgoing),
      }
    );
  }

  /** Sends what can be sent now. */
  flush(): void {
    for (const session of this.#sessions.values()) session.flush();
  }

  /** Rules, users or keys have changed: what each may do is asked anew, and who is not let in any more loses its link (§4.8). */
  #review(): void {
    const { access, router } = this.#context;
    this.#introductions.rightsChanged();
    for (const session of this.#sessions.values()) {
      const { rights, admitted } = access.review(session.principal);
      session.rights = rights;
      if (!admitted && session.open) this.#letGo(session, 'it is not let in any more', 'not_allowed');
    }
    router.forgetRights();
    for (const session of this.#sessions.values()) {
      // It lost a subscription: it has to say all of them again, and hears which are refused.
      if (session.open && !session.numberingStands)
        this.#letGo(session, 'a subscription of it is not allowed any more', 'not_allowed');
    }
  }

  /** Says goodbye to everyone. */
  stop(): void {
    this.#stopReviewing();
    for (const session of this.#sessions.values()) session.detach('shutdown');
    this.#stopped = true;
    this.#introductions.stop();
    this.#connections.clear();
  }

  // ------------------------------------------------------------------------------------------- the beginnings

  #begin(connection: Connection, offer: Offer): void {
    const { identity } = offer.hello;
    const standing = this.#sessions.get(identity);
    // What the offer was made of must still be so: else the peer has to introduce itself again.
    const stale = standing !== offer.standing || standing?.epochs !== offer.standingEpochs;
    const full = !standing && !this.#commons.places.hasRoom(connection.link.party);
    if (stale || full) {
      connection.refuse(full ? 'limit_reached' : 'no_session', headOf({ type: 'begin', token: 0 }));
      return this.#introductions.taken(connection, false);
    }

    if (connection.session && connection.session !== standing)
      this.#release(connection.session, `${identity} is on its link now`);
    const kept = offer.welcome.resumed ? standing : undefined;
    if (!kept && standing?.open && !standing.engine.asleep) this.#commons.wills.lost(standing);
    if (standing) this.#leaveOldLink(standing, connection);
    if (standing && !kept) this.#end(standing, 'end_session');
    if (!standing) this.#commons.makeRoom(connection.link.party);
    const session = kept ?? new Session(identity, this.#sessionContext);
    this.#sessions.set(identity, session);
    this.#commons.wills.resumed(session);
    this.#commons.places.returned(session);
    this.#introductions.taken(connection, true);
    this.#commons.places.enter(session, connection.link.party);
    const { nonce, program, expiry } = offer.hello;
    connection.opened(session, nonce);
    const moved = movedFrom(session.port, connection.link);
    const expiryMs = Math.min(expiry * 1000, this.#context.limits.expiryMs);
    const { principal, rights } = offer.entry;
    const who = { identity, nonce, token: offer.welcome.token, program, principal, rights };
    session.begin(connection.link, who, offer.epoch, expiryMs, offer.welcome.resumed);
    this.#commons.peerLog.info(
      { identity, link: connection.link.name, resumed: offer.welcome.resumed },
      `${identity} is online on ${connection.link.name}${offer.welcome.resumed ? ', resumed' : ''}${moved}`,
    );
    this.#context.events.presence(session, 'online');
  }

  #takesId({ party }: Session): boolean {
    const may = this.#commons.places.takesId(party);
    if (!may) this.#context.counters.add('session.per_address.ids');
    return may;
  }

  /** The session goes on elsewhere: its old link hears that, if it is another one. */
  #leaveOldLink(session: Session, to: Connection): void {
    const { link } = session;
    if (!link) return;
    const old = this.#connections.get(link);
    session.detach(old === to ? undefined : 'taken_over');
    if (!old || old === to) return;
    old.session = undefined;
    this.#hangUp(link);
  }

  // ------------------------------------------------------------------------------------------------ the ends

  #leaves(session: Session, reason: Reason): void {
    // The peer gave up on its numbering (§5.4).
    if (reason === 'malformed') session.giveUpNumbering();
    const link = this.#release(
      session,
      `left (${reason})`,
      undefined,
      reason !== 'normal' && reason !== 'end_session',
    );
    if (link) this.#hangUp(link);
    if (reason === 'end_session') this.#end(session, reason);
  }

  /** Releases a session, and the link that was there for it only. */
  #letGo(session: Session, why: string, bye?: Reason): void {
    const link = this.#release(session, why, bye);
    if (link) this.#hangUp(link);
  }

  #closed(connection: Connection, reason: string): void {
    this.#connections.delete(connection.link);
    this.#introductions.closed(connection);
    if (connection.session) this.#letGo(connection.session, reason);
  }

  /** The session loses its link. `lost`: its peer did not say that it leaves. */
  #release(session: Session, why: string, bye?: Reason, lost = true): Link | undefined {
    const link = session.detach(bye);
    if (!link) return undefined;
    const connection = this.#connections.get(link);
    if (connection) connection.session = undefined;
    if (session.engine.asleep) this.#awaitWaking(session);
    else this.#offline(session, `${link.name}: ${why}`, lost);
    return link;
  }

  /** A sleeper needs no link: it is not missed before the time that it named (§4.7). */
  #awaitWaking(session: Session): void {
    const { clock } = this.#context;
    const overslept = () => {
      session.oversleep();
      this.#offline(session, 'it did not wake', true);
    };
    const wait = Math.max(0, session.engine.awaitedUntil - clock.now());
    this.#commons.places.absent(session, clock.schedule(wait, overslept));
  }

  /** From now on the session has its expiry to come back. */
  #offline(session: Session, why: string, lost: boolean): void {
    this.#gone(session, why, lost);
    if (session.expiryMs === 0) return this.#end(session, 'end_session');
    this.#expireIn(session, session.expiryMs);
  }

  #gone(session: Session, why: string, lost: boolean): void {
    const { identity } = session;
    this.#commons.peerLog.info({ identity }, `${identity} is offline: ${why}`);
    this.#context.events.presence(session, 'offline');
    if (lost) this.#commons.wills.lost(session);
  }

  #expireIn(session: Session, ms: number): void {
    const { clock } = this.#context;
    const { identity } = session;
    const expire = () => {
      this.#commons.peerLog.info({ identity }, `the session of ${identity} has expired`);
      this.#end(session, 'timeout');
    };
    session.offline(ms);
    this.#commons.places.absent(session, clock.schedule(ms, expire));
  }

  /** Closes what was there for one session only. */
  #hangUp(link: Link): void {
    if (link.kind !== 'serial') void link.close();
  }

  #evict(session: Session, reason: 'limit_reached' | 'queue_full'): void {
    if (reason === 'queue_full') this.#letGo(session, 'its queue is full', 'too_slow');
    // Else its last value would say for ever that it sleeps, and nobody would ever miss it.
    if (session.engine.asleep) this.#gone(session, `its session is ended (${reason}) while it sleeps`, true);
    if (this.#sessions.get(session.identity) === session) this.#end(session, reason);
  }

  #end(session: Session, reason: Reason): void {
    this.#commons.wills.ended(session);
    if (this.#sessions.get(session.identity) === session) this.#sessions.delete(session.identity);
    this.#commons.places.leave(session);
    this.#numberings.remember(session.identity, numberingOf(session));
    const lost = emitsIn(session.engine.outgoing);
    // Who ends its own session wants no more of it.
    if (lost > 0 && reason !== 'end_session') {
      this.#context.counters.add('session.drop.session_ended', lost);
      // Of a full queue it was said already.
      if (reason !== 'queue_full') this.#sayLost(session.identity, lost, reason);
    }
    session.end(reason);
  }

  #sayLost(identity: string, lost: number, reason: Reason): void {
    const what = lost === 1 ? '1 message for it is' : `${lost} messages for it are`;
    this.#commons.peerLog.warn(
      { identity, lost, reason },
      `the session of ${identity} is over (${reason}): ${what} lost`,
    );
  }

  #refused(session: Session, message: Refuse): void {
    this.#context.counters.add(`session.peer_refused.${message.reason}`);
    if (message.reason !== 'no_session') return;
    // The peer lost its mind or its memory: it will introduce itself again.
    session.engine.giveUpSleep();
    this.#letGo(session, 'the peer knows no session');
  }
}

function emitsIn(outgoing: Iterable<Outgoing<Channel>>): number {
  let count = 0;
  for (const { content } of outgoing) if (content.type === 'emit') count++;
  return count;
}

/** For the log: a board that was on another serial port before. Addresses of networks come and go, and say nothing. */
function movedFrom(before: string | undefined, { kind, name }: Link): string {
  return kind === 'serial' && before !== undefined && before !== name ? `, moved here from ${before}` : '';
}
