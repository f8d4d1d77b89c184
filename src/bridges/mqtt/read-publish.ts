import type { Publish, PublishProperties } from '../../mqtt/wire/packets.js';
import { readProperties } from '../../mqtt/wire/read-properties.js';
import type { Reader } from '../../mqtt/wire/reader.js';
import type { Qos } from '../../wire/messages.js';
import { NotMqtt } from './packet-splitter.js';

/**
 * A PUBLISH (MQTT 5, 3.3) as a broker sends it, whose first byte is `head`; the reader stands before what follows its length. Names that
 * are none here are left to whoever knows more of them.
 * @throws NotMqtt, MalformedPacket for what no broker may send
 */
export function readPublish(reader: Reader, head: number): Publish {
  const { topic, qos, id } = readPublishHead(reader, head);
  const properties = reader.level === 5 ? readProperties<PublishProperties>(reader, 'publish') : undefined;
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

/** The same of one that is too large to be read whole. */
export function readPublishHead(reader: Reader, head: number): Pick<Publish, 'topic' | 'qos' | 'id'> {
  const qos = (head >> 1) & 3;
  if (qos === 3) throw new NotMqtt('the QoS of a PUBLISH is 3');
  const topic = reader.text('the topic name');
  // No aliases are taken: CONNECT says so by saying nothing (3.1.2.11.5).
  if (topic === '') throw new NotMqtt('a PUBLISH has no topic name');
  return { topic, qos: qos as Qos, id: qos === 0 ? 0 : reader.packetId() };
}
