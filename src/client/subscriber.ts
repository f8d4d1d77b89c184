import { SlipwayError } from '../errors.js';
import { BROADCAST_CHANNEL, patternProblem } from '../wire/channels.js';
import type { Reason } from '../wire/reasons.js';
import { checkKeys, checkQos } from './check.js';
import type { LiveSession } from './live-session.js';
import { refusalError } from './refusal.js';
import {
  type MessageHandler,
  type ReceivedMessage,
  type SubscribeOptions,
  Subscription,
} from './subscription.js';
import { type Audience, ClientSubscriptions, combined } from './subscriptions.js';
import { Unclaimed } from './unclaimed.js';

const SUBSCRIBE_KEYS = Object.keys({ qos: true, noLocal: true, noLastValue: true } satisfies Record<
  keyof SubscribeOptions,
  true
>);

/** What a subscriber tells its client. */
export interface SubscriberEvents {
  /** The gateway refused a subscription that nobody waits for. */
  refused(error: SlipwayError): void;
  /** An iterator was not read fast enough. */
  overflow(subscription: Subscription): void;
}

/** What a client subscribed to, and how messages get there. */
export class ClientSubscriber {
  readonly #session: LiveSession;
  readonly #events: SubscriberEvents;
  readonly #subscriptions = new ClientSubscriptions();
  /** There while the gateway may send what an earlier run of this program subscribed to. */
  #unclaimed: Unclaimed | undefined;
  #closed = false;

  readonly #overflow: (subscription: Subscription) => void;

  constructor(session: LiveSession, events: SubscriberEvents) {
    this.#session = session;
    this.#events = events;
    this.#overflow = (subscription) => events.overflow(subscription);
  }

  /** Resolves and throws as `Client.subscribe` does. */
  async subscribe(
    pattern: string,
    handler: MessageHandler | undefined,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    const problem = patternProblem(pattern);
    if (problem !== undefined) throw new SlipwayError('bad_channel', `pattern "${pattern}": ${problem}`);
    checkKeys('subscribe', options, SUBSCRIBE_KEYS);
    if (options.qos !== undefined) checkQos(options.qos);
    const subscription = new Subscription(pattern, options, handler, (ended) => this.#unsubscribe(ended));
    const audience = this.#subscriptions.add(subscription);
    this.#claim(pattern);
    const agreed = new Promise<void>((resolve, reject) => audience.waiting.push({ resolve, reject }));
    this.#send(audience);
    this.#session.wake();
    await agreed;
    return subscription;
  }

  unsubscribe(pattern: string): void {
    for (const member of this.#subscriptions.to(pattern)) this.#unsubscribe(member);
  }

  /** The gateway has a new numbering, and perhaps no session of this client any more. */
  renew(): void {
    for (const audience of this.#subscriptions) this.#send(audience);
  }

  /** The gateway still has what an earlier run of this program subscribed to. */
  keepUnclaimed(): void {
    this.#unclaimed = new Unclaimed();
  }

  /** Takes a message from the gateway. Returns why not, if there is no room for it. */
  take(message: ReceivedMessage): 'queue_full' | undefined {
    const { channel } = message;
    // A broadcast comes to those who did not subscribe, too.
    if (!this.#unclaimed || channel === BROADCAST_CHANNEL || this.#subscriptions.has(channel)) {
      this.#deliver(message);
      return undefined;
    }
    return this.#unclaimed.keep(message) ? undefined : 'queue_full';
  }

  /** The client is closed: nobody is told of that as a refusal. */
  close(): void {
    this.#closed = true;
  }

  /** Nothing more will come. */
  finish(): void {
    for (const audience of this.#subscriptions) this.#answered(audience, 'end_session');
  }

  #send(audience: Audience): void {
    const { pattern } = audience;
    this.#session.engine.control({ type: 'subscribe', pattern, id: 0, ...combined(audience) }, (reason) => {
      this.#answered(audience, reason);
    });
  }

  #answered(audience: Audience, reason: Reason | undefined): void {
    const waiting = audience.waiting.splice(0);
    if (reason === undefined) {
      for (const { resolve } of waiting) resolve();
      return;
    }
    const error = refusalError(`the subscription to "${audience.pattern}"`, reason);
    for (const member of this.#subscriptions.to(audience.pattern)) {
      this.#subscriptions.remove(member);
      member.finish();
    }
    for (const { reject } of waiting) reject(error);
    if (waiting.length === 0 && !this.#closed) this.#events.refused(error);
  }

  /** Hands over what waited for such a subscription, to all that are made in this turn. */
  #claim(pattern: string): void {
    const claimed = this.#unclaimed?.claim(pattern) ?? [];
    queueMicrotask(() => {
      for (const message of claimed) this.#deliver(message);
    });
  }

  #deliver(message: ReceivedMessage): void {
    this.#subscriptions.deliver(message, this.#overflow);
  }

  #unsubscribe(subscription: Subscription): void {
    // What still comes on this pattern is not wanted, and cannot be told from what is.
    this.#unclaimed = undefined;
    const emptied = this.#subscriptions.remove(subscription);
    subscription.finish();
    if (!emptied || this.#closed) return;
    // The answer may be lost with the gateway, and nobody would ask again.
    for (const { resolve } of emptied.waiting.splice(0)) resolve();
    this.#session.engine.control({ type: 'unsubscribe', pattern: subscription.pattern });
    this.#session.wake();
  }
}
