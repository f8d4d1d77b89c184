import { MalformedPacket } from '../../../src/mqtt/wire/malformed.js';
import { PacketParser } from '../../../src/mqtt/wire/packet-parser.js';
import type { ClientPacket, ProtocolLevel } from '../../../src/mqtt/wire/packets.js';
import { bytes } from '../bytes.js';

export const MAX_CONNECT = 70_000;
export const MAX_PACKET = 100_000;

/** The smallest CONNECT of each version, with the client identifier "c". */
export const CONNECT: Readonly<Record<ProtocolLevel, string>> = {
  3: '10 ( "MQIsdp" 03 02 0000 "c" )',
  4: '10 ( "MQTT" 04 02 0000 "c" )',
  5: '10 ( "MQTT" 05 02 0000 ( ) "c" )',
};

/** A parser of a client that has connected. */
export function connected(level: ProtocolLevel, maxPacket = MAX_PACKET): PacketParser {
  const parser = new PacketParser({ maxConnect: MAX_CONNECT, maxPacket });
  parser.push(bytes(CONNECT[level]));
  const connect = parser.next();
  if (connect?.type !== 'connect' || connect.level !== level)
    throw new Error('the CONNECT of the test is none');
  return parser;
}

export function fresh(): PacketParser {
  return new PacketParser({ maxConnect: MAX_CONNECT, maxPacket: MAX_PACKET });
}

/** All packets that are complete with this chunk; binary fields are copies. */
export function readAll(parser: PacketParser, chunk: Uint8Array): ClientPacket[] {
  parser.push(chunk);
  const packets: ClientPacket[] = [];
  for (let packet = parser.next(); packet !== undefined; packet = parser.next()) {
    packets.push(structuredClone(packet));
  }
  return packets;
}

/** What is wrong with it. @throws Error when nothing is */
export function faultOf(parser: PacketParser, chunk: Uint8Array): MalformedPacket {
  try {
    const packets = readAll(parser, chunk);
    throw new Error(`it is well-formed: ${JSON.stringify(packets)}`);
  } catch (error) {
    if (error instanceof MalformedPacket) return error;
    throw error;
  }
}
