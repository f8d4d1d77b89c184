import { describe, expect, it } from 'vitest';
import { encode } from '../../../src/mqtt/wire/encode.js';
import { encodePublish } from '../../../src/mqtt/wire/encode-publish.js';
import type { ProtocolLevel, Publish, ServerPacket } from '../../../src/mqtt/wire/packets.js';
import { REASON, RETURN_CODE, returnCodeOf } from '../../../src/mqtt/wire/reason-codes.js';
import { bytes, hex } from '../bytes.js';

const BOTH: readonly ProtocolLevel[] = [4, 5];
const view = (text: string): Uint8Array => bytes(text);
const publish: Publish = {
  type: 'publish',
  dup: false,
  qos: 0,
  retain: false,
  topic: 'a/b',
  id: 0,
  payload: view("'hello'"),
  properties: undefined,
};
const connack = { type: 'connack', sessionPresent: false, code: 0, properties: {} } as const;
const words = { reasonString: 'why', userProperties: [['k', 'v']] } as const;

const CASES: readonly (readonly [
  clause: string,
  levels: readonly ProtocolLevel[],
  packet: ServerPacket,
  bytes: string,
])[] = [
  ['3.2', [3, ...BOTH], connack, '20 ( 00 00 [ ] )'],
  ['MQTT-3.2.2-2', BOTH, { ...connack, sessionPresent: true }, '20 ( 01 00 [ ] )'],
  ['MQTT-3.2.2-6', [4], { ...connack, sessionPresent: true, code: 5 }, '20 ( 00 05 )'],
  ['MQTT-3.2.2-6', [5], { ...connack, sessionPresent: true, code: 0x87 }, '20 ( 00 87 ( ) )'],
  [
    '3.2.2.3',
    [5],
    {
      ...connack,
      properties: {
        sessionExpiry: 60,
        receiveMaximum: 20,
        maximumQos: 1,
        retainAvailable: false,
        maximumPacketSize: 1_048_576,
        assignedClientId: 'made-up',
        topicAliasMaximum: 10,
        reasonString: 'why',
        userProperties: [['k', 'v']],
        wildcardSubscriptionAvailable: true,
        subscriptionIdentifiersAvailable: false,
        sharedSubscriptionAvailable: true,
        serverKeepAlive: 120,
        responseInformation: 'r',
        serverReference: 's',
        authenticationMethod: 'm',
        authenticationData: view('00'),
      },
    },
    `20 ( 00 00 ( 11 0000003c 12 "made-up" 13 0078 15 "m" 16 0001 00 1a "r" 1c "s" 1f "why" 21 0014 22 000a 24 01 25 00 26 "k" "v"
       27 00100000 28 01 29 00 2a 01 ) )`,
  ],
  [
    '3.1.1 has no properties',
    [3, 4],
    { ...connack, properties: { receiveMaximum: 20, ...words } },
    '20 ( 00 00 )',
  ],

  ['3.3', [3, ...BOTH], publish, `30 ( "a/b" [ ] 'hello' )`],
  ['MQTT-3.3.1-8', BOTH, { ...publish, retain: true, payload: view('') }, '31 ( "a/b" [ ] )'],
  ['3.3.2.2', BOTH, { ...publish, qos: 1, id: 1 }, `32 ( "a/b" 0001 [ ] 'hello' )`],
  ['MQTT-3.3.1-1', BOTH, { ...publish, qos: 2, dup: true, id: 65_535 }, `3c ( "a/b" ffff [ ] 'hello' )`],
  ['1.5.4', BOTH, { ...publish, topic: 'A\u{2a6d4}é' }, `30 ( 0007 'A' f0aa9b94 c3a9 [ ] 'hello' )`],
  ['MQTT-1.5.4-3', BOTH, { ...publish, topic: '\ufeffa' }, `30 ( 0004 efbbbf 'a' [ ] 'hello' )`],
  ['3.3.2.3', [5], { ...publish, properties: {} }, `30 ( "a/b" ( ) 'hello' )`],
  ['3.3.2.3', [4], { ...publish, properties: { contentType: 't' } }, `30 ( "a/b" 'hello' )`],
  [
    '3.3.2.3',
    [5],
    {
      ...publish,
      properties: {
        payloadFormat: 0,
        messageExpiry: 0xffff_ffff,
        topicAlias: 3,
        responseTopic: 'r',
        correlationData: view('0102'),
        userProperties: [
          ['b', '1'],
          ['a', ''],
          ['b', '1'],
        ],
        subscriptionIdentifiers: [1, 128, 268_435_455],
        contentType: '',
      },
    },
    `30 ( "a/b" ( 01 00 02 ffffffff 03 0000 08 "r" 09 0002 0102 0b 01 0b 8001 0b ffffff7f 23 0003 26 "b" "1" 26 "a" 0000 26 "b" "1" ) 'hello' )`,
  ],
  [
    '3.3.2.3.4',
    [5],
    { ...publish, topic: '', properties: { topicAlias: 3 } },
    `30 ( 0000 ( 23 0003 ) 'hello' )`,
  ],

  ['3.4.2.1', BOTH, { type: 'puback', id: 1, code: 0, properties: {} }, '40 ( 0001 )'],
  ['3.4.2.1', [5], { type: 'puback', id: 1, code: 0x10, properties: {} }, '40 ( 0001 10 )'],
  ['3.4.2.1', [4], { type: 'puback', id: 1, code: 0x87, properties: words }, '40 ( 0001 )'],
  [
    '3.4.2.2',
    [5],
    { type: 'puback', id: 1, code: 0x87, properties: words },
    '40 ( 0001 87 ( 1f "why" 26 "k" "v" ) )',
  ],
  [
    '3.4.2.2',
    [5],
    { type: 'puback', id: 1, code: 0, properties: { reasonString: 'ok' } },
    '40 ( 0001 00 ( 1f "ok" ) )',
  ],
  ['3.5', BOTH, { type: 'pubrec', id: 258, code: 0, properties: {} }, '50 ( 0102 )'],
  ['3.5', [5], { type: 'pubrec', id: 258, code: 0x97, properties: {} }, '50 ( 0102 97 )'],
  ['MQTT-3.6.1-1', BOTH, { type: 'pubrel', id: 258, code: 0, properties: {} }, '62 ( 0102 )'],
  ['3.6', [5], { type: 'pubrel', id: 258, code: 0x92, properties: {} }, '62 ( 0102 92 )'],
  ['3.7', BOTH, { type: 'pubcomp', id: 258, code: 0, properties: {} }, '70 ( 0102 )'],
  ['3.7', [5], { type: 'pubcomp', id: 258, code: 0x92, properties: {} }, '70 ( 0102 92 )'],

  ['3.9', BOTH, { type: 'suback', id: 1, codes: [0, 1, 2], properties: {} }, '90 ( 0001 [ ] 00 01 02 )'],
  [
    'MQTT-3.9.3-2',
    [3, 4],
    { type: 'suback', id: 1, codes: [1, 0x87, 0x80, 0x97], properties: {} },
    '90 ( 0001 01 80 80 80 )',
  ],
  [
    '3.9.3',
    [5],
    { type: 'suback', id: 1, codes: [1, 0x87, 0x8f], properties: words },
    '90 ( 0001 ( 1f "why" 26 "k" "v" ) 01 87 8f )',
  ],
  ['3.1.1: 3.11', [3, 4], { type: 'unsuback', id: 1, codes: [0, 0x11], properties: {} }, 'b0 ( 0001 )'],
  ['3.11.3', [5], { type: 'unsuback', id: 1, codes: [0, 0x11], properties: {} }, 'b0 ( 0001 ( ) 00 11 )'],
  ['3.13', [3, ...BOTH], { type: 'pingresp' }, 'd0 ( )'],
  ['3.14.2.1', [5], { type: 'disconnect', code: 0, properties: {} }, 'e0 ( )'],
  ['3.14.2.1', [5], { type: 'disconnect', code: 0x81, properties: {} }, 'e0 ( 81 )'],
  [
    '3.14.2.2',
    [5],
    { type: 'disconnect', code: 0x9c, properties: { serverReference: 's' } },
    'e0 ( 9c ( 1c "s" ) )',
  ],
];

