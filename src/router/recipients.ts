import type { Recipient, Route } from './channel.js';
import { SharedGroup } from './shared-group.js';
import { higherQos, type SubscribeOptions, type Subscriber } from './subscriber.js';
import { type Audience, type Listener, listenersOf } from './subscription.js';

/** Whether the subscriber is to hear something. */
export type Admits = (subscriber: Subscriber) => boolean;

/** Everyone of these listeners who is admitted, each subscriber once (PROTOCOL.md §6.2). */
export function recipientsOf(matching: readonly (Listener | Audience)[], admits: Admits): Route {
  const recipients = new Map<Subscriber | SharedGroup, Recipient>();
  for (const there of matching) {
    for (const listener of listenersOf(there)) {
      if (listener instanceof SharedGroup) {
        const recipient = listener.recipient(admits);
        if (recipient) recipients.set(listener, recipient);
      } else if (admits(listener.subscriber)) {
        const recipient = recipientOf(listener.subscriber, listener.options);
        const before = recipients.get(listener.subscriber);
        recipients.set(listener.subscriber, before ? together(before, recipient) : recipient);
      }
    }
  }
  return [...recipients.values()];
}

/** Whether all of these listeners are admitted. */
export function admitsAll(there: Listener | Audience, admits: Admits): boolean {
  for (const listener of listenersOf(there)) {
    const subscribers = listener instanceof SharedGroup ? listener.members : [listener.subscriber];
    for (const subscriber of subscribers) if (!admits(subscriber)) return false;
  }
  return true;
}

/** What one subscription asks for, as the only one of its subscriber that matches. */
export function recipientOf(subscriber: Subscriber, options: SubscribeOptions): Recipient {
  const { qos, noLocal, retainAsPublished = false, subscriptionId } = options;
  const subscriptionIds = subscriptionId === undefined ? undefined : [subscriptionId];
  return { subscriber, qos, noLocal, own: undefined, retainAsPublished, subscriptionIds };
}

/** What two subscriptions of one subscriber, or more, ask for together: one delivery at the highest QoS (PROTOCOL.md §6.2). */
export function together(a: Recipient, b: Recipient): Recipient {
  const noLocal = a.noLocal || b.noLocal;
  return {
    subscriber: a.subscriber,
    qos: higherQos(a.qos, b.qos),
    noLocal,
    own: noLocal ? ownOf(a, b) : undefined,
    retainAsPublished: a.retainAsPublished || b.retainAsPublished,
    subscriptionIds: idsOf(a, b),
  };
}

/** What says *no local* counts for nothing of what the subscriber emits itself. */
function ownOf(a: Recipient, b: Recipient): Recipient | undefined {
  const ownA = a.noLocal ? a.own : a;
  const ownB = b.noLocal ? b.own : b;
  return ownA && ownB ? together(ownA, ownB) : (ownA ?? ownB);
}

function idsOf(a: Recipient, b: Recipient): readonly number[] | undefined {
  if (a.subscriptionIds === undefined || b.subscriptionIds === undefined)
    return a.subscriptionIds ?? b.subscriptionIds;
  return [...a.subscriptionIds, ...b.subscriptionIds];
}
