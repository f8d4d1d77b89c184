import { describe, expect, it } from 'vitest';
import type { ProtocolLevel } from '../../../src/mqtt/wire/packets.js';
import { bytes, varint } from '../bytes.js';
import { connected, fresh, MAX_PACKET, readAll } from './parsing.js';

const BOTH: readonly ProtocolLevel[] = [4, 5];
const view = (text: string): Uint8Array => Uint8Array.from(bytes(text));

/** [clause, levels, what is sent, what is read] */
type Case = readonly [clause: string, levels: readonly ProtocolLevel[], packet: string, read: object];

const publish = {
  type: 'publish',
  dup: false,
  qos: 0,
  retain: false,
  topic: 'a/b',
  id: 0,
  properties: undefined,
};
const request = { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 };

const CASES: readonly Case[] = [
  ['3.3', [3, 4], `30 ( "a/b" 'hello' )`, { ...publish, payload: view("'hello'") }],
  ['3.3', [5], `30 ( "a/b" ( ) 'hello' )`, { ...publish, payload: view("'hello'") }],
  ['3.3.3', [3, 4], '30 ( "a/b" )', { ...publish, payload: view('') }],
  ['3.3.3', [5], '30 ( "a/b" ( ) )', { ...publish, payload: view('') }],
  ['MQTT-3.3.1-5', [4], `31 ( "a/b" 'x' )`, { ...publish, retain: true, payload: view("'x'") }],
  ['3.3.2.2', [4], `32 ( "a/b" 0001 'x' )`, { ...publish, qos: 1, id: 1, payload: view("'x'") }],
  ['3.3.2.2', [5], `32 ( "a/b" ffff ( ) 'x' )`, { ...publish, qos: 1, id: 65_535, payload: view("'x'") }],
  [
    'MQTT-3.3.1-1',
    [4],
    `3d ( "a/b" 1234 'x' )`,
    { ...publish, qos: 2, dup: true, retain: true, id: 0x1234, payload: view("'x'") },
  ],
  ['3.1: 2.1', [3], `38 ( "a/b" 'x' )`, { ...publish, dup: true, payload: view("'x'") }],
  ['MQTT-1.5.4-3', [4], `30 ( 0004 'a' efbbbf )`, { ...publish, topic: 'a\ufeff', payload: view('') }],
  ['MQTT-1.5.4-3', [4], `30 ( 0004 efbbbf 'a' )`, { ...publish, topic: '\ufeffa', payload: view('') }],
  [
    '1.5.4',
    [4, 5],
    `32 ( 0005 'A' f0aa9b94 0007 [ ] )`,
    { ...publish, topic: 'A\u{2a6d4}', qos: 1, id: 7, payload: view('') },
  ],
  [
    '4.7.1',
    BOTH,
    `32 ( "/a//b/" 0007 [ ] )`,
    { ...publish, topic: '/a//b/', qos: 1, id: 7, payload: view('') },
  ],
  [
    '3.3.2.3',
    [5],
    `30 ( "a/b" ( 01 01 02 0000000a 03 "text" 08 "re/ply" 09 0002 00ff 23 0001 26 "k" "v" 26 "k" "" ) 'x' )`,
    {
      ...publish,
      payload: view("'x'"),
      properties: {
        payloadFormat: 1,
        messageExpiry: 10,
        contentType: 'text',
        responseTopic: 're/ply',
        correlationData: view('00ff'),
        topicAlias: 1,
        userProperties: [
          ['k', 'v'],
          ['k', ''],
        ],
      },
    },
  ],
  [
    '3.3.2.3.4',
    [5],
    '30 ( 0000 ( 23 000a ) )',
    { ...publish, topic: '', payload: view(''), properties: { topicAlias: 10 } },
  ],

  ['3.4', BOTH, '40 ( 0001 )', { type: 'puback', id: 1, code: 0, properties: {} }],
  ['3.4.2.1', [5], '40 ( 0001 10 )', { type: 'puback', id: 1, code: 0x10, properties: {} }],
  [
    '3.4.2.2',
    [5],
    '40 ( 0001 83 ( 1f "no" ) )',
    { type: 'puback', id: 1, code: 0x83, properties: { reasonString: 'no' } },
  ],
  ['3.5', BOTH, '50 ( 0102 )', { type: 'pubrec', id: 258, code: 0, properties: {} }],
  ['3.5', [5], '50 ( 0102 97 ( ) )', { type: 'pubrec', id: 258, code: 0x97, properties: {} }],
  ['MQTT-3.6.1-1', BOTH, '62 ( 0102 )', { type: 'pubrel', id: 258, code: 0, properties: {} }],
  ['3.1: 3.6', [3], '6a ( 0102 )', { type: 'pubrel', id: 258, code: 0, properties: {} }],
  ['3.6', [5], '62 ( 0102 92 )', { type: 'pubrel', id: 258, code: 0x92, properties: {} }],
  ['3.7', BOTH, '70 ( 0102 )', { type: 'pubcomp', id: 258, code: 0, properties: {} }],
  [
    '3.7',
    [5],
    '70 ( 0102 92 ( 26 "a" "b" ) )',
    { type: 'pubcomp', id: 258, code: 0x92, properties: { userProperties: [['a', 'b']] } },
  ],

  [
    '3.8',
    [4],
    '82 ( 0001 "a/b" 01 )',
    { type: 'subscribe', id: 1, properties: {}, subscriptions: [{ ...request, filter: 'a/b', qos: 1 }] },
  ],
  [
    '3.1: 3.8',
    [3],
    '8a ( 0001 "a/b" fd )',
    { type: 'subscribe', id: 1, properties: {}, subscriptions: [{ ...request, filter: 'a/b', qos: 1 }] },
  ],
  [
    '3.8.3',
    [4],
    '82 ( 0001 "a/b" 01 "+/#" 02 "$share/g/#" 00 )',
    {
      type: 'subscribe',
      id: 1,
      properties: {},
      subscriptions: [
        { ...request, filter: 'a/b', qos: 1 },
        { ...request, filter: '+/#', qos: 2 },
        { ...request, filter: '$share/g/#' },
      ],
    },
  ],
  [
    '3.8.3.1',
    [5],
    '82 ( 0001 ( 0b ffffff7f 26 "k" "v" ) "a" 2e "b" 15 )',
    {
      type: 'subscribe',
      id: 1,
      properties: { subscriptionIdentifier: 268_435_455, userProperties: [['k', 'v']] },
      subscriptions: [
        { filter: 'a', qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 },
        { filter: 'b', qos: 1, noLocal: true, retainAsPublished: false, retainHandling: 1 },
      ],
    },
  ],
  [
    '3.10',
    [4],
    'a2 ( 0001 "a" "b/#" )',
    { type: 'unsubscribe', id: 1, properties: {}, filters: ['a', 'b/#'] },
  ],
  [
    '3.10',
    [5],
    'a2 ( 0001 ( 26 "k" "v" ) "a" )',
    { type: 'unsubscribe', id: 1, properties: { userProperties: [['k', 'v']] }, filters: ['a'] },
  ],
  ['3.12', BOTH, 'c0 ( )', { type: 'pingreq' }],
  ['3.14', BOTH, 'e0 ( )', { type: 'disconnect', code: 0, properties: {} }],
  ['3.14.2.1', [5], 'e0 ( 04 )', { type: 'disconnect', code: 4, properties: {} }],
  [
    '3.14.2.2',
    [5],
    'e0 ( 82 ( 11 0000003c 1f "why" 1c "there" 26 "k" "v" ) )',
    {
      type: 'disconnect',
      code: 0x82,
      properties: {
        sessionExpiry: 60,
        reasonString: 'why',
        serverReference: 'there',
        userProperties: [['k', 'v']],
      },
    },
  ],
];

