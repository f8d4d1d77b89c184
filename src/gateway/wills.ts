import type { Rights } from '../access/rights.js';
import type { Cancel, Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import { extrasBytes, type MessageExtras, type MessageProperties } from '../router/message.js';
import { BROADCAST_CHANNEL, channelProblem } from '../wire/channels.js';
import { WILL_DELAY_MS } from '../wire/limits.js';
import type { Emit, Will } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import { harmless } from './harmless.js';
import type { QuietLogger } from './quiet-logger.js';

/** What a session wants emitted when its peer is lost. */
export interface StandingWill extends Pick<Will, 'name' | 'payload' | 'qos' | 'retain'> {
  /** How long it is worth something once it is emitted, ms; for ever if left out (MQTT 5, 3.1.3.2.4). */
  readonly expiryMs?: number | undefined;
  readonly properties?: MessageProperties | undefined;
}

/** What takes a will back. */
export const NO_WILL: StandingWill = { name: '', payload: new Uint8Array(), qos: 0, retain: false };

/** A session that may leave a will. */
export interface WillOwner {
  /** For the log. */
  readonly identity: string;
  /** Whose it is: that of no other peer, whatever it speaks, but of each session of the same one. */
  readonly owner: string;
  /** What it may do; undefined for everything. */
  readonly rights?: Rights | undefined;
  /** Emits on its behalf. Returns why not, if it was refused (PROTOCOL.md §7). */
  emit(
    name: string,
    message: Pick<Emit, 'payload' | 'qos' | 'retain'> & { readonly extras?: MessageExtras | undefined },
  ): Reason | undefined;
  /** What is kept of its will has changed. */
  touch(): void;
}

export interface WillsContext {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly peerLog: QuietLogger;
  /** Bytes of all wills together, with what goes with them. */
  readonly maxBytes: number;
}

/** The pause before each next try to emit a will that was refused, ms. After these it goes out at QoS 0. */
const RETRY_MS = [1000, 2000, 4000, 8000, 16_000, 32_000];

/** A will on its way. */
interface Due {
  readonly will: StandingWill;
  cancel: Cancel;
  /** How often it was refused. */
  tries: number;
}

/**
 * What peers want emitted when they are lost (PROTOCOL.md §4.7): kept for as long as their session stands, emitted once a
 * loss unless the session resumes in time.
 */
export class Wills {
  readonly #context: WillsContext;
  readonly #standing = new Map<WillOwner, StandingWill>();
  readonly #due = new Map<WillOwner, Due>();
  /** By owner: sessions that are over, and whose will was refused and is tried again. */
  readonly #orphans = new Map<string, WillOwner>();
  #bytes = 0;

  constructor(context: WillsContext) {
    this.#context = context;
  }

  /** Bytes of all that stand or are on their way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the session left a will, and whether one is on its way. */
  stateOf(session: WillOwner): { readonly stands: boolean; readonly due: boolean } {
    return { stands: this.#standing.has(session), due: this.#due.has(session) };
  }

  /** The will of that session, if it left one. */
  of(session: WillOwner): StandingWill | undefined {
    return this.#standing.get(session);
  }

  /** Replaces the session's will; one without a name takes it back. Returns why not, if it was refused (§7). */
  set(session: WillOwner, will: StandingWill): Reason | undefined {
    const refusal = this.refusalOf(will, session.rights, session);
    if (refusal) return refusal;
    this.#bytes += sizeOf(will) - sizeOf(this.#standing.get(session));
    if (will.name === '') this.#standing.delete(session);
    else this.#standing.set(session, { ...will, payload: new Uint8Array(will.payload) });
    return undefined;
  }

  /** Why the will would be refused (§7) to one with those rights, if it is to stand in place of the will of `instead`. */
  refusalOf(will: StandingWill, rights: Rights | undefined, instead?: WillOwner): Reason | undefined {
    const problem = problemOf(will, rights);
    if (problem) return problem;
    const growth = sizeOf(will) - sizeOf(instead && this.#standing.get(instead));
    // What is due counts as well, and may go beyond the bound: a will can always be taken back.
    return growth > 0 && this.#bytes + growth > this.#context.maxBytes ? 'limit_reached' : undefined;
  }

  /** The gateway has let go of the session's link: the will is due unless the session resumes within `delayMs`. */
  lost(session: WillOwner, delayMs = WILL_DELAY_MS): void {
    const will = this.#standing.get(session);
    if (!will) return;
    this.#bytes += sizeOf(will);
    const due: Due = { will, tries: 0, cancel: () => undefined };
    this.#due.set(session, due);
    session.touch();
    if (delayMs === 0) this.#try(session, due);
    else due.cancel = this.#context.clock.schedule(delayMs, () => this.#try(session, due));
  }

  /** The peer is there again, with this session: what was not emitted yet for an earlier loss is not emitted any more. */
  resumed(session: WillOwner): void {
    for (const [owner, due] of this.#dueOf(session)) {
      this.#done(owner, due);
      if (due.tries > 0) this.#giveUp(owner, due, `${owner.identity} is back`);
    }
  }

  /**
   * The same for a client of MQTT, whose will cannot be called off once its delay is over ([MQTT-3.1.2-8], [MQTT-3.1.3-9]): one that was
   * refused goes out now, at QoS 0, as it must not contradict what the client says from here on.
   */
  reconnected(session: WillOwner): void {
    for (const [owner, due] of this.#dueOf(session)) {
      if (due.tries === 0) this.#done(owner, due);
      else this.#tryLast(owner, due);
    }
  }

  /** The session is over: a will that waits for its return is emitted now. */
  ended(session: WillOwner): void {
    const due = this.#due.get(session);
    if (due?.tries === 0) {
      due.cancel();
      this.#try(session, due);
    }
    if (this.#due.has(session)) this.#orphans.set(session.owner, session);
    this.#bytes -= sizeOf(this.#standing.get(session));
    this.#standing.delete(session);
  }

  /**
   * The gateway stops. With `remembered` what is due is judged after its next start, if the session still stands; else it is
   * emitted now or never.
   */
  stop(remembered: boolean): void {
    for (const [session, due] of this.#due) {
      if (remembered && this.#standing.has(session)) due.cancel();
      else this.#tryLast(session, due);
    }
  }

  /** What is on its way for the peer: by this session, or by one before it that is over. */
  #dueOf(session: WillOwner): [WillOwner, Due][] {
    return [session, this.#orphans.get(session.owner)].flatMap((one) => {
      const due = one && this.#due.get(one);
      return due ? [[one, due]] : [];
    });
  }

  /** Emits it now, at QoS 0, or never. */
  #tryLast(session: WillOwner, due: Due): void {
    due.cancel();
    due.tries = RETRY_MS.length;
    this.#try(session, due);
  }

  #try(session: WillOwner, due: Due): void {
    const { clock, counters, peerLog } = this.#context;
    const { name, payload, qos, retain, properties, expiryMs } = due.will;
    const pause = RETRY_MS[due.tries];
    // One subscriber without room must not keep the loss from everyone else for ever.
    const extras = (properties || expiryMs !== undefined) && {
      properties,
      expiresAt: expiryMs === undefined ? undefined : clock.now() + expiryMs,
    };
    const message = { payload, qos: pause === undefined ? 0 : qos, retain, ...(extras && { extras }) };
    const refusal = session.emit(name, message);
    if (refusal === undefined || refusal === 'too_large_for_receiver') {
      counters.add('session.wills');
      peerLog.info(
        { identity: session.identity, channel: harmless(name) },
        `emitted the will of ${session.identity}`,
      );
      return this.#done(session, due);
    }
    // What its owner may not do any more does not become right by waiting.
    if (pause === undefined || refusal === 'not_allowed') {
      this.#done(session, due);
      return this.#giveUp(session, due, refusal);
    }
    due.tries++;
    due.cancel = clock.schedule(pause, () => this.#try(session, due));
  }

  #giveUp({ identity }: WillOwner, { will }: Due, why: string): void {
    const { counters, peerLog } = this.#context;
    const channel = harmless(will.name);
    counters.add('session.drop.will');
    peerLog.warn({ identity, channel }, `the will of ${identity} on ${channel} was not emitted: ${why}`);
  }

  #done(session: WillOwner, due: Due): void {
    due.cancel();
    this.#due.delete(session);
    if (this.#orphans.get(session.owner) === session) this.#orphans.delete(session.owner);
    session.touch();
    this.#bytes -= sizeOf(due.will);
  }
}

function problemOf({ name, retain }: StandingWill, rights: Rights | undefined): Reason | undefined {
  if (name === '') return undefined;
  if (channelProblem(name) !== undefined) return 'bad_channel';
  const possible = name === BROADCAST_CHANNEL ? !retain : !name.startsWith('$');
  return possible && rights?.mayEmit(name) !== false ? undefined : 'not_allowed';
}

function sizeOf(will: StandingWill | undefined): number {
  return will ? Buffer.byteLength(will.name) + will.payload.length + extrasBytes(will) : 0;
}
