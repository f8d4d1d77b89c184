import type { Counters } from '../counters.js';
import type { Link, LinkEvents } from '../links/link.js';
import { readPacket } from '../session/read-packet.js';
import { MalformedPacket } from '../wire/decode.js';
import { encodePacket } from '../wire/encode.js';
import { headOf } from '../wire/head.js';
import { MAX_REFUSALS_PER_SECOND, SPOKEN_VERSIONS } from '../wire/limits.js';
import type { Begin, Hello, Message, Welcome } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type { Offer } from './handshake.js';
import type { Session } from './session.js';

/** With more than this unsent, a HELLO is not answered: the peer says it again, unless it reads nothing at all. Bytes. */
const MAX_UNSENT_BYTES = 65_536;

/** What a connection asks of the hub. */
export interface ConnectionKeeper {
  hello(connection: Connection, hello: Hello): void;
  begin(connection: Connection, offer: Offer, messages: readonly Message[]): void;
  text(connection: Connection, line: string): void;
  closed(connection: Connection, reason: string): void;
  now(): number;
}

/** One link and where its handshake stands: unknown, offered, open (PROTOCOL.md §4.2). */
export class Connection implements LinkEvents {
  readonly link: Link;
  offer: Offer | undefined;
  session: Session | undefined;
  /** How often a session began, or went on, over this link. */
  begins = 0;
  /** How often it was another boot of the same peer that did. */
  resets = 0;
  /** Who began a session here last, and in which boot. */
  #identity: string | undefined;
  #nonce = 0;
  readonly #keeper: ConnectionKeeper;
  readonly #counters: Counters;
  #refusals = 0;
  #refusalsSince = 0;

  constructor(link: Link, keeper: ConnectionKeeper, counters: Counters) {
    this.link = link;
    this.#keeper = keeper;
    this.#counters = counters;
  }

  packet(packet: Uint8Array): void {
    const messages = readPacket(packet, 'peer', this.#counters);
    if (messages instanceof MalformedPacket) {
      const { reason, head } = messages;
      this.refuse(reason, head, reason === 'version' ? SPOKEN_VERSIONS : undefined);
      return;
    }
    const first = messages[0] as Message;
    if (first.type === 'hello') this.#keeper.hello(this, first);
    else if (first.type === 'begin') this.#begin(first, messages);
    else if (this.session) this.session.receive(messages);
    else this.refuse('no_session', headOf(first));
  }

  text(line: string): void {
    this.#keeper.text(this, line);
  }

  closed(reason: string): void {
    this.#keeper.closed(this, reason);
  }

  drained(): void {
    this.session?.wake();
  }

  welcome(welcome: Welcome): void {
    if (this.link.backlog() > MAX_UNSENT_BYTES) this.#counters.add('session.drop.welcome');
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
    this.#counters.add(`session.refused.${reason}`);
    const now = this.#keeper.now();
    if (now - this.#refusalsSince >= 1000) {
      this.#refusals = 0;
      this.#refusalsSince = now;
    }
    if (++this.#refusals > MAX_REFUSALS_PER_SECOND) return false;
    this.link.send(encodePacket([{ type: 'refuse', reason, head, detail }]));
    return true;
  }

  #begin(begin: Begin, messages: readonly Message[]): void {
    if (this.offer?.welcome.token === begin.token) {
      const { offer } = this;
      this.offer = undefined;
      this.#keeper.begin(this, offer, messages.slice(1));
    } else if (this.session?.token === begin.token) {
      this.session.receive(messages.slice(1), true);
    } else if (this.session) {
      this.#counters.add('session.drop.stale_begin');
    } else this.refuse('no_session', headOf(begin));
  }
}
