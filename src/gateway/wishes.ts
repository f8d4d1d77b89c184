import type { StoredSession } from '../store/contents.js';
import type { Subscribe, Will } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type { Session } from './session.js';
import type { SessionContext } from './session-context.js';
import type { SessionRecord } from './session-record.js';
import { NO_WILL as NO_STANDING_WILL } from './wills.js';

/** What takes a will back. */
const NO_WILL: Will = { type: 'will', seq: 0, ...NO_STANDING_WILL };

/**
 * What a peer asked the gateway for: its subscriptions and its will; and which of that was asked for before its last boot, and
 * not again since (PROTOCOL.md §4.7, §6.2).
 */
export class Wishes {
  readonly #session: Session;
  readonly #context: SessionContext;
  readonly #record: SessionRecord | undefined;
  /** Patterns subscribed to before the peer's last boot, and not again since; undefined where there is nothing of the kind. */
  #older: Set<string> | undefined;
  #willSinceBoot = false;

  constructor(session: Session, context: SessionContext, record: SessionRecord | undefined) {
    this.#session = session;
    this.#context = context;
    this.#record = record;
  }

  /** Takes up what the store kept. The limits may be lower today: what does not fit any more is counted by the router, and gone. */
  restore({ subscriptions, will, state }: Pick<StoredSession, 'subscriptions' | 'will' | 'state'>): void {
    const { router, keeper } = this.#context;
    for (const { nonce, message } of subscriptions) {
      const refusal = router.restoreSubscription(this.#session, message.pattern, message);
      if (refusal) this.#record?.unsubscribed(message.pattern);
      else if (nonce !== state.nonce) this.#older = (this.#older ?? new Set()).add(message.pattern);
    }
    if (!will) return;
    if (keeper.will(this.#session, will.message) !== undefined) this.#record?.will(NO_WILL, state.nonce);
    else this.#willSinceBoot = will.nonce === state.nonce;
  }

  /** The peer has booted: what it asked for so far stands until it says that it wants no more of that. */
  outdate(): void {
    const { router } = this.#context;
    const patterns = router.subscriptionsOf(this.#session);
    this.#older = patterns.size > 0 ? new Set(patterns.keys()) : undefined;
    this.#willSinceBoot = false;
  }

  /** Returns why not, if it was refused (§7). */
  subscribe(message: Subscribe): Reason | undefined {
    const { pattern } = message;
    const refusal = this.#context.router.subscribe(this.#session, pattern, message, (values) =>
      this.#session.startReplay(pattern, values),
    );
    if (refusal !== undefined) return refusal;
    // Only what stands: a peer may ask for any number of subscriptions that it does not get.
    this.#older?.delete(pattern);
    this.#record?.subscribed(message, this.#session.nonce);
    return undefined;
  }

  /** No pattern at all stands for everything that is older than the peer's last boot. */
  unsubscribe(pattern: string): undefined {
    if (pattern !== '') return this.#end(pattern);
    for (const each of this.#older ?? []) this.#end(each);
    this.#older = undefined;
    if (this.#willSinceBoot) return;
    this.#context.keeper.will(this.#session, NO_WILL);
    this.#record?.will(NO_WILL, this.#session.nonce);
  }

  /** Returns why not, if it was refused (§7). */
  leaveWill(message: Will): Reason | undefined {
    const refusal = this.#context.keeper.will(this.#session, message);
    if (refusal !== undefined) return refusal;
    this.#willSinceBoot = true;
    this.#record?.will(message, this.#session.nonce);
    return undefined;
  }

  #end(pattern: string): undefined {
    if (this.#context.router.unsubscribe(this.#session, pattern)) this.ended(pattern);
  }

  /** The router has ended the subscription to that pattern. */
  ended(pattern: string): void {
    this.#older?.delete(pattern);
    this.#session.stopReplay(pattern);
    this.#record?.unsubscribed(pattern);
  }
}