describe('what a server says', () => {
  const cases = CASES.flatMap(([clause, levels, packet, expected]) =>
    levels.map((level) => [clause, level, packet.type, packet, expected] as const),
  );
  it.each(cases)('[%s] level %i: %s', (_clause, level, _type, packet, expected) => {
    const encoded = encode(packet, level);
    expect(hex(encoded)).toBe(hex(bytes(expected, level)));
  });

  it('has lengths as short as they can be [MQTT-1.5.5-1]', () => {
    for (const [size, length] of [
      [124, '7f'],
      [125, '8001'],
      [16_380, 'ff7f'],
      [16_381, '808001'],
      [2_097_148, 'ffff7f'],
      [2_097_149, '80808001'],
    ] as const) {
      const encoded = encodePublish({ ...publish, topic: 'a', payload: Buffer.alloc(size) }, 4);
      expect(hex(encoded.subarray(0, 1 + length.length / 2))).toBe(`30${length}`);
      expect(encoded).toHaveLength(1 + length.length / 2 + 3 + size);
    }
  });

  it('shares nothing with the packet it was made of', () => {
    const payload = Buffer.from('hello');
    const encoded = encode({ ...publish, payload }, 4);
    payload.fill(0);
    encode({ ...connack, properties: words }, 5);
    expect(hex(encoded)).toBe(hex(bytes(`30 ( "a/b" 'hello' )`)));
  });
});

