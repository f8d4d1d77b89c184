import type { Access } from '../access/access.js';
import type { Cancel, Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import { Deadlines } from '../deadlines.js';
import type { Link } from '../links/link.js';
import type { SideLimits } from '../session/contract.js';
import type { Store } from '../store/store.js';
import { headOf } from '../wire/head.js';
import { OFFER_MS, PROBE_MS, UDP_KEEP_ALIVE_S } from '../wire/limits.js';
import type { Hello } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type { Connection } from './connection.js';
import { Doorkeeper, type Entry, type Verdict } from './doorkeeper.js';
import { helloProblem, isLate, makeOffer } from './handshake.js';
import { harmless } from './harmless.js';
import type { RememberedNumberings } from './numbering.js';
import type { Places } from './places.js';
import type { QuietLogger } from './quiet-logger.js';
import type { Session } from './session.js';
import { Welcomes } from './welcomes.js';

/** What a gateway tells peers of itself. */
export interface OfferedLimits {
  /** By kind of link: the largest packet that is taken (bytes) and the window offered. */
  readonly packet: Readonly<Record<Link['kind'], number>>;
  readonly window: Readonly<Record<Link['kind'], number>>;
  /** Channel ids that one session may declare. */
  readonly ids: number;
}

export interface IntroductionsContext {
  readonly clock: Clock;
  readonly counters: Counters;
  /** For what peers cause. */
  readonly peerLog: QuietLogger;
  readonly limits: OfferedLimits;
  /** 32 random bits. */
  readonly random32: () => number;
  readonly store: Store | undefined;
  readonly sessions: ReadonlyMap<string, Session>;
  readonly places: Places;
  readonly numberings: RememberedNumberings;
  readonly access: Access;
}

/** Links on which no session stands yet: who introduces itself is offered an epoch, or refused (PROTOCOL.md §4.2, §4.4). */
export class Introductions {
  readonly #context: IntroductionsContext;
  /** Connections whose peer was offered an epoch. */
  readonly #offers: Deadlines<Connection>;
  readonly #welcomes: Welcomes | undefined;
  readonly #doorkeeper: Doorkeeper;
  /** Connections whose peer's password is being looked at. */
  readonly #judging = new Set<Connection>();
  readonly #probes = new Map<Connection, Cancel>();
  /** Connections on which no session stands, longest first. */
  readonly #unused: Deadlines<Connection>;
  /** By kind of link and largest packet: the same objects for all sessions. */
  readonly #limitsOffered = new Map<string, SideLimits>();

  constructor(context: IntroductionsContext) {
    this.#context = context;
    const { clock, store } = context;
    this.#offers = new Deadlines(clock, OFFER_MS, (connection) => this.#forgetOffer(connection));
    this.#unused = new Deadlines(clock, OFFER_MS, (connection) => closeIfUnused(connection));
    this.#doorkeeper = new Doorkeeper(context.access);
    this.#welcomes = store && new Welcomes(store, (connection) => this.#sendWelcome(connection));
  }

  /** A connection that opens no session is not kept; a serial port is there whether it is used or not. */
  expect(connection: Connection): void {
    if (connection.link.kind !== 'serial') this.#unused.start(connection);
  }

  /** Closes the connection over UDP that has been there longest without a session: somebody else wants its place. */
  giveUpHalfOpen(): void {
    for (const connection of this.#unused) {
      if (connection.link.kind !== 'udp') continue;
      this.#context.counters.add('udp.closed.half_open');
      void connection.link.close();
      return;
    }
  }

  /** The offer was taken: a session stands, or the peer has to introduce itself again. */
  taken(connection: Connection, stands: boolean): void {
    this.#offers.stop(connection);
    if (stands) this.#unused.stop(connection);
    else this.expect(connection);
  }

  /** The connection is closed. */
  closed(connection: Connection): void {
    this.#offers.stop(connection);
    this.#judging.delete(connection);
    this.#welcomes?.forget(connection);
    this.#probes.get(connection)?.();
    this.#probes.delete(connection);
    this.#unused.stop(connection);
    connection.offer = undefined;
  }

  /** Who may do what has changed: whoever was let in and has not begun has to ask again. */
  rightsChanged(): void {
    for (const connection of this.#offers) {
      this.#offers.stop(connection);
      this.#forgetOffer(connection);
    }
    for (const cancel of this.#probes.values()) cancel();
    this.#probes.clear();
    this.#judging.clear();
  }

  stop(): void {
    this.#judging.clear();
    this.#offers.stopAll();
    this.#unused.stopAll();
    for (const cancel of this.#probes.values()) cancel();
  }

  hello(connection: Connection, hello: Hello): void {
    const problem = helloProblem(hello);
    if (problem) return this.#refuseHello(connection, hello, problem.reason, problem.detail);
    if (this.#context.store?.failing) {
      // The log says why, once.
      connection.refuse('not_stored', headOf(hello));
      return;
    }
    const { offer } = connection;
    if (
      offer &&
      offer.hello.nonce === hello.nonce &&
      offer.hello.token === hello.token &&
      offer.hello.identity === hello.identity
    ) {
      return this.#welcome(connection);
    }
    const session = this.#context.sessions.get(hello.identity);
    const known = session ?? this.#context.numberings.of(hello.identity);
    // What keeps its order brings nothing late.
    if (!connection.link.ordered && known && isLate(hello, known))
      return this.#context.counters.add('session.drop.stale_hello');
    if (!session && !this.#context.places.hasRoom(connection.link.party))
      return this.#refuseHello(connection, hello, 'limit_reached');
    // One at a time: a peer that repeats itself must not keep the gateway at its hashing.
    if (this.#judging.has(connection)) return this.#context.counters.add('session.drop.hello_in_judgement');
    const verdict = this.#doorkeeper.judge(connection, hello);
    if (!(verdict instanceof Promise)) return this.#judged(connection, hello, verdict);
    this.#judging.add(connection);
    void verdict.then((settled) => {
      // The peer may be gone, and what was known of it out of date.
      if (this.#judging.delete(connection)) this.#judged(connection, hello, settled);
    });
  }

  #judged(connection: Connection, hello: Hello, verdict: Verdict): void {
    if (verdict.turnedAway !== undefined) {
      const { turnedAway, detail, why } = verdict;
      if (why !== undefined) return this.#refuseHello(connection, hello, turnedAway, detail, why);
      connection.refuse(turnedAway, headOf(hello), detail);
      return;
    }
    const session = this.#context.sessions.get(hello.identity);
    if (this.#isAnothers(session, connection, hello, verdict)) return;
    const elsewhere = session?.link !== undefined && session.link !== connection.link;
    // One that sleeps would not answer; it is most likely this one, which boots when it wakes.
    const doubtful = elsewhere && session.nonce !== hello.nonce && !session.engine.asleep;
    if (doubtful) this.#probe(connection, hello, verdict, session);
    else this.#offer(connection, hello, verdict, session);
  }

  /** Whether the session is of somebody who does not share it: then that is said. */
  #isAnothers(
    session: Session | undefined,
    connection: Connection,
    hello: Hello,
    { principal }: Entry,
  ): boolean {
    if (!session || this.#context.access.mayTakeOver(session.principal, principal)) return false;
    this.#refuseHello(connection, hello, 'not_allowed', undefined, "its session is another's");
    return true;
  }

  #refuseHello(
    connection: Connection,
    hello: Hello,
    reason: Reason,
    detail?: Uint8Array,
    why: string = reason,
  ): void {
    // What is not said is not logged either: a peer that goes on and on must not fill the log.
    if (!connection.refuse(reason, headOf(hello), detail)) return;
    // An identity that breaks the rules may hold anything, also what a terminal would obey.
    const peer = hello.identity === '' ? 'a peer without identity' : `"${harmless(hello.identity)}"`;
    this.#context.peerLog.warn(
      { link: connection.link.name, identity: hello.identity, version: hello.version, reason },
      `refused ${peer} on ${connection.link.name}: ${why}`,
    );
  }

  #offer(connection: Connection, hello: Hello, entry: Entry, session: Session | undefined): void {
    const { random32 } = this.#context;
    const numbering = this.#context.numberings.of(hello.identity);
    const offer = makeOffer(
      hello,
      entry,
      session,
      numbering,
      this.#ownLimits(connection.link),
      hello.keepAlive === 0 && connection.link.kind === 'udp' ? UDP_KEEP_ALIVE_S : hello.keepAlive,
      random32,
    );
    connection.offer = offer;
    this.#offers.start(connection);
    this.#welcome(connection);
  }

  #forgetOffer(connection: Connection): void {
    connection.offer = undefined;
    connection.challenge = undefined;
    this.expect(connection);
  }

  /** What a WELCOME says that arrived must not be forgotten any more. */
  #welcome(connection: Connection): void {
    if (this.#welcomes) this.#welcomes.ask(connection);
    else this.#sendWelcome(connection);
  }

  #sendWelcome(connection: Connection): void {
    const { offer } = connection;
    if (offer) connection.welcome({ time: this.#context.clock.wallTime(), ...offer.welcome });
  }

  #ownLimits({ kind, maxPacket }: Link): SideLimits {
    const { limits } = this.#context;
    const window = limits.window[kind];
    const packet = Math.min(limits.packet[kind], maxPacket);
    const key = `${kind} ${packet}`;
    const known = this.#limitsOffered.get(key);
    if (known) return known;
    const own = { maxPacket: packet, window, inFlight: window, buffer: 0, ids: limits.ids };
    this.#limitsOffered.set(key, own);
    return own;
  }

  /** Two links, one identity, two boots: asks the old one whether it is still there (§4.4). */
  #probe(connection: Connection, hello: Hello, entry: Entry, session: Session): void {
    if (this.#probes.has(connection)) return;
    const { clock, counters } = this.#context;
    const askedAt = clock.now();
    session.engine.probe();
    session.wake();
    const judge = clock.schedule(PROBE_MS, () => {
      this.#probes.delete(connection);
      const answered = session.open && session.link !== connection.link && session.engine.heardAt > askedAt;
      if (!answered) {
        // Meanwhile it may be another one's.
        const standing = this.#context.sessions.get(hello.identity);
        if (!this.#isAnothers(standing, connection, hello, entry))
          this.#offer(connection, hello, entry, standing);
        return;
      }
      counters.add('session.identity_collisions');
      this.#context.peerLog.warn(
        { identity: hello.identity, link: connection.link.name, other: session.link?.name },
        `two peers call themselves "${hello.identity}": ${session.link?.name} keeps it, ${connection.link.name} is refused; give one of them another identity`,
      );
      connection.refuse('identity_in_use', headOf(hello));
    });
    this.#probes.set(connection, judge);
  }
}

function closeIfUnused({ session, offer, link }: Connection): void {
  if (session === undefined && offer === undefined) void link.close();
}
