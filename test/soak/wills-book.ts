import { WILL_DELAY_MS } from '../../src/wire/limits.js';

/** A will that a board's program asked for; without a text, that there be none. */
interface Request {
  readonly text: string | undefined;
  confirmed: boolean;
}

/** The gateway let go of a board's link, and has not got it back. */
interface Loss {
  readonly at: number;
  /** How long the board has to come back, ms. */
  readonly delayMs: number;
  /** What may have stood then; undefined for no will. */
  readonly wills: ReadonlySet<string | undefined>;
  /** What was emitted for it, or refused. */
  tried: string | undefined;
  done: boolean;
}

/** A gateway that was started anew gives those that were there so long to come back, ms. */
const RETURN_MS = 60_000;
/** What happens at one moment may be told in any order, ms. */
const MOMENT_MS = 1;

export interface WillsBookContext {
  readonly now: () => number;
  readonly schedule: (ms: number, task: () => void) => void;
  readonly violate: (what: string) => void;
}

/**
 * Who left which will, and who was lost: what the gateway emits on a board's behalf is held against PROTOCOL.md §4.7: once a loss, when
 * its time to come back is over, what it had left; not after a goodbye, nor after it came back.
 */
export class WillsBook {
  readonly #context: WillsBookContext;
  /** The last one confirmed and those after it: one of these stands. */
  readonly #requests = new Map<string, Request[]>();
  readonly #losses = new Map<string, Loss>();
  readonly #endedAt = new Map<string, number>();
  /** Of sessions that are over: what found no room, and whose it is. */
  readonly #retried = new Map<string, string>();
  #stopping = false;
  /** How many were. */
  emitted = 0;

  constructor(context: WillsBookContext) {
    this.#context = context;
  }

  requested(identity: string, text: string | undefined): void {
    this.#requestsOf(identity).push({ text, confirmed: false });
  }

  /** The gateway has taken what was asked for last. */
  confirmed(identity: string, text: string | undefined): void {
    const requests = this.#requestsOf(identity);
    const last = requests.at(-1);
    if (!last || last.text !== text) return;
    last.confirmed = true;
    requests.splice(0, requests.length - 1);
  }

  /** The session began anew: no will stands until the board has left it again. */
  renewed(identity: string): void {
    const requests = this.#requestsOf(identity);
    const last = requests.at(-1);
    requests.splice(0, requests.length, { text: undefined, confirmed: true });
    if (last?.text !== undefined) requests.push({ text: last.text, confirmed: false });
  }

  /** The gateway lets go of the board's link; `leaves`: because that said goodbye. */
  offline(identity: string, leaves: boolean): void {
    this.#losses.delete(identity);
    if (!leaves) this.#lose(identity, WILL_DELAY_MS);
  }

  /**
   * The gateway was started, and remembers the session: its peer was there, or lost and not told of, when the last process ended.
   * `certain`: that had been so for long enough to be in the store.
   */
  restored(identity: string, certain: boolean): void {
    this.#lose(identity, RETURN_MS, certain);
  }

  /** What found no room before is given up. */
  online(identity: string): void {
    this.#losses.delete(identity);
    for (const [text, owner] of this.#retried) if (owner === identity) this.#retried.delete(text);
  }

  /** The session is over: what is due is emitted at once. */
  ended(identity: string): void {
    this.#endedAt.set(identity, this.#context.now());
    const loss = this.#losses.get(identity);
    this.#checkTried(identity, loss);
    // Who was refused for want of room tries again, with or without a session.
    if (loss?.tried !== undefined && !loss.done) this.#retried.set(loss.tried, identity);
    this.#losses.delete(identity);
    this.renewed(identity);
  }

  /** The process is asked to stop: a will that is due is emitted now or never. */
  stopping(): void {
    this.#stopping = true;
  }

  /** The process is gone. */
  gatewayGone(remembers: boolean): void {
    this.#stopping = false;
    this.#losses.clear();
    this.#retried.clear();
    if (!remembers) for (const identity of this.#requests.keys()) this.renewed(identity);
  }

  /** Whether a loss of the board's may yet be told, or told again by a process that begins `withinMs` before now. */
  isLost(identity: string, withinMs: number): boolean {
    const endedAt = this.#endedAt.get(identity) ?? Number.NEGATIVE_INFINITY;
    return this.#losses.get(identity)?.done === false || this.#context.now() - endedAt < withinMs;
  }

  /** Whether one found no room, and is tried again. */
  get waiting(): boolean {
    return (
      this.#retried.size > 0 ||
      [...this.#losses.values()].some(({ tried, done }) => tried !== undefined && !done)
    );
  }

  /** The gateway emits a will, or tries to: `refused` says whether it has to try again. */
  tried(identity: string, text: string, refused: boolean): void {
    const { violate } = this.#context;
    if (this.#retried.has(text)) return this.#triedAgain(text, refused);
    const loss = this.#losses.get(identity);
    if (!loss) return violate(`the will ${text} was emitted, and ${identity} had not been lost`);
    if (loss.done) return violate(`the will ${text} was emitted twice for one loss of ${identity}`);
    if (!loss.wills.has(text))
      violate(`the will ${text} was emitted, which was not what ${identity} had left`);
    this.#checkTime(identity, text, loss);
    loss.tried = text;
    loss.done = !refused;
    if (!refused) this.emitted++;
  }

  #triedAgain(text: string, refused: boolean): void {
    if (refused) return;
    this.#retried.delete(text);
    this.emitted++;
  }

  /** Before its time it is emitted only when there is nobody left to wait for. */
  #checkTime(identity: string, text: string, { at, delayMs }: Loss): void {
    const { now, schedule, violate } = this.#context;
    const early = at + delayMs - now();
    if (early <= MOMENT_MS || this.#stopping) return;
    const triedAt = now();
    schedule(MOMENT_MS, () => {
      if (this.#endedAt.get(identity) !== triedAt)
        violate(`the will ${text} was emitted ${early.toFixed(0)} ms before its time`);
    });
  }

  #lose(identity: string, delayMs: number, certain = true): void {
    const wills = new Set(this.#requestsOf(identity).map(({ text }) => text));
    if (!certain) wills.add(undefined);
    const loss: Loss = { at: this.#context.now(), delayMs, wills, tried: undefined, done: false };
    this.#losses.set(identity, loss);
    this.#context.schedule(delayMs + MOMENT_MS, () => {
      if (this.#losses.get(identity) === loss) this.#checkTried(identity, loss);
    });
  }

  /** A loss whose time is over has been told, if it is certain that there was something to tell. */
  #checkTried(identity: string, loss: Loss | undefined): void {
    if (!loss || loss.tried !== undefined || loss.wills.has(undefined) || loss.wills.size === 0) return;
    this.#context.violate(`${identity} was lost, and its will ${[...loss.wills].join(' or ')} not emitted`);
  }

  #requestsOf(identity: string): Request[] {
    let requests = this.#requests.get(identity);
    if (!requests) {
      requests = [{ text: undefined, confirmed: true }];
      this.#requests.set(identity, requests);
    }
    return requests;
  }
}