const plain = {
  type: 'connect',
  level: 4,
  bridge: false,
  clientId: 'c',
  cleanStart: true,
  keepAlive: 10,
  will: undefined,
  username: undefined,
  password: undefined,
  properties: {},
};

const CONNECTS: readonly (readonly [clause: string, packet: string, read: object])[] = [
  ['3.1', '10 ( "MQIsdp" 03 02 000a "c" )', { ...plain, level: 3 }],
  ['3.1: any flags', '1f ( "MQIsdp" 03 02 000a "c" )', { ...plain, level: 3 }],
  ['3.1: no will', '10 ( "MQIsdp" 03 3b 000a "c" )', { ...plain, level: 3 }],
  ['3.1: no user name', '10 ( "MQIsdp" 03 c2 000a "c" )', { ...plain, level: 3 }],
  ['3.1: no password', '10 ( "MQIsdp" 03 c2 000a "c" "me" )', { ...plain, level: 3, username: 'me' }],
  ['3.1.1', '10 ( "MQTT" 04 02 000a "c" )', plain],
  ['a bridge of mosquitto', '10 ( "MQTT" 84 02 000a "c" )', { ...plain, bridge: true }],
  ['5', '10 ( "MQTT" 05 02 000a ( ) "c" )', { ...plain, level: 5 }],
  ['3.1.1: MQTT-3.1.3-6', '10 ( "MQTT" 04 02 000a 0000 )', { ...plain, clientId: '' }],
  [
    'MQTT-3.1.3-6',
    '10 ( "MQTT" 05 00 000a ( ) 0000 )',
    { ...plain, level: 5, cleanStart: false, clientId: '' },
  ],
  [
    '3.1.3',
    '10 ( "MQTT" 04 c2 ffff "c" "me" 0003 00ff00 )',
    { ...plain, keepAlive: 65_535, username: 'me', password: view('00ff00') },
  ],
  ['3.1.3.5', '10 ( "MQTT" 04 82 000a "c" 0000 )', { ...plain, username: '' }],
  [
    '3.1.2.9: MQTT 5',
    '10 ( "MQTT" 05 42 000a ( ) "c" "pw" )',
    { ...plain, level: 5, password: view("'pw'") },
  ],
  [
    'MQTT-3.1.2-9',
    `10 ( "MQTT" 04 36 000a "c" "gone" "bye" )`,
    { ...plain, will: { topic: 'gone', payload: view("'bye'"), qos: 2, retain: true, properties: {} } },
  ],
  [
    '3.1.3.2',
    '10 ( "MQTT" 05 0e 000a ( ) "c" ( 01 00 02 00000001 03 "t" 08 "r" 09 0000 18 00000005 26 "k" "v" ) "gone" 0000 )',
    {
      ...plain,
      level: 5,
      will: {
        topic: 'gone',
        payload: view(''),
        qos: 1,
        retain: false,
        properties: {
          payloadFormat: 0,
          messageExpiry: 1,
          contentType: 't',
          responseTopic: 'r',
          correlationData: view(''),
          willDelay: 5,
          userProperties: [['k', 'v']],
        },
      },
    },
  ],
  [
    '3.1.2.11',
    '10 ( "MQTT" 05 00 000a ( 11 ffffffff 21 0001 27 00000001 22 ffff 19 01 17 00 26 "k" "v" 15 "m" 16 0001 07 ) "c" )',
    {
      ...plain,
      level: 5,
      cleanStart: false,
      properties: {
        sessionExpiry: 0xffff_ffff,
        receiveMaximum: 1,
        maximumPacketSize: 1,
        topicAliasMaximum: 65_535,
        requestResponseInformation: true,
        requestProblemInformation: false,
        userProperties: [['k', 'v']],
        authenticationMethod: 'm',
        authenticationData: view('07'),
      },
    },
  ],
];

