import type { Recipient } from './channel.js';
import { higherQos, type SubscribeOptions, type Subscriber } from './subscriber.js';

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

/** As *no local* has it, what says so counts for nothing of what the subscriber emits itself. */
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
