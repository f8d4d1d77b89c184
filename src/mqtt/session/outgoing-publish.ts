import { extrasBytes, type MessageExtras } from '../../router/message.js';
import type { Qos } from '../../wire/messages.js';

/**
 * Where a message of QoS 1 or 2 stands on its way to the client: it waits; PUBLISH is sent, and PUBACK or PUBREC awaited; or
 * PUBREL is sent, and PUBCOMP awaited (MQTT 5, 4.3).
 */
export type OutgoingStage = 'waiting' | 'published' | 'released';

/** What a PUBLISH is made of. */
export interface PublishContent {
  readonly topic: string;
  /** Never changes, at QoS 1 and 2. */
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly extras: MessageExtras | undefined;
  /** Subscription identifiers ([MQTT-3.3.4-3]). */
  readonly identifiers: readonly number[] | undefined;
}

/** What a message is taken to cost besides its payload, topic and properties, bytes. */
const OVERHEAD_BYTES = 16;

/** What a message counts as in the bytes of a queue. */
export function queuedBytes(topic: string, payloadLength: number, extras: MessageExtras | undefined): number {
  return OVERHEAD_BYTES + topic.length + payloadLength + extrasBytes(extras);
}

/** One message of QoS 1 or 2 on its way to the client. */
export class OutgoingPublish implements PublishContent {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly extras: MessageExtras | undefined;
  readonly identifiers: readonly number[] | undefined;
  /** When it came, ms on its owner's clock. */
  readonly at: number;
  /** What it counts as in the queue's bytes. */
  readonly size: number;
  stage: OutgoingStage = 'waiting';
  /** Its packet identifier; 0 while it waits. */
  id = 0;
  /** Its recorder's own number for it, in the order in which messages came; 0 until it has one. */
  record = 0;

  constructor({ topic, payload, qos, retain, extras, identifiers }: PublishContent, at: number) {
    this.topic = topic;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.extras = extras;
    this.identifiers = identifiers;
    this.at = at;
    this.size = queuedBytes(topic, payload.length, extras);
  }
}
