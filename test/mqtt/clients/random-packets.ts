import { generate, type Packet } from 'mqtt-packet';
import type { Random } from '../../support/random.js';

const TOPICS = [
  'a',
  'a/b',
  'a/b/c',
  'a//',
  '/',
  'b',
  '$slipway/x',
  '$slipway/broadcast',
  '\u00e9/\u{1f600}',
  'x'.repeat(300),
];
const FILTERS = ['a', 'a/+', 'a/#', '+/b', '/', '$share/g/a/#', '$share/h/+', '$slipway/#', 'b/+/c'];
/** Few, so that they meet those that are in use. */
const IDS = 8;
const ACKNOWLEDGEMENTS = ['puback', 'pubrec', 'pubrel', 'pubcomp'] as const;

/** A CONNECT, as a client might send it. */
export function randomConnect(random: Random, level: 4 | 5): Buffer {
  const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1 as const, retain: random.chance(0.2) };
  return generate(
    {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: level,
      // Some take over from others, some come back to a session.
      clientId: `hostile-${random.below(20)}`,
      // In 3.1.1 such a session does not expire.
      clean: level === 4 || random.chance(0.5),
      keepalive: random.below(100),
      ...(random.chance(0.2) && { will }),
      ...(level === 5 && {
        properties: {
          sessionExpiryInterval: random.below(3),
          receiveMaximum: 1 + random.below(20),
          topicAliasMaximum: random.below(5),
          maximumPacketSize: 20 + random.below(2000),
        },
      }),
    },
    { protocolVersion: level },
  );
}

/** A packet that a client might send, but for its sense: nearly always well-formed. */
export function randomPacket(random: Random, level: 4 | 5): Buffer {
  const packet = generate(randomContent(random, level), { protocolVersion: level });
  if (random.chance(0.998)) return packet;
  return random.chance(0.5) ? damaged(packet, random) : Buffer.from(random.bytes(2 + random.below(40)));
}

function randomContent(random: Random, level: 4 | 5): Packet {
  const pick = <T>(items: readonly T[]): T => items[random.below(items.length)] as T;
  const messageId = 1 + random.below(IDS);
  const kind = random.next();
  if (kind < 0.75) {
    const qos = pick([0, 0, 1, 2] as const);
    return {
      cmd: 'publish',
      topic: pick(TOPICS),
      payload: Buffer.from(random.bytes(random.below(60))),
      qos,
      dup: qos > 0 && random.chance(0.2),
      retain: random.chance(0.1),
      ...(qos > 0 && { messageId }),
      ...(level === 5 &&
        random.chance(0.3) && {
          properties: { topicAlias: 1 + random.below(4), messageExpiryInterval: random.below(3) },
        }),
    };
  }
  if (kind < 0.77) return { cmd: pick(ACKNOWLEDGEMENTS), messageId };
  if (kind < 0.8) {
    const topic = pick(FILTERS);
    const qos = pick([0, 1, 2] as const);
    return {
      cmd: 'subscribe',
      messageId,
      subscriptions: [{ topic, qos, nl: !topic.startsWith('$share') && random.chance(0.3) }],
    };
  }
  if (kind < 0.85) return { cmd: 'unsubscribe', messageId, unsubscriptions: [pick(FILTERS)] };
  return { cmd: 'pingreq' };
}

function damaged(packet: Buffer, random: Random): Buffer {
  const copy = Buffer.from(packet);
  for (let i = 0; i <= random.below(3); i++) copy[random.below(copy.length)] = random.below(256);
  return copy;
}
