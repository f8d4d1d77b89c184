import fc from 'fast-check';
import type { ClientPacket, Publish, ServerPacket } from '../../../src/mqtt/wire/packets.js';
import { hasUnfitCharacter } from '../../../src/mqtt/wire/text.js';

const flag = fc.boolean();
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const id = fc.integer({ min: 1, max: 0xffff });
const binary = fc.uint8Array({ maxLength: 200, size: 'max' });
/** All four lengths of a variable byte integer come up. */
const varint = fc
  .oneof(fc.nat(200), fc.nat(0x4100), fc.nat(0x20_1000), fc.nat(268_435_455))
  .map((n) => Math.max(1, n));
const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((value) => !value.includes('\0'));
const name = text.filter((value) => !hasUnfitCharacter(value));
const topic = name.map((value) => value.replace(/[+#]/g, '/')).filter((value) => value.length > 0);
const filter = fc.oneof(
  topic,
  topic.map((value) => `${value}/+/#`),
  topic.map((value) => `$share/group/${value}`),
);
const qos = fc.constantFrom<0 | 1 | 2>(0, 1, 2);
const userProperties = fc
  .uniqueArray(fc.tuple(fc.stringMatching(/^[a-z]{1,9}$/), text), {
    minLength: 1,
    maxLength: 4,
    selector: ([key]) => key,
  })
  .map((pairs): [string, string][] => pairs);

/** Every property is there or not. */
function some<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;
}

const message = {
  payloadFormat: fc.constantFrom<0 | 1>(0, 1),
  messageExpiry: u32,
  contentType: text,
  responseTopic: topic,
  correlationData: binary,
  userProperties,
};
const answer = { reasonString: text, userProperties };

function publish(v5: boolean, more: object): fc.Arbitrary<Publish> {
  return fc
    .record({
      type: fc.constant('publish'),
      dup: flag,
      qos,
      retain: flag,
      topic,
      id,
      payload: binary,
      properties: v5 ? some({ ...message, ...more }) : fc.constant(undefined),
    })
    .map((packet) => {
      const { qos, properties } = packet;
      const none = properties === undefined || Object.keys(properties).length === 0;
      const plain = { ...packet, properties: none ? undefined : properties } as Publish;
      return qos === 0 ? { ...plain, id: 0, dup: false } : plain;
    });
}

function acknowledgement(v5: boolean) {
  const code = v5 ? fc.constantFrom(0, 0x92) : fc.constant(0);
  return fc.oneof(
    ...(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const).map((type) =>
      fc.record({
        type: fc.constant(type),
        id,
        code: type === 'puback' || type === 'pubrec' ? code.map((c) => (c === 0 ? 0 : 0x97)) : code,
        properties: v5 ? some(answer) : fc.constant({}),
      }),
    ),
  );
}

export function clientPacket(v5: boolean): fc.Arbitrary<ClientPacket> {
  const properties = <T extends object>(fields: T) => (v5 ? some(fields as never) : fc.constant({}));
  const will = fc.option(
    fc.record({
      topic,
      payload: binary,
      qos,
      retain: flag,
      properties: properties({ ...message, willDelay: u32 }),
    }),
    { nil: undefined },
  );
  const connect = fc
    .record({
      type: fc.constant('connect'),
      level: fc.constant(v5 ? 5 : 4),
      bridge: fc.constant(false),
      clientId: name.map((value) => `c${value}`),
      cleanStart: flag,
      keepAlive: u16,
      will,
      username: fc.option(name, { nil: undefined }),
      password: fc.option(binary, { nil: undefined }),
      properties: properties({
        sessionExpiry: u32,
        receiveMaximum: id,
        maximumPacketSize: u32.map((value) => Math.max(1, value)),
        topicAliasMaximum: u16,
        requestResponseInformation: flag,
        requestProblemInformation: flag,
        userProperties,
      }),
    })
    .map((packet) => (packet.username === undefined ? { ...packet, password: undefined } : packet));
  const subscription = fc.record({
    filter: filter.filter((value) => !value.startsWith('$share')),
    qos,
    noLocal: v5 ? flag : fc.constant(false),
    retainAsPublished: v5 ? flag : fc.constant(false),
    retainHandling: v5 ? qos : fc.constant(0),
  });
  return fc.oneof(
    connect,
    publish(v5, { topicAlias: id }),
    acknowledgement(v5),
    fc.record({
      type: fc.constant('subscribe'),
      id,
      subscriptions: fc.array(subscription, { minLength: 1, maxLength: 5 }),
      properties: properties({ subscriptionIdentifier: varint, userProperties }),
    }),
    fc.record({
      type: fc.constant('unsubscribe'),
      id,
      filters: fc.array(filter, { minLength: 1, maxLength: 5 }),
      properties: properties({ userProperties }),
    }),
    fc.constant({ type: 'pingreq' }),
    fc.record({
      type: fc.constant('disconnect'),
      code: v5 ? fc.constantFrom(0, 4, 0x80, 0x99) : fc.constant(0),
      properties: properties({ ...answer, sessionExpiry: u32 }),
    }),
  ) as fc.Arbitrary<ClientPacket>;
}

export function serverPacket(v5: boolean): fc.Arbitrary<ServerPacket> {
  const properties = <T extends object>(fields: T) => (v5 ? some(fields as never) : fc.constant({}));
  const codes = (known: number[]) => fc.array(fc.constantFrom(...known), { minLength: 1, maxLength: 5 });
  return fc.oneof(
    fc
      .record({
        type: fc.constant('connack'),
        sessionPresent: flag,
        code: v5 ? fc.constantFrom(0, 0x80, 0x87) : fc.constantFrom(0, 1, 5),
        properties: properties({
          ...answer,
          sessionExpiry: u32,
          receiveMaximum: id,
          maximumQos: fc.constantFrom(0, 1),
          retainAvailable: flag,
          maximumPacketSize: varint,
          assignedClientId: text,
          topicAliasMaximum: u16,
          wildcardSubscriptionAvailable: flag,
          subscriptionIdentifiersAvailable: flag,
          sharedSubscriptionAvailable: flag,
          serverKeepAlive: u16,
          responseInformation: text,
          serverReference: text,
          authenticationMethod: text,
          authenticationData: binary,
        }),
      })
      .map((packet) => (packet.code === 0 ? packet : { ...packet, sessionPresent: false })),
    publish(v5, {
      topicAlias: id,
      subscriptionIdentifiers: fc.array(varint, { minLength: 1, maxLength: 3 }),
    }),
    acknowledgement(v5),
    fc.record({
      type: fc.constant('suback'),
      id,
      codes: codes(v5 ? [0, 1, 2, 0x87, 0x97] : [0, 1, 2, 0x80]),
      properties: properties(answer),
    }),
    fc.record({
      type: fc.constant('unsuback'),
      id,
      codes: v5 ? codes([0, 0x11, 0x87]) : fc.constant([]),
      properties: properties(answer),
    }),
    fc.constant({ type: 'pingresp' }),
    ...(v5
      ? [
          fc.record({
            type: fc.constant('disconnect'),
            code: fc.constantFrom(0, 0x81, 0x8e),
            properties: properties({ ...answer, serverReference: text }),
          }),
        ]
      : []),
  ) as fc.Arbitrary<ServerPacket>;
}
