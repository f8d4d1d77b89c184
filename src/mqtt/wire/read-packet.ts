import type { Qos } from '../../wire/messages.js';
import type {
  Acknowledgement,
  ClientPacket,
  Disconnect,
  Publish,
  PublishProperties,
  Subscribe,
  SubscriptionRequest,
  Unsubscribe,
} from './packets.js';
import { readConnect } from './read-connect.js';
import { readProperties } from './read-properties.js';
import type { Reader } from './reader.js';
import { REASON } from './reason-codes.js';
import { isTopicFilter, isTopicName, shareOf } from './topics.js';
import { TYPE } from './types.js';

/** So many topic filters a packet may have: each is work, however small it is, and all of one packet is done at once. */
const MAX_FILTERS = 4096;

/** What a receiver may say of a PUBLISH (3.4.2.1, 3.5.2.1), and of what follows (3.6.2.1, 3.7.2.1). */
const RECEIVED: ReadonlySet<number> = new Set([
  REASON.success,
  REASON.noMatchingSubscribers,
  REASON.unspecifiedError,
  REASON.implementationSpecificError,
  REASON.notAuthorized,
  REASON.topicNameInvalid,
  REASON.packetIdentifierInUse,
  REASON.quotaExceeded,
  REASON.payloadFormatInvalid,
]);
const RELEASED: ReadonlySet<number> = new Set([REASON.success, REASON.packetIdentifierNotFound]);

/**
 * The packet with this first byte, whose flags and whose type have been checked, and the body that the reader stands before.
 * @throws MalformedPacket
 */
export function readPacket(reader: Reader, head: number): ClientPacket {
  switch (head >> 4) {
    case TYPE.publish:
      return readPublish(reader, head);
    case TYPE.puback:
      return readAcknowledgement(reader, 'puback', RECEIVED);
    case TYPE.pubrec:
      return readAcknowledgement(reader, 'pubrec', RECEIVED);
    case TYPE.pubrel:
      return readAcknowledgement(reader, 'pubrel', RELEASED);
    case TYPE.pubcomp:
      return readAcknowledgement(reader, 'pubcomp', RELEASED);
    case TYPE.subscribe:
      return readSubscribe(reader);
    case TYPE.unsubscribe:
      return readUnsubscribe(reader);
    case TYPE.pingreq:
      reader.finish();
      return { type: 'pingreq' };
    case TYPE.disconnect:
      return readDisconnect(reader);
    default:
      return readConnect(reader, head);
  }
}

/** 3.3 */
function readPublish(reader: Reader, head: number): Publish {
  const qos = ((head >> 1) & 3) as Qos;
  const topic = reader.name('the topic name');
  if (topic !== '' && !isTopicName(topic)) {
    throw reader.malformed('MQTT-3.3.2-2', 'the topic name has a wildcard');
  }
  const id = qos === 0 ? 0 : reader.packetId();
  const properties = reader.level === 5 ? readPublishProperties(reader) : undefined;
  if (topic === '' && properties?.topicAlias === undefined) {
    if (reader.level < 5) throw reader.malformed('MQTT-4.7.3-1', 'the topic name is empty');
    throw reader.protocolError('3.3.2.1', 'the topic name is empty, and there is no topic alias');
  }
  return {
    type: 'publish',
    dup: (head & 8) !== 0,
    qos,
    retain: (head & 1) !== 0,
    topic,
    id,
    payload: reader.rest(),
    properties,
  };
}

function readPublishProperties(reader: Reader): PublishProperties | undefined {
  const properties = readProperties<PublishProperties>(reader, 'publish');
  if (properties?.subscriptionIdentifiers !== undefined) {
    throw reader.protocolError('MQTT-3.3.4-6', 'a client cannot send a subscription identifier in a PUBLISH');
  }
  return properties;
}

/** 3.4 to 3.7: reason code and properties may be left out. */
function readAcknowledgement(
  reader: Reader,
  type: Acknowledgement['type'],
  codes: ReadonlySet<number>,
): Acknowledgement {
  const id = reader.packetId();
  const code = reader.level === 5 && reader.left > 0 ? reader.u8('the reason code') : REASON.success;
  if (!codes.has(code)) {
    throw reader.protocolError('MQTT-3.4.2-1', `a ${type.toUpperCase()} cannot have reason code ${code}`);
  }
  const properties =
    reader.level === 5 && reader.left > 0
      ? readProperties<Acknowledgement['properties']>(reader, type)
      : undefined;
  reader.finish();
  return { type, id, code, properties: properties ?? {} };
}

