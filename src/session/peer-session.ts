import { timingSafeEqual } from 'node:crypto';
import type { Counters } from '../counters.js';
import { MalformedPacket } from '../wire/decode.js';
import { encodePacket } from '../wire/encode.js';
import { headOf } from '../wire/head.js';
import {
  CHALLENGE_BYTES,
  COOKIE_BYTES,
  FIRST_RESEND_MS,
  HELLO_JITTER,
  HELLO_RESEND_MS,
  MAX_BEGINS,
  MAX_HELLO_RESEND_MS,
  PROTOCOL_VERSION,
} from '../wire/limits.js';
import type { Begin, Emit, Hello, Message, Refuse, Welcome } from '../wire/messages.js';
import { gatewayProof, peerProof } from '../wire/proof.js';
import type { Reason } from '../wire/reasons.js';
import type { LinkTraits, MessageSource, QueueLimits, SideLimits } from './contract.js';
import { SessionEngine } from './engine.js';
import { openPacket } from './open-packet.js';
import type { Channel } from './outgoing.js';

/** How a peer introduces itself (PROTOCOL.md §3.2, §4.1). Times in seconds. */
export interface PeerIntroduction {
  readonly identity: string;
  /** 32 bits, another at each boot. */
  readonly nonce: number;
  readonly clean: boolean;
  readonly program: boolean;
  readonly keepAlive: number;
  readonly expiry: number;
  readonly limits: SideLimits;
  readonly credentials?: Credentials;
}

/** What a peer shows of who it is (PROTOCOL.md §4.8). */
export interface Credentials {
  /** That of the identity, KEY_BYTES. */
  readonly key?: Uint8Array;
  readonly user?: string;
  /** The user's password, or a token. */
  readonly secret?: Uint8Array;
}

export type PeerState = 'idle' | 'greeting' | 'beginning' | 'ready' | 'closed';

/** What a peer's session tells its owner. */
export interface PeerSessionOwner<C extends Channel> {
  hold(name: string): C | Reason;
  release(channel: C): void;
  /** The payload may be reused afterwards: copy what is kept. */
  emit(target: C | string, message: Emit): Reason | undefined;
  /** The numbering starts anew: subscribe again. */
  fresh(engine: SessionEngine<C>): void;
  /** The session stands; `resumed` says whether the gateway still knew it. */
  ready(welcome: Welcome): void;
  /** The session does not stand any more; it is being sought again. */
  lost(reason: string): void;
  /** What the gateway answered to the engine's `askTime`, ms since 1970-01-01 UTC. */
  timed?(token: number, time: number): void;
  /** The gateway refused an unreliable message or, with `session` true, the session itself. */
  refused(refusal: Refuse, session: boolean): void;
}

const NO_PROOF = new Uint8Array();
const HELLO_HEAD = headOf({ type: 'hello' } as Hello);

/** The peer's side of the handshake (§4.2) around a session engine; like that without I/O, clock or timer. */
export class PeerSession<C extends Channel> {
  readonly engine: SessionEngine<C>;
  readonly #introduction: PeerIntroduction;
  readonly #owner: PeerSessionOwner<C>;
  readonly #counters: Counters;
  /** 0 to 1, for the jitter. */
  readonly #random: () => number;

  #state: PeerState = 'idle';
  #link: LinkTraits | undefined;
  #welcome: Welcome | undefined;
  /** What proves to the gateway that this address is this peer's (§4.2). */
  #cookie: number | undefined;
  /** What proves to the gateway that this side has the key, while it is being greeted (§4.8). */
  #proof: Uint8Array | undefined;
  /** An epoch of this boot stood: what is forgotten once stays forgotten. */
  #cleaned = false;
  /** A BYE that goes before anything else. */
  #farewell: Uint8Array | undefined;
  #now = 0;
  #hellos = 0;
  #helloAt = 0;
  #begins = 0;
  #beginAt = 0;

  constructor(
    introduction: PeerIntroduction,
    owner: PeerSessionOwner<C>,
    counters: Counters,
    queueLimits: QueueLimits,
    random: () => number,
  ) {
    this.#introduction = introduction;
    this.#owner = owner;
    this.#counters = counters;
    this.#random = random;
    this.engine = new SessionEngine<C>(
      'peer',
      {
        hold: (name) => owner.hold(name),
        release: (channel) => owner.release(channel),
        emit: (target, message) => owner.emit(target, message),
        control: () => 'unsupported',
        woke: () => undefined,
        refused: (message) => this.#refused(message),
        bye: (reason) => this.#lose(reason),
        confirmed: () => this.#confirmed(),
        failed: (reason) => {
          // The gateway must not go on with a numbering that does not get through (§5.4).
          if (reason === 'malformed') this.#farewell = encodePacket([{ type: 'bye', reason }]);
          this.#lose(reason);
        },
        now: () => this.#now,
        timed: (token, time) => owner.timed?.(token, time),
        wallTime: () => 0,
      },
      counters,
      queueLimits,
    );
  }

