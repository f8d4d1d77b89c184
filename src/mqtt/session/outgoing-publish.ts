import type { MessageExtras } from '../../router/message.js';
import type { Qos } from '../../wire/messages.js';

/**
 * Where a message of QoS 1 or 2 stands on its way to the client: it waits; PUBLISH is sent, and PUBACK or PUBREC awaited; or
 * PUBREL is sent, and PUBCOMP awaited (MQTT 5, 4.3).
 */
export type OutgoingStage = 'waiting' | 'published' | 'released';

/** What a message is made of. */
export interface PublishContent {
  readonly topic: string;
  /** Never changes. */
  readonly payload: Uint8Array;
  readonly qos: Exclude<Qos, 0>;
  readonly retain: boolean;
  readonly extras: MessageExtras | undefined;
  /** Subscription identifiers ([MQTT-3.3.4-3]). */
  readonly identifiers: readonly number[] | undefined;
  /** When it came, ms on its owner's clock. */
  readonly at: number;
}

/** One message of QoS 1 or 2 on its way to the client. */
export class OutgoingPublish implements PublishContent {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Exclude<Qos, 0>;
  readonly retain: boolean;
  readonly extras: MessageExtras | undefined;
  readonly identifiers: readonly number[] | undefined;
  readonly at: number;
  stage: OutgoingStage = 'waiting';
  /** Its packet identifier; 0 while it waits. */
  id = 0;
  /** Its recorder's own number for it, in the order in which messages came; 0 until it has one. */
  record = 0;

  constructor(content: PublishContent) {
    this.topic = content.topic;
    this.payload = content.payload;
    this.qos = content.qos;
    this.retain = content.retain;
    this.extras = content.extras;
    this.identifiers = content.identifiers;
    this.at = content.at;
  }

  /** What it counts as in the queue's bytes. */
  get size(): number {
    return queuedBytes(this.topic, this.payload.length, this.extras);
  }
}

/** What a message is taken to cost besides its text and payload, bytes. */
const OVERHEAD_BYTES = 16;

/** What a message counts as in the bytes of a queue. */
export function queuedBytes(topic: string, payloadLength: number, extras: MessageExtras | undefined): number {
  const { properties } = extras ?? {};
  const bytes = OVERHEAD_BYTES + topic.length + payloadLength;
  if (properties === undefined) return bytes;
  const { contentType = '', responseTopic = '', correlationData, userProperties = [] } = properties;
  const texts = userProperties.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  return bytes + contentType.length + responseTopic.length + (correlationData?.length ?? 0) + texts;
}
