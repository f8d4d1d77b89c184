import type { MessageExtras, MessageProperties } from '../../router/message.js';
import type { PublishProperties } from '../wire/packets.js';
import type { Naming } from './topic-aliases.js';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What of a client's PUBLISH travels with the message; nothing of it is a part of what was read. `now`: ms. */
export function extrasOf(properties: PublishProperties | undefined, now: number): MessageExtras | undefined {
  if (properties === undefined) return undefined;
  const { messageExpiry, correlationData } = properties;
  const kept = copyProperties(properties);
  if (kept && correlationData) kept.correlationData = new Uint8Array(correlationData);
  if (messageExpiry === undefined) return kept && { properties: kept };
  return { properties: kept, expiresAt: now + messageExpiry * 1000 };
}

/** Undefined when there are none. Built up one by one: an object spread costs a hidden class each time. */
function copyProperties(from: MessageProperties): Mutable<MessageProperties> | undefined {
  const { payloadFormat, contentType, responseTopic, correlationData, userProperties } = from;
  const copy: Mutable<MessageProperties> = {};
  let any = false;
  if (payloadFormat !== undefined) {
    copy.payloadFormat = payloadFormat;
    any = true;
  }
  if (contentType !== undefined) {
    copy.contentType = contentType;
    any = true;
  }
  if (responseTopic !== undefined) {
    copy.responseTopic = responseTopic;
    any = true;
  }
  if (correlationData !== undefined) {
    copy.correlationData = correlationData;
    any = true;
  }
  if (userProperties !== undefined && userProperties.length > 0) {
    copy.userProperties = userProperties;
    any = true;
  }
  return any ? copy : undefined;
}

/** The properties of a PUBLISH to a client of MQTT 5; undefined when there are none. `now`: ms. */
export function propertiesFor(
  extras: MessageExtras | undefined,
  identifiers: readonly number[] | undefined,
  naming: Naming,
  now: number,
): PublishProperties | undefined {
  if (extras === undefined && identifiers === undefined && naming === undefined) return undefined;
  const properties: Mutable<PublishProperties> = copyProperties(extras?.properties ?? {}) ?? {};
  // What the message has waited here is taken off ([MQTT-3.3.2-6]).
  if (extras?.expiresAt !== undefined)
    properties.messageExpiry = Math.max(0, Math.round((extras.expiresAt - now) / 1000));
  if (naming !== undefined) properties.topicAlias = naming.alias;
  if (identifiers !== undefined) properties.subscriptionIdentifiers = identifiers;
  return properties;
}