describe('what a client takes no more of', () => {
  const answer = { type: 'puback', id: 1, code: 0x87, properties: words } as const;

  it.each([
    [19, `40 ( 0001 87 ( 1f "why" 26 "k" "v" ) )`],
    [18, `40 ( 0001 87 ( 1f "why" ) )`],
    [12, '40 ( 0001 87 ( 1f "why" ) )'],
    [11, '40 ( 0001 87 )'],
    [5, '40 ( 0001 87 )'],
  ])('is left out of an answer of %i bytes at most [MQTT-3.4.2-2], [MQTT-3.4.2-3]', (max, expected) => {
    expect(hex(encode(answer, 5, max) ?? Buffer.alloc(0))).toBe(hex(bytes(expected)));
  });

  it('is not sent at all if it does not fit without them [MQTT-3.1.2-24]', () => {
    expect(encode(answer, 5, 4)).toBe(undefined);
    expect(encode({ ...connack, properties: { ...words, receiveMaximum: 9 } }, 5, 5)).toBe(undefined);
    expect(encode({ type: 'pingresp' }, 5, 1)).toBe(undefined);
  });

  it('keeps what is no word of explanation [MQTT-3.2.2-19], [MQTT-3.2.2-20]', () => {
    const encoded = encode({ ...connack, properties: { ...words, receiveMaximum: 9 } }, 5, 9);
    expect(hex(encoded ?? Buffer.alloc(0))).toBe(hex(bytes('20 ( 00 00 ( 21 0009 ) )')));
  });

  it('keeps the user properties of a PUBLISH, which is not sent then [MQTT-3.3.2-17]', () => {
    const full = { ...publish, properties: { userProperties: [['k', 'v']] } } as const;
    const size = encode(full, 5).length;
    expect(encode(full, 5, size)).toHaveLength(size);
    expect(encode(full, 5, size - 1)).toBe(undefined);
  });

  it('is any number of bytes if that is not said', () => {
    expect(encode(answer, 5, undefined)).toHaveLength(19);
  });
});

describe('what MQTT has no bytes for', () => {
  it.each<[string, ServerPacket]>([
    ['packet identifier', { ...publish, qos: 1, id: 0 }],
    ['packet identifier', { ...publish, qos: 1, id: 65_536 }],
    ['packet identifier', { type: 'puback', id: 0, code: 0, properties: {} }],
    ['65,535', { ...publish, topic: 'a'.repeat(65_536) }],
    ['null character', { ...publish, topic: 'a\0b' }],
    ['well-formed', { ...publish, topic: 'a\ud800' }],
    ['well-formed', { ...publish, properties: { userProperties: [['k', '\udfff']] } }],
    ['topicAlias', { ...publish, properties: { topicAlias: 0 } }],
    ['subscriptionIdentifiers', { ...publish, properties: { subscriptionIdentifiers: [268_435_456] } }],
    ['subscriptionIdentifiers', { ...publish, properties: { subscriptionIdentifiers: [0] } }],
    ['messageExpiry', { ...publish, properties: { messageExpiry: -1 } }],
    ['messageExpiry', { ...publish, properties: { messageExpiry: 1.5 } }],
    ['correlationData', { ...publish, properties: { correlationData: Buffer.alloc(65_536) } }],
    ['payloadFormat', { ...publish, properties: { payloadFormat: 2 as 1 } }],
    ['reason code', { type: 'disconnect', code: 256, properties: {} }],
  ])('%s', (problem, packet) => {
    expect(() => encode(packet, 5)).toThrow(expect.objectContaining({ code: 'unencodable' }));
    expect(() => encode(packet, 5)).toThrow(problem);
  });
});

describe('the return codes of 3.1.1', () => {
  it('are there for some reasons, and none for others', () => {
    expect(returnCodeOf(REASON.success)).toBe(0);
    expect(returnCodeOf(REASON.unsupportedProtocolVersion)).toBe(1);
    expect(returnCodeOf(REASON.clientIdentifierNotValid)).toBe(2);
    expect(returnCodeOf(REASON.serverBusy)).toBe(RETURN_CODE.serverUnavailable);
    expect(returnCodeOf(REASON.badUserNameOrPassword)).toBe(4);
    expect(returnCodeOf(REASON.notAuthorized)).toBe(5);
    expect(returnCodeOf(REASON.badAuthenticationMethod)).toBe(undefined);
    expect(returnCodeOf(REASON.protocolError)).toBe(undefined);
  });
});