describe('what a client says', () => {
  it.each(CONNECTS)('CONNECT %s: %s', (_clause, packet, read) => {
    expect(readAll(fresh(), bytes(packet))).toEqual([read]);
  });

  const cases = CASES.flatMap(([clause, levels, packet, read]) =>
    levels.map((level) => [clause, level, packet, read] as const),
  );
  it.each(cases)('%s, level %i: %s', (_clause, level, packet, read) => {
    expect(readAll(connected(level), bytes(packet, level))).toEqual([read]);
  });

  it('comes as it was sent, however it was cut', () => {
    const stream = Buffer.concat([
      bytes(CONNECTS.find(([clause]) => clause === '3.1.2.11')?.[1] as string),
      ...CASES.filter(([, levels]) => levels.includes(5)).map(([, , packet]) => bytes(packet)),
    ]);
    const whole = readAll(fresh(), stream);
    expect(whole).toHaveLength(1 + CASES.filter(([, levels]) => levels.includes(5)).length);
    for (const size of [1, 2, 3, 7, 50]) {
      const parser = fresh();
      const packets = [];
      for (let at = 0; at < stream.length; at += size)
        packets.push(...readAll(parser, stream.subarray(at, at + size)));
      expect(packets).toEqual(whole);
      expect(parser.unfinished).toBe(false);
    }
  });

  it('may wait while more comes', () => {
    const parser = connected(4);
    parser.push(bytes(`30 ( "a" '1' ) 30 ( "a" '2' )`));
    const first = parser.next();
    parser.push(bytes(`30 ( "a" '3' ) 30 ( "a" '4' )`).subarray(0, 8));
    const rest = [];
    for (let packet = parser.next(); packet; packet = parser.next()) rest.push(packet);
    const payloads = [first, ...rest].map(
      (packet) => packet?.type === 'publish' && packet.payload.toString(),
    );
    expect(payloads).toEqual(['1', '2', '3']);
    expect(parser.unfinished).toBe(true);
  });

  it('has payloads of any size, in chunks of any size', () => {
    const payload = Buffer.alloc(MAX_PACKET - 7, 'x');
    const packet = Buffer.concat([bytes('30'), varint(payload.length + 3), bytes('"a"'), payload]);
    expect(packet).toHaveLength(MAX_PACKET);
    const parser = connected(4);
    const packets = [];
    for (let at = 0; at < packet.length; at += 11)
      packets.push(...readAll(parser, packet.subarray(at, at + 11)));
    expect(packets).toEqual([{ ...publish, topic: 'a', payload: Uint8Array.from(payload) }]);
  });

  it('has payloads that are views of what was read', () => {
    const parser = connected(4);
    const chunk = bytes(`30 ( "a" 'hello' )`);
    parser.push(chunk);
    const packet = parser.next();
    if (packet?.type !== 'publish') throw new Error('no PUBLISH');
    expect(packet.payload.buffer).toBe(chunk.buffer);
  });

  it('may have its lengths longer than they need to be in 3.1.1', () => {
    expect(readAll(connected(4), bytes('c0 8000'))).toEqual([{ type: 'pingreq' }]);
    expect(readAll(connected(4), bytes(`30 84808000 "a" 'x'`))).toMatchObject([{ topic: 'a' }]);
  });
});
