import { MalformedPacket } from './malformed.js';
import type { Connect, ProtocolLevel, Will } from './packets.js';
import { readProperties } from './read-properties.js';
import type { Reader } from './reader.js';
import { REASON, RETURN_CODE } from './reason-codes.js';
import { isTopicName } from './topics.js';

/** The bits of the connect flags (3.1.2.3). */
const FLAG = { RESERVED: 0x01, CLEAN: 0x02, WILL: 0x04, WILL_RETAIN: 0x20, PASSWORD: 0x40, USERNAME: 0x80 };

/** mosquitto's bridges set it in the levels before 5. */
const BRIDGE = 0x80;

/**
 * A CONNECT (3.1), whose `head` is its first byte. From it on the reader knows the client's level.
 * A fault in the properties of MQTT 5, in the flags or in the length is answered with a CONNACK [MQTT-4.13.1-1]. What has text that
 * is none, or ends within its payload, need not be MQTT at all: its connection is closed without a word, as in 3.1.1.
 * @throws MalformedPacket
 */
export function readConnect(reader: Reader, head: number): Connect {
  const { level, bridge } = readLevel(reader);
  reader.level = level;
  // MQTT 3.1 does not use these bits of a CONNECT, and does not ask for zeros.
  if (level > 3 && head !== 0x10) throw reader.malformed('MQTT-2.1.3-1', 'the flags of a CONNECT are not 0');
  answer(reader);
  const flags = readFlags(reader);
  const keepAlive = reader.u16('the keep alive');
  const properties = level === 5 ? readConnectProperties(reader) : {};
  reader.answering = undefined;
  const clientId = reader.name('the client identifier');
  const cleanStart = (flags & FLAG.CLEAN) !== 0;
  checkClientId(clientId, level, cleanStart);
  const will = (flags & FLAG.WILL) === 0 ? undefined : readWill(reader, flags);
  const username = has(reader, flags, FLAG.USERNAME) ? reader.name('the user name') : undefined;
  const password = has(reader, flags, FLAG.PASSWORD) ? reader.binary('the password') : undefined;
  answer(reader);
  reader.finish();
  return {
    type: 'connect',
    level,
    bridge,
    clientId,
    cleanStart,
    keepAlive,
    will,
    username,
    password,
    properties,
  };
}

/** In MQTT 5 the server may say why it closes the connection; in 3.1.1 it must not (4.8). */
function answer(reader: Reader): void {
  reader.answering = reader.level === 5 ? 'connack' : undefined;
}

/**
 * The name is "MQIsdp" in MQTT 3.1, and "MQTT" since [MQTT-3.1.2-1]. That another level is not served must be told in the form of
 * 3.1.1 ([MQTT-3.1.2-2] of that; of MQTT 5: "MAY").
 */
function readLevel(reader: Reader): { level: ProtocolLevel; bridge: boolean } {
  const name = reader.text('the protocol name');
  if (name !== 'MQTT' && name !== 'MQIsdp') {
    throw reader.fault(REASON.unsupportedProtocolVersion, 'MQTT-3.1.2-1', 'the protocol name is not "MQTT"');
  }
  const byte = reader.u8('the protocol level');
  const level = byte & ~BRIDGE;
  const served = name === 'MQTT' ? level === 4 || byte === 5 : level === 3;
  if (!served) {
    const packet = {
      type: 'connack',
      sessionPresent: false,
      code: RETURN_CODE.unacceptableProtocolVersion,
      properties: {},
    } as const;
    const problem = `level ${level} of the protocol "${name}" is not served: use MQTT 3.1.1 or 5`;
    throw new MalformedPacket(REASON.unsupportedProtocolVersion, 'MQTT-3.1.2-2', problem, {
      packet,
      level: 4,
    });
  }
  return { level: level as ProtocolLevel, bridge: byte !== level };
}

function readFlags(reader: Reader): number {
  const flags = reader.u8('the connect flags');
  if ((flags & FLAG.RESERVED) !== 0 && reader.level > 3) {
    throw reader.malformed('MQTT-3.1.2-3', 'the reserved connect flag is 1');
  }
  const willQos = qosOf(flags);
  // 3.1 does not look at them without a will.
  if ((flags & FLAG.WILL) === 0 && reader.level > 3) {
    if (willQos !== 0) throw reader.malformed('MQTT-3.1.2-11', 'there is a QoS of a will, and no will');
    if ((flags & FLAG.WILL_RETAIN) !== 0) {
      throw reader.malformed('MQTT-3.1.2-13', 'there is a retain flag of a will, and no will');
    }
  }
  if (willQos === 3 && (flags & FLAG.WILL) !== 0)
    throw reader.malformed('MQTT-3.1.2-12', 'the QoS of the will is 3');
  if (reader.level < 5 && (flags & FLAG.PASSWORD) !== 0 && (flags & FLAG.USERNAME) === 0) {
    throw reader.malformed('3.1.1: MQTT-3.1.2-22', 'there is a password, and no user name');
  }
  return flags;
}

function readConnectProperties(reader: Reader): Connect['properties'] {
  const properties = readProperties<Connect['properties']>(reader, 'connect') ?? {};
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw reader.protocolError('3.1.2.11.10', 'there is authentication data, and no method');
  }
  return properties;
}

/** 3.1 wants a client identifier; 3.1.1 wants one of who has a session that is kept [MQTT-3.1.3-7]; 5 gives one to who has none. */
function checkClientId(clientId: string, level: ProtocolLevel, cleanStart: boolean): void {
  if (clientId !== '' || level === 5 || (level === 4 && cleanStart)) return;
  const packet = {
    type: 'connack',
    sessionPresent: false,
    code: RETURN_CODE.identifierRejected,
    properties: {},
  } as const;
  const problem = 'the client identifier is empty, and the session is not a clean one';
  throw new MalformedPacket(REASON.clientIdentifierNotValid, '3.1.1: MQTT-3.1.3-8', problem, {
    packet,
    level,
  });
}

function readWill(reader: Reader, flags: number): Will {
  answer(reader);
  const properties = reader.level === 5 ? readProperties<Will['properties']>(reader, 'will') : undefined;
  reader.answering = undefined;
  const topic = reader.name('the topic of the will');
  if (!isTopicName(topic)) {
    answer(reader);
    throw reader.malformed('MQTT-4.7.1-1', 'the topic of the will has a wildcard or is empty');
  }
  const payload = reader.binary('the payload of the will');
  return {
    topic,
    payload,
    qos: qosOf(flags) as Will['qos'],
    retain: (flags & FLAG.WILL_RETAIN) !== 0,
    properties: properties ?? {},
  };
}

/** "The remaining length takes precedence over the flag" of user name and password in MQTT 3.1 (its 3.1): there may be none. */
function has(reader: Reader, flags: number, flag: number): boolean {
  return (flags & flag) !== 0 && (reader.level > 3 || reader.left > 0);
}

function qosOf(flags: number): number {
  return (flags >> 3) & 3;
}
