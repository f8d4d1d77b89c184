import mqttPacket, { type Packet } from 'mqtt-packet';
import type { ClientPacket, ProtocolLevel, ServerPacket } from '../../../src/mqtt/wire/packets.js';

/** What `mqtt-packet` calls the properties that have another name there. */
const NAMES: Readonly<Record<string, string>> = {
  sessionExpiry: 'sessionExpiryInterval',
  messageExpiry: 'messageExpiryInterval',
  willDelay: 'willDelayInterval',
  payloadFormat: 'payloadFormatIndicator',
  subscriptionIdentifiers: 'subscriptionIdentifier',
  maximumQos: 'maximumQoS',
  assignedClientId: 'assignedClientIdentifier',
};

function properties(ours: object | undefined): Record<string, unknown> | undefined {
  const entries = Object.entries(ours ?? {}).map(([key, value]) => [NAMES[key] ?? key, theirs(key, value)]);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function theirs(key: string, value: unknown): unknown {
  if (key === 'userProperties') return Object.fromEntries(value as [string, string][]);
  if (key === 'payloadFormat') return value === 1;
  if (key === 'subscriptionIdentifiers')
    return (value as number[]).length === 1 ? (value as number[])[0] : value;
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}

/** The packet as `mqtt-packet` has it. What it has none of is undefined. */
export function asReference(packet: ClientPacket | ServerPacket, level: ProtocolLevel): Packet {
  return withoutUndefined(fields(packet, level)) as unknown as Packet;
}

function fields(packet: ClientPacket | ServerPacket, level: ProtocolLevel): object {
  const v5 = level === 5;
  switch (packet.type) {
    case 'connect': {
      const { will, password } = packet;
      return {
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: packet.level,
        clientId: packet.clientId,
        clean: packet.cleanStart,
        keepalive: packet.keepAlive,
        username: packet.username,
        password: password && Buffer.from(password),
        properties: properties(packet.properties),
        will: will && {
          ...will,
          payload: Buffer.from(will.payload),
          properties: properties(will.properties),
        },
      };
    }
    case 'connack':
      return {
        cmd: 'connack',
        sessionPresent: packet.sessionPresent,
        ...(v5 ? { reasonCode: packet.code } : { returnCode: packet.code }),
        properties: properties(packet.properties),
      };
    case 'publish': {
      const { dup, qos, retain, topic, id, payload } = packet;
      const messageId = qos > 0 ? id : undefined;
      return {
        cmd: 'publish',
        dup,
        qos,
        retain,
        topic,
        messageId,
        payload: Buffer.from(payload),
        properties: properties(packet.properties),
      };
    }
    case 'subscribe':
      return {
        cmd: 'subscribe',
        messageId: packet.id,
        subscriptions: packet.subscriptions.map(
          ({ filter, qos, noLocal, retainAsPublished, retainHandling }) => ({
            topic: filter,
            qos,
            ...(v5 ? { nl: noLocal, rap: retainAsPublished, rh: retainHandling } : {}),
          }),
        ),
        properties: properties(packet.properties),
      };
    case 'unsubscribe':
      return {
        cmd: 'unsubscribe',
        messageId: packet.id,
        unsubscriptions: packet.filters,
        properties: properties(packet.properties),
      };
    case 'suback':
    case 'unsuback':
      return {
        cmd: packet.type,
        messageId: packet.id,
        granted: packet.type === 'suback' || v5 ? packet.codes : undefined,
        properties: properties(packet.properties),
      };
    case 'pingreq':
    case 'pingresp':
      return { cmd: packet.type };
    case 'disconnect':
      return {
        cmd: 'disconnect',
        reasonCode: v5 ? packet.code : undefined,
        properties: properties(packet.properties),
      };
    default:
      return {
        cmd: packet.type,
        messageId: packet.id,
        reasonCode: v5 ? packet.code : undefined,
        properties: properties(packet.properties),
      };
  }
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}

/** All that `mqtt-packet` reads in it. @throws Error as it does */
export function readByReference(chunk: Uint8Array, level: ProtocolLevel): Packet[] {
  const packets: Packet[] = [];
  const parser = mqttPacket.parser({ protocolVersion: level });
  parser.on('packet', (packet) => packets.push(packet));
  parser.on('error', (error: unknown) => {
    throw error;
  });
  parser.parse(Buffer.from(chunk));
  return packets;
}

export function writtenByReference(packet: Packet, level: ProtocolLevel): Buffer {
  return mqttPacket.generate(packet, { protocolVersion: level });
}
