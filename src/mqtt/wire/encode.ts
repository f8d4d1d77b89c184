import { encodePublish } from './encode-publish.js';
import type {
  Acknowledgement,
  AnswerProperties,
  Connack,
  Disconnect,
  ProtocolLevel,
  ServerPacket,
  SubscribeAnswer,
} from './packets.js';
import { REASON } from './reason-codes.js';
import { TYPE } from './types.js';
import { writeProperties } from './write-properties.js';
import { varintSize, Writer, writeVarint } from './writer.js';

const BODY = new Writer();

/** What a packet that is no PUBLISH says besides its properties. */
type Answer = Exclude<ServerPacket, { type: 'publish' | 'pingresp' }>;

/**
 * The bytes of a packet for a client of this level: fresh ones, that share nothing with the packet. In MQTT 3.1 and 3.1.1 there are
 * no properties, and only CONNACK and SUBACK have codes; a CONNACK's is taken as it is (`returnCodeOf` tells it), and any failure
 * in a SUBACK is 0x80 [MQTT-3.9.3-2].
 * @throws SlipwayError `unencodable` for a value that MQTT has no bytes for
 */
export function encode(packet: ServerPacket, level: ProtocolLevel): Buffer;
/**
 * As above, in at most `maxPacketBytes`, the whole of it: user properties and then the reason string of anything but a PUBLISH are left
 * out where they do not fit ([MQTT-3.2.2-19], -20, [MQTT-3.4.2-2], -3 and alike). Undefined if it does not fit without them either: then
 * it must not be sent [MQTT-3.1.2-24].
 */
export function encode(
  packet: ServerPacket,
  level: ProtocolLevel,
  maxPacketBytes: number | undefined,
): Buffer | undefined;
export function encode(
  packet: ServerPacket,
  level: ProtocolLevel,
  maxPacketBytes = Number.POSITIVE_INFINITY,
): Buffer | undefined {
  const whole = encodeWhole(packet, level);
  if (whole.length <= maxPacketBytes) return whole;
  if (level < 5 || packet.type === 'publish' || packet.type === 'pingresp') return undefined;
  const { userProperties: _, ...others } = packet.properties as AnswerProperties;
  const { reasonString: __, ...least } = others;
  for (const properties of [others, least]) {
    const shorter = encodeWhole({ ...packet, properties } as ServerPacket, level);
    if (shorter.length <= maxPacketBytes) return shorter;
  }
  return undefined;
}

function encodeWhole(packet: ServerPacket, level: ProtocolLevel): Buffer {
  if (packet.type === 'publish') return encodePublish(packet, level);
  const type = TYPE[packet.type] << 4;
  if (packet.type === 'pingresp') return Buffer.of(type, 0);
  BODY.clear();
  writeBody(BODY, packet, level);
  const body = BODY.written;
  // A PUBREL has the bit that SUBSCRIBE and UNSUBSCRIBE have [MQTT-3.6.1-1].
  const head = packet.type === 'pubrel' ? type | 2 : type;
  const bytes = Buffer.allocUnsafe(1 + varintSize(body.length) + body.length);
  bytes[0] = head;
  body.copy(bytes, writeVarint(bytes, 1, body.length));
  return bytes;
}

function writeBody(out: Writer, packet: Answer, level: ProtocolLevel): void {
  switch (packet.type) {
    case 'connack':
      return writeConnack(out, packet, level);
    case 'suback':
    case 'unsuback':
      return writeSubscribeAnswer(out, packet, level);
    case 'disconnect':
      return level < 5 ? undefined : writeReason(out, packet);
    default:
      out.u16(packet.id, 'the packet identifier', 1);
      return level < 5 ? undefined : writeReason(out, packet);
  }
}

/** 3.2 */
function writeConnack(
  out: Writer,
  { sessionPresent, code, properties }: Connack,
  level: ProtocolLevel,
): void {
  // [MQTT-3.2.2-6]
  out.u8(sessionPresent && code === REASON.success ? 1 : 0, 'the flags of a CONNACK');
  out.u8(code, 'the code of a CONNACK');
  if (level === 5) writeProperties(out, 'connack', properties);
}

/** 3.9, 3.11 */
function writeSubscribeAnswer(
  out: Writer,
  { type, id, codes, properties }: SubscribeAnswer,
  level: ProtocolLevel,
): void {
  out.u16(id, 'the packet identifier', 1);
  if (level === 5) writeProperties(out, type, properties);
  else if (type === 'unsuback') return;
  for (const code of codes) {
    out.u8(level < 5 && code > REASON.grantedQos2 ? REASON.unspecifiedError : code, 'a reason code');
  }
}

/** Reason code and properties are left out at the end where they say nothing (3.4.2.1, 3.14.2.1 and alike). */
function writeReason(out: Writer, { type, code, properties }: Acknowledgement | Disconnect): void {
  const start = out.length;
  out.u8(code, 'the reason code');
  writeProperties(out, type, properties);
  const bare = out.length === start + 2;
  if (bare) out.cut(code === REASON.success ? start : start + 1);
}
