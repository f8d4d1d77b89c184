import type { Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import type { FairTurns, Share } from '../fair-turns.js';
import type { Link, LinkEvents } from '../links/link.js';
import type { MalformedPacket, PacketReader } from '../wire/decode.js';
import { encodePacket } from '../wire/encode.js';
import { headOf } from '../wire/head.js';
import { MAX_REFUSALS_PER_SECOND, SPOKEN_VERSIONS } from '../wire/limits.js';
import type { Begin, Hello, Welcome } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type { Offer } from './handshake.js';
import { Inbox } from './inbox.js';
import type { Session } from './session.js';

/** With more than this unsent, a HELLO is not answered: the peer says it again, unless it reads nothing at all. Bytes. */
const MAX_UNSENT_BYTES = 65_536;

/** What a connection asks of the hub. */
export interface ConnectionKeeper {
  hello(connection: Connection, hello: Hello): void;
  begin(connection: Connection, offer: Offer): void;
  text(connection: Connection, line: string): void;
  stalled(connection: Connection, reason: 'too_slow' | 'timeout'): void;
  closed(connection: Connection, reason: string): void;
  readonly clock: Clock;
  readonly turns: FairTurns;
}

/** One link and where its handshake stands: unknown, offered, open (PROTOCOL.md §4.2). */
export class Connection extends Inbox implements LinkEvents {
  offer: Offer | undefined;
  session: Session | undefined;
  /** What a peer that has a key is to answer here (PROTOCOL.md §4.8). */
  challenge: Uint8Array | undefined;
  /** How often a session began, or went on, over this link. */
  begins = 0;
  /** How often it was another boot of the same peer that did. */
  resets = 0;
  /** Who began a session here last, and in which boot. */
  #identity: string | undefined;
  #nonce = 0;
  readonly #keeper: ConnectionKeeper;
  #refusals = 0;
  #refusalsSince = 0;

  constructor(link: Link, keeper: ConnectionKeeper, counters: Counters) {
    super(link, keeper.turns, counters);
    this.#keeper = keeper;
  }

  protected override malformed({ reason, head }: MalformedPacket): void {
    this.refuse(reason, head, reason === 'version' ? SPOKEN_VERSIONS : undefined);
  }

  protected override opens(packet: PacketReader): boolean {
    switch (packet.nextType) {
      case 'begin':
        return this.#begin(packet.next() as Begin);
      case 'hello':
        this.#keeper.hello(this, packet.next() as Hello);
        return false;
      default:
        if (this.session) return true;
        this.refuse('no_session', headOf(packet.next()));
        return false;
    }
  }

  protected override receive(packet: PacketReader, share: Share): boolean {
    this.session?.receive(packet, share);
    // It may have let go of the link over what it read.
    return this.session?.open === true;
  }

  text(line: string): void {
    this.#keeper.text(this, line);
  }

  closed(reason: string): void {
    this.workOff(() => this.#keeper.closed(this, reason));
  }

  stalled(reason: 'too_slow' | 'timeout'): void {
    this.#keeper.stalled(this, reason);
  }

  drained(): void {
    this.session?.wake();
  }

  welcome(welcome: Welcome): void {
    if (this.link.backlog() > MAX_UNSENT_BYTES) this.counters.add('session.drop.welcome');
    else this.link.send(encodePacket([welcome]));
  }

  /** A session stands on this link now, of the boot that `nonce` names. */
  opened(session: Session, nonce: number): void {
    this.session = session;
    this.begins++;
    if (this.#identity === session.identity && this.#nonce !== nonce) this.resets++;
    this.#identity = session.identity;
    this.#nonce = nonce;
  }

  /** Refuses what has no session to refuse it, a bounded number of times a second. Returns whether it was said. */
  refuse(reason: Reason, head: number, detail: Uint8Array = new Uint8Array()): boolean {
    this.counters.add(`session.refused.${reason}`);
    const now = this.#keeper.clock.now();
    if (now - this.#refusalsSince >= 1000) {
      this.#refusals = 0;
      this.#refusalsSince = now;
    }
    if (++this.#refusals > MAX_REFUSALS_PER_SECOND) return false;
    this.link.send(encodePacket([{ type: 'refuse', reason, head, detail }]));
    return true;
  }

  /** Returns whether the epoch that it names stands now. */
  #begin(begin: Begin): boolean {
    const { offer } = this;
    if (offer?.welcome.token === begin.token) {
      this.offer = undefined;
      this.challenge = undefined;
      this.#keeper.begin(this, offer);
    } else if (!this.session) this.refuse('no_session', headOf(begin));
    else if (this.session.token !== begin.token) this.counters.add('session.drop.stale_begin');
    if (this.session?.token !== begin.token) return false;
    this.session.acknowledgeNow();
    return true;
  }
}
