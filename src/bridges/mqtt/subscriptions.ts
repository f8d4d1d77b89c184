import type { MqttClient } from 'mqtt';
import { REASON } from '../../mqtt/wire/reason-codes.js';
import type { Qos } from '../../wire/messages.js';
import type { Interest } from '../upstream.js';
import { subscriptionRefused, type Where } from './problems.js';
import type { BrokerSession } from './session.js';
import { unfitName } from './unfit.js';

/** So many patterns go into one SUBSCRIBE or UNSUBSCRIBE. */
const BATCH = 200;

export interface SubscriptionsContext {
  readonly where: Where;
  readonly session: BrokerSession;
  readonly client: Pick<MqttClient, 'subscribe' | 'unsubscribe'>;
  /** The last values of what the pattern matches are about to be asked for. */
  readonly asked: (pattern: string) => void;
  readonly refused: (pattern: string, why: string) => void;
}

/**
 * What is subscribed at the broker, made what is wanted. In each connection everything is subscribed once more: so the last values come that
 * were set without a QoS while there was none.
 */
export class Subscriptions {
  readonly #context: SubscriptionsContext;
  /** What the broker was asked for in this connection. */
  #asked: ReadonlyMap<string, Qos> = new Map();
  /** What it cannot be asked for. */
  #leftOut: ReadonlySet<string> = new Set();
  #over = false;

  constructor(context: SubscriptionsContext) {
    this.#context = context;
  }

  /** @see UpstreamConnection.setInterests */
  set(all: readonly Interest[]): void {
    const interests = all.filter(({ pattern }) => unfitName(pattern) === undefined);
    if (interests.length < all.length) this.#leaveOut(all);
    const wanted = new Map(interests.map(({ pattern, qos }) => [pattern, qos]));
    const added = interests.filter(({ pattern, qos }) => this.#asked.get(pattern) !== qos);
    const { session } = this.#context;
    const gone = [...session.patterns].filter((pattern) => !wanted.has(pattern));
    this.#asked = wanted;
    if (added.length + gone.length === 0) return;
    // Before the broker hears of them: what it knows and we do not would stay for ever.
    session.keepPatterns([...session.patterns, ...wanted.keys()]);
    session.settled(() => {
      if (this.#over) return;
      // What takes the place of others first: better twice for a moment than not at all.
      for (const qos of [0, 1, 2] as const) {
        const patterns = added.filter((each) => each.qos === qos).map(({ pattern }) => pattern);
        for (const batch of batchesOf(patterns)) this.#subscribe(batch, qos);
      }
      for (const batch of batchesOf(gone)) this.#unsubscribe(batch);
    });
  }

  #leaveOut(all: readonly Interest[]): void {
    const before = this.#leftOut;
    const leftOut = new Set<string>();
    for (const { pattern } of all) {
      const unfit = unfitName(pattern);
      if (unfit === undefined) continue;
      leftOut.add(pattern);
      if (!before.has(pattern))
        this.#context.refused(pattern, `brokers close the connection for a pattern with ${unfit}`);
    }
    this.#leftOut = leftOut;
  }

  /** The connection is over. */
  close(): void {
    this.#over = true;
  }

  #subscribe(patterns: readonly string[], qos: Qos): void {
    const { client, where, asked, refused } = this.#context;
    for (const pattern of patterns) asked(pattern);
    // A list: in an object that has a QoS for each the `mqtt` package takes the pattern "resubscribe" for an option.
    // The answer has a code for each, failure or not; without an answer the connection is over.
    client.subscribe([...patterns], { qos, nl: true, rap: true, rh: 0 }, (_error, _granted, packet) => {
      if (this.#over) return;
      for (const [index, code] of ((packet?.granted as number[] | undefined) ?? []).entries()) {
        const pattern = patterns[index];
        if (code >= REASON.unspecifiedError && pattern !== undefined)
          refused(pattern, subscriptionRefused(where, pattern, code));
      }
    });
  }

  #unsubscribe(patterns: readonly string[]): void {
    const { client, session } = this.#context;
    client.unsubscribe([...patterns], (error) => {
      if (this.#over || error) return;
      // Unless it was wanted again meanwhile.
      const gone = new Set(patterns.filter((pattern) => !this.#asked.has(pattern)));
      session.keepPatterns([...session.patterns].filter((pattern) => !gone.has(pattern)));
    });
  }
}

function batchesOf<T>(list: readonly T[]): T[][] {
  const batches: T[][] = [];
  for (let at = 0; at < list.length; at += BATCH) batches.push(list.slice(at, at + BATCH));
  return batches;
}
