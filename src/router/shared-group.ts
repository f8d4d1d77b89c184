import type { Qos } from '../wire/messages.js';
import type { Channel, Recipient, Route } from './channel.js';
import type { MessageExtras } from './message.js';
import {
  type DeliveryRefusal,
  higherQos,
  lowerQos,
  type SubscribeOptions,
  type Subscriber,
} from './subscriber.js';

/** Everyone subscribed to one `$share/<group>/<pattern>`: each message goes to one of them (PROTOCOL.md §6.2, MQTT 5, 4.8.2). */
export class SharedGroup {
  /** What the group as a whole subscribes to. */
  readonly pattern: string;
  /** As of a `Subscription`. */
  route: Route | undefined;
  readonly #members = new Map<Subscriber, Recipient>();
  /** All of them: the same for all channels that all may hear. */
  #everyone: Recipient | undefined;
  readonly #isConnected: (member: Subscriber) => boolean;
  /** Whose turn it is, by place among those that may take a message: whoever comes after who had the last one. */
  turn = 0;

  /** `isConnected`: who is asked before the others. */
  constructor(pattern: string, isConnected: (member: Subscriber) => boolean) {
    this.pattern = pattern;
    this.#isConnected = isConnected;
  }

  get size(): number {
    return this.#members.size;
  }

  get members(): Iterable<Subscriber> {
    return this.#members.keys();
  }

  /** *No local* has no effect here: who emits is a member like the others. */
  put(member: Subscriber, { qos, retainAsPublished = false, subscriptionId }: SubscribeOptions): void {
    const subscriptionIds = subscriptionId === undefined ? undefined : [subscriptionId];
    const rest = { noLocal: false, own: undefined, retainAsPublished, subscriptionIds };
    this.#everyone = undefined;
    this.#members.set(member, { subscriber: member, qos, ...rest });
  }

  delete(member: Subscriber): void {
    this.#everyone = undefined;
    this.#members.delete(member);
  }

  /** Those members that `admits` names, as the one recipient that they are; undefined if there are none. */
  recipient(admits: (member: Subscriber) => boolean): Recipient | undefined {
    const members = [...this.#members.values()].filter(({ subscriber }) => admits(subscriber));
    if (members.length === 0) return undefined;
    if (members.length < this.#members.size) return this.#asOne(members);
    this.#everyone ??= this.#asOne(members);
    return this.#everyone;
  }

  #asOne(members: readonly Recipient[]): Recipient {
    return {
      subscriber: new SharedRecipient(this, members, this.#isConnected),
      qos: members.reduce<Qos>((highest, { qos }) => higherQos(highest, qos), 0),
      noLocal: false,
      own: undefined,
      // Decided for each member.
      retainAsPublished: true,
      subscriptionIds: undefined,
    };
  }
}

/**
 * Some members of a group, as one subscriber. Those connected take turns, who has no room is passed over. Only when none is connected
 * those absent do.
 */
class SharedRecipient implements Subscriber {
  readonly #group: SharedGroup;
  readonly #members: readonly Recipient[];
  readonly #isConnected: (member: Subscriber) => boolean;

  constructor(
    group: SharedGroup,
    members: readonly Recipient[],
    isConnected: (member: Subscriber) => boolean,
  ) {
    this.#group = group;
    this.#members = members;
    this.#isConnected = isConnected;
  }

  hasRoom(channel: Channel, payloadLength: number): boolean {
    for (const place of this.#inTurn()) {
      const { qos, subscriber } = this.#members[place] as Recipient;
      if (qos === 0 || subscriber.hasRoom(channel, payloadLength)) return true;
    }
    return false;
  }

  deliver(
    channel: Channel,
    payload: Uint8Array,
    qos: Qos,
    retained: boolean,
    extras: MessageExtras | undefined,
  ): DeliveryRefusal | undefined {
    const give = (place: number): DeliveryRefusal | undefined => {
      const member = this.#members[place] as Recipient;
      const flag = retained && member.retainAsPublished;
      const granted = lowerQos(qos, member.qos);
      const refusal = member.subscriber.deliver(channel, payload, granted, flag, extras, member);
      if (refusal === undefined) this.#group.turn = place + 1;
      return refusal;
    };
    let refusal: DeliveryRefusal | undefined;
    let full: number | undefined;
    for (const place of this.#inTurn()) {
      const member = this.#members[place] as Recipient;
      const reliable = lowerQos(qos, member.qos) > 0;
      if (reliable && !member.subscriber.hasRoom(channel, payload.length)) {
        full ??= place;
        continue;
      }
      refusal = give(place);
      if (refusal === undefined) return undefined;
    }
    // There was room when the router asked: what took it since was delivered by the same emit.
    return full === undefined ? refusal : give(full);
  }

  /** The places of those that may take the next message, in the order in which they are asked. */
  *#inTurn(): Generator<number, void> {
    const { turn } = this.#group;
    const count = this.#members.length;
    let someone = false;
    for (const connected of [true, false]) {
      for (let i = 0; i < count; i++) {
        const place = (turn + i) % count;
        if (this.#isConnected((this.#members[place] as Recipient).subscriber) !== connected) continue;
        someone = true;
        yield place;
      }
      if (someone) return;
    }
  }
}
