import type { ProtocolLevel, Publish } from './packets.js';
import { TYPE } from './types.js';
import { encodedProperties } from './write-properties.js';
import { checked, textLength, unencodable, varintSize, writeVarint } from './writer.js';

const NO_PROPERTIES = Buffer.alloc(0);
/** 2.1.4: what can follow the head of a packet, bytes. */
const MAX_REMAINING = 268_435_455;

/**
 * A PUBLISH (3.3) in fresh bytes, for a client of this level. `properties`: those of the packet as `encodedProperties` gives them, if they
 * are encoded already.
 * @throws SlipwayError `unencodable` for a value that MQTT has no bytes for
 */
export function encodePublish(
  packet: Publish,
  level: ProtocolLevel,
  properties: Buffer = propertiesOf(packet, level),
): Buffer {
  const { topic, payload, qos } = packet;
  const v5 = level === 5;
  const nameBytes = textLength(topic, 'the topic name');
  const body = bodySize(nameBytes, qos, v5, properties.length, payload.length);
  const bytes = Buffer.allocUnsafe(1 + varintSize(body) + body);
  bytes[0] = (TYPE.publish << 4) | (packet.dup ? 8 : 0) | (qos << 1) | (packet.retain ? 1 : 0);
  let at = writeVarint(bytes, 1, body);
  at = writeU16(bytes, at, nameBytes);
  at += bytes.write(topic, at, nameBytes === topic.length ? 'latin1' : 'utf8');
  if (qos > 0) at = writeU16(bytes, at, checked(packet.id, 1, 0xffff, 'the packet identifier'));
  if (v5) {
    at = writeVarint(bytes, at, properties.length);
    bytes.set(properties, at);
    at += properties.length;
  }
  bytes.set(payload, at);
  return bytes;
}

function propertiesOf({ properties }: Publish, level: ProtocolLevel): Buffer {
  return level < 5 || properties === undefined ? NO_PROPERTIES : encodedProperties('publish', properties);
}

function bodySize(name: number, qos: number, v5: boolean, properties: number, payload: number): number {
  const size = 2 + name + (qos > 0 ? 2 : 0) + (v5 ? varintSize(properties) + properties : 0) + payload;
  if (size > MAX_REMAINING)
    throw unencodable(`it has ${size} bytes behind its head, not ${MAX_REMAINING} at most`);
  return size;
}

function writeU16(bytes: Buffer, at: number, value: number): number {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 0xff;
  return at + 2;
}
