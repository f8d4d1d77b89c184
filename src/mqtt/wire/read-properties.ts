import { PROPERTIES, type Property, type PropertyHolder } from './properties.js';
import type { Reader } from './reader.js';
import { isTopicName } from './topics.js';

type Pair = readonly [name: string, value: string];
type Value = number | boolean | string | Buffer | Pair;
/** By the names of packets.ts, whose types say what each holder can have. */
type Values = Record<string, Value | (number | Pair)[]>;

/** So many user properties a packet may have: each takes far more memory than the five bytes that it can be sent with. */
const MAX_USER_PROPERTIES = 1024;

/** By identifier. Where two have the same they are of the same kind. */
const KNOWN = new Map<number, Property[]>();
for (const property of PROPERTIES) KNOWN.set(property.id, [...(KNOWN.get(property.id) ?? []), property]);

/**
 * The properties of `holder`, as a client may send them (MQTT 5, 2.2.2), from their length on; undefined when there are none, which
 * is what most packets have.
 * @throws MalformedPacket
 */
export function readProperties<T extends object>(reader: Reader, holder: PropertyHolder): T | undefined {
  const length = reader.varint('the length of the properties');
  if (length === 0) return undefined;
  if (length > reader.left) {
    throw reader.malformed('2.2.2.1', 'the properties are longer than the packet');
  }
  const values: Values = {};
  const packetEnd = reader.end;
  reader.end = reader.at + length;
  while (reader.left > 0) readProperty(reader, holder, values);
  reader.end = packetEnd;
  return values as T;
}

function readProperty(reader: Reader, holder: PropertyHolder, values: Values): void {
  const id = reader.varint('the identifier of a property');
  const known = KNOWN.get(id);
  const name = `property 0x${id.toString(16).padStart(2, '0')}`;
  if (known === undefined) throw reader.malformed('2.2.2.2', `there is no ${name}`);
  const property = known.find(({ holders }) => holders.has(holder));
  const value = readValue(reader, (property ?? known[0]) as Property, name);
  if (property === undefined) {
    throw reader.malformed('2.2.2.2', `${name} is not one of ${holder.toUpperCase()}`);
  }
  const { key, many } = property;
  const before = values[key];
  if (before === undefined) values[key] = many ? [value as number | Pair] : value;
  else if (many) {
    const values = before as (number | Pair)[];
    if (values.length >= MAX_USER_PROPERTIES) throw reader.tooMany(MAX_USER_PROPERTIES, 'user properties');
    values.push(value as number | Pair);
  } else throw reader.protocolError('2.2.2.2', `${name} is there twice`);
}

function readValue(reader: Reader, { kind, min }: Property, name: string): Value {
  switch (kind) {
    case 'flag':
      return bit(reader, name) === 1;
    case 'bit':
      return bit(reader, name);
    case 'u16':
      return atLeast(reader, min, reader.u16(name), name);
    case 'u32':
      return atLeast(reader, min, reader.u32(name), name);
    case 'varint':
      return atLeast(reader, min, reader.varint(name), name);
    case 'text':
      return reader.text(name);
    case 'topic':
      return topic(reader, name);
    case 'binary':
      return reader.binary(name);
    case 'pair':
      return [reader.text(`the name in ${name}`), reader.text(`the value in ${name}`)];
  }
}

/** "It is a Protocol Error … to have a value other than 0 or 1" (3.1.2.11.6 and alike). */
function bit(reader: Reader, name: string): 0 | 1 {
  const value = reader.u8(name);
  if (value > 1) throw reader.protocolError('2.2.2.2', `${name} is ${value}, not 0 or 1`);
  return value as 0 | 1;
}

function atLeast(reader: Reader, min: number, value: number, name: string): number {
  if (value < min) throw reader.protocolError('2.2.2.2', `${name} is ${value}`);
  return value;
}

/** [MQTT-3.3.2-14] */
function topic(reader: Reader, name: string): string {
  const text = reader.name(name);
  if (!isTopicName(text))
    throw reader.protocolError('MQTT-3.3.2-14', `${name}, a topic name, has a wildcard or is empty`);
  return text;
}
