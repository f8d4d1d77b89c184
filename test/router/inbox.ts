import type { Channel, Recipient } from '../../src/router/channel.js';
import type { MessageExtras } from '../../src/router/message.js';
import type { DeliveryRefusal, SubscribeOptions, Subscriber } from '../../src/router/subscriber.js';
import type { Qos } from '../../src/wire/messages.js';

/** A subscriber that keeps what it takes, as `channel=payload@qos`, with `!` behind a last value. */
export class Inbox implements Subscriber {
  readonly taken: string[] = [];
  /** What came last besides. */
  extras: MessageExtras | undefined;
  recipient: Recipient | undefined;
  /** Reliable messages that still fit. */
  room = Number.POSITIVE_INFINITY;
  /** In bytes. */
  maxPayload = Number.POSITIVE_INFINITY;
  onDeliver: (channel: Channel, payload: Uint8Array) => void = () => {};

  hasRoom(_channel: Channel, payloadLength: number): boolean {
    return payloadLength > this.maxPayload || this.room > 0;
  }

  deliver(
    channel: Channel,
    payload: Uint8Array,
    qos: Qos,
    retained: boolean,
    extras: MessageExtras | undefined,
    recipient: Recipient,
  ): DeliveryRefusal | undefined {
    this.extras = extras;
    this.recipient = recipient;
    if (payload.length > this.maxPayload) return 'too_large_for_receiver';
    if (qos > 0) this.room -= 1;
    this.taken.push(`${channel.name}=${Buffer.from(payload).toString()}@${qos}${retained ? '!' : ''}`);
    this.onDeliver(channel, payload);
    return undefined;
  }

  /** What was taken since the last call. */
  read(): string[] {
    return this.taken.splice(0);
  }
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

export function asking(qos: Qos, more: Partial<SubscribeOptions> = {}): SubscribeOptions {
  return { qos, noLocal: false, noLastValue: false, ...more };
}

/** MQTT's rules as plainly as they can be put, to check the tree against. */
export function plainlyMatches(pattern: string, name: string): boolean {
  if (name.startsWith('$') && !pattern.startsWith('$')) return false;
  const want = pattern.split('/');
  const have = name.split('/');
  if (want.at(-1) === '#') {
    want.pop();
    have.splice(want.length, Math.max(0, have.length - want.length));
  }
  return want.length === have.length && want.every((level, i) => level === '+' || level === have[i]);
}