/** 3.8 */
function readSubscribe(reader: Reader): Subscribe {
  const id = readSubscriptionId(reader);
  const properties =
    reader.level === 5 ? readProperties<Subscribe['properties']>(reader, 'subscribe') : undefined;
  const subscriptions: SubscriptionRequest[] = [];
  while (reader.left > 0) {
    if (subscriptions.length >= MAX_FILTERS) throw reader.tooMany(MAX_FILTERS, 'topic filters');
    subscriptions.push(readRequest(reader));
  }
  if (subscriptions.length === 0)
    throw reader.protocolError('MQTT-3.8.3-2', 'a SUBSCRIBE has no topic filter');
  return { type: 'subscribe', id, subscriptions, properties: properties ?? {} };
}

function readRequest(reader: Reader): SubscriptionRequest {
  const filter = readFilter(reader);
  const options = reader.u8('the subscription options');
  // The reserved bits: 3.1 does not ask for zeros.
  const reserved = reader.level === 5 ? 0xc0 : reader.level === 4 ? 0xfc : 0;
  if ((options & reserved) !== 0)
    throw reader.malformed('MQTT-3.8.3-5', 'a reserved bit of the options is 1');
  const qos = options & 3;
  const noLocal = reader.level === 5 && (options & 4) !== 0;
  const retainHandling = reader.level === 5 ? (options >> 4) & 3 : 0;
  if (qos === 3) throw reader.protocolError('3.8.3.1', 'the QoS of a subscription is 3');
  if (retainHandling === 3) throw reader.protocolError('3.8.3.1', 'the retain handling is 3');
  if (noLocal && shareOf(filter) !== undefined) {
    throw reader.protocolError('MQTT-3.8.3-4', 'a shared subscription cannot be "no local"');
  }
  return {
    filter,
    qos: qos as Qos,
    noLocal,
    retainAsPublished: reader.level === 5 && (options & 8) !== 0,
    retainHandling: retainHandling as SubscriptionRequest['retainHandling'],
  };
}

/** 3.10 */
function readUnsubscribe(reader: Reader): Unsubscribe {
  const id = readSubscriptionId(reader);
  const properties =
    reader.level === 5 ? readProperties<Unsubscribe['properties']>(reader, 'unsubscribe') : undefined;
  const filters: string[] = [];
  while (reader.left > 0) {
    if (filters.length >= MAX_FILTERS) throw reader.tooMany(MAX_FILTERS, 'topic filters');
    filters.push(readFilter(reader));
  }
  if (filters.length === 0) throw reader.protocolError('MQTT-3.10.3-2', 'an UNSUBSCRIBE has no topic filter');
  return { type: 'unsubscribe', id, filters, properties: properties ?? {} };
}

/** [MQTT-2.2.1-3]; the standard does not say whether 0 is a protocol error. mosquitto tells of a malformed packet here. */
function readSubscriptionId(reader: Reader): number {
  const id = reader.u16('the packet identifier');
  if (id === 0) throw reader.malformed('MQTT-2.2.1-3', 'the packet identifier is 0');
  return id;
}

function readFilter(reader: Reader): string {
  const filter = reader.name('a topic filter');
  if (!isTopicFilter(filter))
    throw reader.malformed('MQTT-4.7.1-1', `"${filter.slice(0, 80)}" is not a topic filter`);
  return filter;
}

/** 3.14: a code that no client may send ends the connection as any other does. */
function readDisconnect(reader: Reader): Disconnect {
  const v5 = reader.level === 5;
  const code = v5 && reader.left > 0 ? reader.u8('the reason code') : REASON.success;
  const properties =
    v5 && reader.left > 0 ? readProperties<Disconnect['properties']>(reader, 'disconnect') : undefined;
  reader.finish();
  return { type: 'disconnect', code, properties: properties ?? {} };
}