  get state(): PeerState {
    return this.#state;
  }

  linkUp(link: LinkTraits, now: number): void {
    if (this.#state === 'closed') return;
    this.#link = link;
    this.#greet();
    this.#farewell = undefined;
    this.#hellos = 0;
    this.#helloAt = now;
  }

  /** `reason`: why, for the owner's `lost`. */
  linkDown(reason = 'the link is down'): void {
    if (this.#state === 'closed') return;
    const stood = this.#state === 'ready';
    this.#link = undefined;
    this.#state = 'idle';
    this.engine.detach();
    if (stood) this.#owner.lost(reason);
  }

  /** Ends the session. Returns the packet that says so, if there is a link to send it on. */
  close(reason: 'normal' | 'end_session'): Uint8Array | undefined {
    const before = this.#state;
    this.#state = 'closed';
    this.engine.end(reason);
    const bye: Message = { type: 'bye', reason };
    if (before === 'ready') return encodePacket([bye]);
    return before === 'beginning' ? encodePacket([this.#begin(), bye]) : undefined;
  }

  /** Takes one packet. A malformed one is counted and changes nothing. */
  receive(packet: Uint8Array, now: number): void {
    if (!this.#link) return;
    this.#now = now;
    const messages = openPacket(packet, 'gateway', this.#counters);
    if (messages instanceof MalformedPacket) return;
    if (this.#state !== 'greeting') return this.engine.receive(messages, now);
    if (messages.nextType === 'welcome') return this.#welcomed(messages.next() as Welcome, messages, now);
    while (!messages.done) {
      const message = messages.next();
      if (message.type === 'refuse') this.#refused(message);
    }
  }

  /** The next packet to send at `now`, if any. Call it until it returns nothing. */
  poll(now: number): Uint8Array | undefined {
    this.#now = now;
    if (this.#state === 'ready' || this.#state === 'beginning') {
      const packet = this.engine.poll(now);
      if (packet) {
        if (this.#begins === 0) this.#began(now);
        return packet;
      }
    }
    if (this.#state === 'beginning' && now >= this.#beginAt) {
      if (this.#begins >= MAX_BEGINS) this.#lose('timeout');
      else {
        this.#began(now);
        return encodePacket([this.#begin()]);
      }
    }
    if (this.#farewell) {
      const farewell = this.#farewell;
      this.#farewell = undefined;
      return farewell;
    }
    if (this.#state === 'greeting' && now >= this.#helloAt) {
      this.#scheduleHello(now);
      return encodePacket([this.#hello()]);
    }
    return undefined;
  }

  wakeAt(): number | undefined {
    switch (this.#state) {
      case 'greeting':
        return this.#helloAt;
      case 'beginning':
        return Math.min(this.#beginAt, this.engine.wakeAt() ?? this.#beginAt);
      case 'ready':
        return this.engine.wakeAt();
      default:
        return undefined;
    }
  }

  #greet(): void {
    this.#state = 'greeting';
    this.#proof = undefined;
  }

  #begin(): Begin {
    return { type: 'begin', token: (this.#welcome as Welcome).token };
  }

  #began(now: number): void {
    this.#beginAt = now + FIRST_RESEND_MS * 2 ** this.#begins;
    this.#begins++;
  }

  /** The pause after each HELLO doubles; it shrinks again only when a session stood. */
  #scheduleHello(now: number): void {
    const pause = Math.min(HELLO_RESEND_MS * 2 ** this.#hellos, MAX_HELLO_RESEND_MS);
    this.#helloAt = now + pause * (1 + HELLO_JITTER * (2 * this.#random() - 1));
    this.#hellos++;
  }

  #hello(): Hello {
    const { identity, nonce, clean, program, keepAlive, expiry, limits } = this.#introduction;
    const { key, user, secret } = this.#introduction.credentials ?? {};
    return {
      type: 'hello',
      version: PROTOCOL_VERSION,
      clean: clean && !this.#cleaned,
      program,
      nonce,
      token: this.#welcome?.token ?? 0,
      received: this.engine.nextIn,
      keepAlive,
      expiry,
      identity,
      ...limits,
      ...(this.#cookie !== undefined && { cookie: this.#cookie }),
      ...(key && { proof: this.#proof ?? NO_PROOF }),
      ...(user !== undefined && { user }),
      ...(secret && { secret }),
    };
  }

  #welcomed(welcome: Welcome, rest: MessageSource, now: number): void {
    // An epoch that goes on keeps its token, a new one has another: what says otherwise was delayed on its way.
    const holdsIt = welcome.token === this.#welcome?.token;
    if (welcome.nonce !== this.#introduction.nonce || welcome.continues !== holdsIt)
      return this.#counters.add('session.drop.stale_welcome');
    if (welcome.version !== PROTOCOL_VERSION) return this.#counters.add('session.drop.version');
    if (!this.#isProved(welcome)) {
      this.#counters.add('session.drop.unproved_welcome');
      return this.#refused({ type: 'refuse', reason: 'bad_credentials', head: HELLO_HEAD, detail: NO_PROOF });
    }
    const link = this.#link as LinkTraits;
    this.#welcome = welcome;
    this.#state = 'beginning';
    this.#begins = 0;
    this.#beginAt = now;
    this.engine.begin(
      link,
      {
        continues: welcome.continues,
        nextIn: welcome.nextOut,
        nextOut: welcome.nextIn,
        received: welcome.known ? welcome.received : undefined,
        taken: welcome.known ? welcome.taken : undefined,
        keepAlive: this.#keepAlive(welcome),
        own: this.#introduction.limits,
        other: {
          maxPacket: welcome.maxPacket,
          window: welcome.window,
          // The gateway never has more in flight than this side's window.
          inFlight: this.#introduction.limits.window,
          buffer: 0,
          ids: welcome.ids,
        },
        beginToken: welcome.token,
      },
      now,
      () => this.#owner.fresh(this.engine),
    );
    this.engine.receive(rest, now);
  }

  /** What the gateway holds this side to, but no longer than it promised: else a dead link would go unnoticed (§4.5). */
  #keepAlive({ keepAlive }: Welcome): number {
    const own = this.#introduction.keepAlive;
    return own === 0 ? keepAlive : Math.min(keepAlive || own, own);
  }

  /** An ACK that comes before BEGIN has left cannot be the answer to it. */
  #confirmed(): boolean {
    if (this.#begins === 0) return false;
    this.#state = 'ready';
    this.#cleaned = true;
    this.#hellos = 0;
    this.#owner.ready(this.#welcome as Welcome);
    return true;
  }

  #lose(reason: Reason): void {
    if (this.#state !== 'ready' && this.#state !== 'beginning') return;
    const stood = this.#state === 'ready';
    this.#greet();
    this.engine.detach();
    // At once after a session that stood; otherwise at the pace of the HELLOs.
    if (stood) this.#helloAt = this.#now;
    if (stood) this.#owner.lost(reason);
  }

  #prove(cookie: Uint8Array): void {
    if (this.#state !== 'greeting' || cookie.length !== COOKIE_BYTES) return;
    const value = Buffer.from(cookie).readUInt32BE();
    // The same again is late, or not good enough: then the timer decides.
    if (value !== this.#cookie) this.#helloAt = this.#now;
    this.#cookie = value;
  }

  /** Answers a challenge: the first at once, others are as late as the one before or not good enough. */
  #proveIdentity(challenge: Uint8Array): void {
    const key = this.#introduction.credentials?.key;
    if (this.#state !== 'greeting' || !key || challenge.length !== CHALLENGE_BYTES) return;
    if (!this.#proof) this.#helloAt = this.#now;
    this.#proof = peerProof(key, challenge, this.#hello());
  }

  /** Whether the gateway has the key, too, if there is one. */
  #isProved({ proof, token }: Welcome): boolean {
    const key = this.#introduction.credentials?.key;
    if (!key) return true;
    if (!this.#proof || !proof) return false;
    return timingSafeEqual(proof, gatewayProof(key, this.#proof, token));
  }

  #refused(message: Refuse): void {
    if (message.reason === 'no_session') return this.#lose('no_session');
    const session = message.head === HELLO_HEAD;
    if (session && message.reason === 'prove_address') return this.#prove(message.detail);
    if (session && message.reason === 'prove_identity') return this.#proveIdentity(message.detail);
    if (session && this.#state === 'greeting') {
      this.#helloAt = this.#now + MAX_HELLO_RESEND_MS * (1 + HELLO_JITTER * (2 * this.#random() - 1));
    }
    this.#owner.refused(message, session);
  }
}
