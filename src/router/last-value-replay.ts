import type { Count, Counters } from '../counters.js';
import type { Channel, LastValue, Recipient } from './channel.js';
import type { LastValues } from './last-values.js';
import { lowerQos, type Subscriber } from './subscriber.js';
import type { Subscriptions } from './subscriptions.js';

/**
 * Last values on their way to a subscriber; each step looks at one channel at most. After `queue_full` the next step tries
 * the same value again if it is told `true`, else that value is dropped and counted.
 */
export type Replay = Generator<'more' | 'queue_full', void, boolean | undefined>;

/** All of a replay at once. */
export function finish(replay: Replay): void {
  while (!replay.next().done);
}

export interface ReplayContext {
  readonly lastValues: LastValues;
  readonly subscriptions: Subscriptions;
  readonly counters: Counters;
  /** Counts deliveries. */
  readonly delivered: Count;
  /** The channel of that name. */
  readonly find: (name: string) => Channel;
}

/** What to deliver to whom. */
export interface ReplayRequest {
  readonly subscriber: Subscriber;
  /** Of channels that these match, as long as a subscription still asks for them. */
  readonly patterns: readonly string[];
  readonly isDue: (value: LastValue) => boolean;
}

/** Delivers last values because of subscriptions (PROTOCOL.md §6.5). */
export function* replayLastValues(context: ReplayContext, request: ReplayRequest): Replay {
  const { subscriber, patterns } = request;
  const recipientFor = context.subscriptions.recipientFor(subscriber, patterns);
  for (const name of channelsWithLastValues(context.lastValues, patterns)) {
    yield 'more';
    if (name !== undefined) yield* deliverLastValue(context, name, recipientFor, request.isDue);
  }
}

function* deliverLastValue(
  { lastValues, counters, delivered, find }: ReplayContext,
  name: string,
  recipientFor: (channelName: string) => Recipient | undefined,
  isDue: (value: LastValue) => boolean,
): Replay {
  for (;;) {
    // Any time may have passed: it may have been replaced or cleared, or have expired, and the subscriptions ended.
    const value = lastValues.get(name);
    const recipient = value && isDue(value) ? recipientFor(name) : undefined;
    if (value === undefined || recipient === undefined) return;
    const { payload, extras } = value;
    const { subscriber } = recipient;
    const channel = find(name);
    // As a live message would come: at another QoS it might be overtaken by that.
    const qos = lowerQos(value.qos, recipient.qos);
    const full = qos > 0 && !subscriber.hasRoom(channel, payload.length);
    if (full && (yield 'queue_full')) continue;
    const refusal = full ? 'queue_full' : subscriber.deliver(channel, payload, qos, true, extras, recipient);
    if (refusal === undefined) delivered.add();
    else counters.add(`router.drop.${refusal}`);
    return;
  }
}

/** The names of channels with last values that the patterns match, each once; undefined in between, while it looks. */
function* channelsWithLastValues(
  lastValues: LastValues,
  patterns: readonly string[],
): Generator<string | undefined, void> {
  const found = new Set<string>();
  for (const pattern of patterns) {
    for (const { name } of lastValues.matching(pattern)) {
      if (patterns.length === 1) yield name;
      else {
        found.add(name);
        yield undefined;
      }
    }
  }
  yield* found;
}
