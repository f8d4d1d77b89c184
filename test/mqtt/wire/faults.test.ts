import { describe, expect, it } from 'vitest';
import { encode } from '../../../src/mqtt/wire/encode.js';
import type { ProtocolLevel } from '../../../src/mqtt/wire/packets.js';
import { bytes, hex } from '../bytes.js';
import { connected, faultOf, fresh, MAX_CONNECT, MAX_PACKET } from './parsing.js';

/** Text that is none: U+0000, a surrogate, one cut short, one longer than it needs to be, beyond Unicode. */
const NO_TEXT = ['7400', 'eda080', 'c3', 'c0af', 'f4908080'];
/** Control characters and non-characters: names with them are treated as malformed (1.5.4). */
const NO_NAME = ['01', '1f', '7f', 'c280', 'c29f', 'efb790', 'efbfbe', 'efbfbf', 'f09fbfbf'];

function text(value: string): string {
  return `${(value.length / 2).toString(16).padStart(4, '0')} ${value}`;
}

/** [clause, what a client sends, reason code of MQTT 5, the answer]. */
type Fault = readonly [clause: string, packet: string, reason: number, answer?: string];

const CONNECT_FAULTS: readonly Fault[] = [
  // What comes first is no CONNECT: nothing is said.
  ...[
    '00 ( )',
    '20 ( 00 00 )',
    `30 ( "a" 'x' )`,
    '40 ( 0001 )',
    '82 ( 0001 "a" 00 )',
    'c0 ( )',
    'e0 ( )',
    'f0 ( )',
  ].map((packet): Fault => ['MQTT-3.1.0-1', packet, 0x82]),
  // Nor is the rest of it waited for.
  ['MQTT-3.1.0-1', '30 ffffff7f', 0x82],
  ['2.1.4', '10 ffffffff', 0x81],
  ['3.2.2.3.6', '10 ffffff7f', 0x95],
  ['MQTT-3.1.2-1', '10 ( "MQTU" 04 02 0000 "c" )', 0x84],
  ['MQTT-3.1.2-1', '10 ( "MQT" 04 02 0000 "c" )', 0x84],
  ['MQTT-3.1.2-1', '10 ( 0000 04 02 0000 "c" )', 0x84],
  ['MQTT-3.1.2-2', '10 ( "MQTT" 06 02 0000 "c" )', 0x84, '20020001'],
  ['MQTT-3.1.2-2', '10 ( "MQTT" 02 02 0000 "c" )', 0x84, '20020001'],
  ['MQTT-3.1.2-2', '10 ( "MQTT" 03 02 0000 "c" )', 0x84, '20020001'],
  ['MQTT-3.1.2-2', '10 ( "MQTT" 85 02 0000 ( ) "c" )', 0x84, '20020001'],
  ['MQTT-3.1.2-2', '10 ( "MQIsdp" 04 02 0000 "c" )', 0x84, '20020001'],
  ['4.13', '10 ( "MQTT" )', 0x81],

  ['MQTT-2.1.3-1', '11 ( "MQTT" 04 02 0000 "c" )', 0x81],
  ['MQTT-3.1.2-3', '10 ( "MQTT" 04 03 0000 "c" )', 0x81],
  ['MQTT-3.1.2-11', '10 ( "MQTT" 04 0a 0000 "c" )', 0x81],
  ['MQTT-3.1.2-13', '10 ( "MQTT" 04 22 0000 "c" )', 0x81],
  ['MQTT-3.1.2-12', '10 ( "MQTT" 04 1e 0000 "c" "t" "m" )', 0x81],
  ['3.1.1: MQTT-3.1.2-22', '10 ( "MQTT" 04 42 0000 "c" "pw" )', 0x81],
  ['3.1.1: MQTT-3.1.3-8', '10 ( "MQTT" 04 00 0000 0000 )', 0x85, '20020002'],
  ['3.1: an identifier', '10 ( "MQIsdp" 03 02 0000 0000 )', 0x85, '20020002'],
  ['4.13', '10 ( "MQTT" 04 02 0000 )', 0x81],
  ['4.13', '10 ( "MQTT" 04 06 0000 "c" "t" )', 0x81],
  ['4.13', '10 ( "MQTT" 04 82 0000 "c" )', 0x81],
  ['4.13', '10 ( "MQTT" 04 c2 0000 "c" "u" )', 0x81],
  ['4.13', '10 ( "MQTT" 04 02 0000 "c" 00 )', 0x81],
  ['4.13', '10 ( "MQTT" 04 02 0000 0009 "c" )', 0x81],
  ...NO_TEXT.map((no): Fault => ['MQTT-1.5.4-1/2', `10 ( "MQTT" 04 02 0000 ${text(no)} )`, 0x81]),
  ...NO_NAME.map((no): Fault => ['1.5.4', `10 ( "MQTT" 04 02 0000 ${text(no)} )`, 0x81]),
  ...NO_TEXT.map((no): Fault => ['MQTT-3.1.3-11', `10 ( "MQTT" 04 82 0000 "c" ${text(no)} )`, 0x81]),
  ...NO_TEXT.map((no): Fault => ['MQTT-3.1.3-11', `10 ( "MQTT" 04 06 0000 "c" ${text(no)} 0000 )`, 0x81]),
  ['MQTT-4.7.1-1', '10 ( "MQTT" 04 06 0000 "c" "a/#" 0000 )', 0x81],
  ['MQTT-4.7.3-1', '10 ( "MQTT" 04 06 0000 "c" 0000 0000 )', 0x81],

  // MQTT 5 can be told why.
  ['MQTT-2.1.3-1', '12 ( "MQTT" 05 02 0000 ( ) "c" )', 0x81],
  ['MQTT-3.1.2-3', '10 ( "MQTT" 05 03 0000 ( ) "c" )', 0x81, '2003008100'],
  ['MQTT-3.1.2-11', '10 ( "MQTT" 05 0a 0000 ( ) "c" )', 0x81, '2003008100'],
  ['MQTT-3.1.2-13', '10 ( "MQTT" 05 22 0000 ( ) "c" )', 0x81, '2003008100'],
  ['MQTT-3.1.2-12', '10 ( "MQTT" 05 1e 0000 ( ) "c" ( ) "t" "m" )', 0x81, '2003008100'],
  ['2.2.2.1', '10 ( "MQTT" 05 02 0000 7f "c" )', 0x81, '2003008100'],
  ['MQTT-1.5.5-1', '10 ( "MQTT" 05 02 0000 8000 "c" )', 0x81, '2003008100'],
  ['MQTT-1.5.5-1', `10 8f00 "MQTT" 05 02 0000 ( ) "ab"`, 0x81, '2003008100'],
  ['4.13', '10 ( "MQTT" 05 02 0000 ( ) "c" 00 )', 0x81, '2003008100'],
  ['MQTT-4.7.1-1', '10 ( "MQTT" 05 06 0000 ( ) "c" ( ) "+" 0000 )', 0x81, '2003008100'],
  ['3.1.2.11.10', '10 ( "MQTT" 05 02 0000 ( 16 0000 ) "c" )', 0x82, '2003008200'],
  ['3.1.2.11.3', '10 ( "MQTT" 05 02 0000 ( 21 0000 ) "c" )', 0x82, '2003008200'],
  ['3.1.2.11.4', '10 ( "MQTT" 05 02 0000 ( 27 00000000 ) "c" )', 0x82, '2003008200'],
  ['3.1.2.11.6', '10 ( "MQTT" 05 02 0000 ( 19 02 ) "c" )', 0x82, '2003008200'],
  ['3.1.2.11.7', '10 ( "MQTT" 05 02 0000 ( 17 02 ) "c" )', 0x82, '2003008200'],
  ['3.1.3.2.3', '10 ( "MQTT" 05 06 0000 ( ) "c" ( 01 02 ) "t" 0000 )', 0x82, '2003008200'],
  // Text that is none may be no MQTT at all.
  ['MQTT-1.5.4-1', '10 ( "MQTT" 05 02 0000 ( ) 0001 80 )', 0x81],
];

const LATER_FAULTS: readonly Fault[] = [
  ['MQTT-3.1.0-2', '10 ( "MQTT" 04 02 0000 "c" )', 0x82],
  ['2.1.2', '00 ( )', 0x82],
  ...['20 ( 00 00 )', '29 ( 00 01 )', '90 ( 0001 [ ] 00 )', 'b0 ( 0001 )', 'd0 ( )'].map(
    (packet): Fault => ['2.1.2', packet, 0x82],
  ),
  ['2.1.4', '30 ffffffff', 0x81],
  ['3.2.2.3.6', '30 ffffff7f', 0x95],

  ['MQTT-3.3.1-4', `36 ( "a" 0001 [ ] 'x' )`, 0x81],
  ['MQTT-3.3.1-4', '3e ffff7f', 0x81],
  ['MQTT-3.3.1-2', `38 ( "a" [ ] 'x' )`, 0x81],
  ['MQTT-3.3.2-2', `30 ( "a/+" [ ] 'x' )`, 0x81],
  ['MQTT-3.3.2-2', `30 ( "#" [ ] 'x' )`, 0x81],
  ['4.13', '30 ( )', 0x81],
  ['4.13', '30 ( 00 )', 0x81],
  ['4.13', '30 ( 0002 61 )', 0x81],
  ['4.13', '32 ( "a" )', 0x81],
  ['4.13', '32 ( "a" 00 )', 0x81],
  ['MQTT-2.2.1-3', `32 ( "a" 0000 [ ] 'x' )`, 0x82],
  ['MQTT-2.2.1-3', `34 ( "a" 0000 [ ] 'x' )`, 0x82],
  ...[...NO_TEXT, ...NO_NAME].map((no): Fault => ['1.5.4', `30 ( ${text(no)} [ ] 'x' )`, 0x81]),

  ...[
    '41',
    '42',
    '44',
    '48',
    '51',
    '52',
    '60',
    '61',
    '63',
    '66',
    '6a',
    '71',
    '72',
    '80',
    '83',
    '8a',
    'a0',
    'aa',
    'c1',
    'c2',
    'e1',
    'e8',
  ].map((head): Fault => ['MQTT-2.1.3-1', `${head} ( 0001 )`, 0x81]),
  ...['40', '50', '62', '70'].flatMap((head): Fault[] => [
    ['4.13', `${head} ( )`, 0x81],
    ['4.13', `${head} ( 01 )`, 0x81],
    ['MQTT-2.2.1-3', `${head} ( 0000 )`, 0x82],
    ['4.13', `${head} ( 0001 00 00 00 )`, 0x81],
  ]),

  ['4.13', '82 ( )', 0x81],
  ['4.13', '82 ( 00 )', 0x81],
  ['MQTT-2.2.1-3', '82 ( 0000 [ ] "a" 00 )', 0x81],
  ['MQTT-3.8.3-2', '82 ( 0001 [ ] )', 0x82],
  ['4.13', '82 ( 0001 [ ] "a" )', 0x81],
  ['4.13', '82 ( 0001 [ ] "a" 00 00 )', 0x81],
  ['4.13', '82 ( 0001 [ ] "a" 00 0002 "a" )', 0x81],
  ['MQTT-3.8.3-5', '82 ( 0001 [ ] "a" 40 )', 0x81],
  ['MQTT-3.8.3-5', '82 ( 0001 [ ] "a" 80 )', 0x81],
  ['3.8.3.1', '82 ( 0001 [ ] "a" 03 )', 0x82],
  ['MQTT-4.7.3-1', '82 ( 0001 [ ] 0000 00 )', 0x81],
  ['MQTT-4.7.3-1', '82 ( 0001 [ ] "a" 00 0000 00 )', 0x81],
  ...['a#', '#/a', 'a/#/b', 'a+', '+a', 'a/+b/c', '##', '++'].map(
    (filter): Fault => ['MQTT-4.7.1-1, -2', `82 ( 0001 [ ] "${filter}" 00 )`, 0x81],
  ),
  ...[
    '$share/',
    '$share/g',
    '$share/g/',
    '$share//a',
    '$share/+/a',
    '$share/#/a',
    '$share/g+/a',
    '$share/g/a#',
  ].map((filter): Fault => ['MQTT-4.8.2-1, -2', `82 ( 0001 [ ] "${filter}" 00 )`, 0x81]),
  ...[...NO_TEXT, ...NO_NAME].map((no): Fault => ['1.5.4', `82 ( 0001 [ ] ${text(no)} 00 )`, 0x81]),

  ['MQTT-2.2.1-3', 'a2 ( 0000 [ ] "a" )', 0x81],
  ['MQTT-3.10.3-2', 'a2 ( 0001 [ ] )', 0x82],
  ['4.13', 'a2 ( 0001 [ ] 0002 61 )', 0x81],
  ['MQTT-4.7.1-2', 'a2 ( 0001 [ ] "a/#/b" )', 0x81],
  ['MQTT-4.7.3-1', 'a2 ( 0001 [ ] 0000 )', 0x81],
  ...NO_TEXT.map((no): Fault => ['MQTT-3.10.3-1', `a2 ( 0001 [ ] ${text(no)} )`, 0x81]),

  ['4.13', 'c0 ( 00 )', 0x81],
  ['4.13', 'e0 ( 00 00 00 )', 0x81],
];

/** What 3.1.1 says nothing of, or otherwise. */
const FAULTS_OF_4: readonly Fault[] = [
  ['2.1.2', 'f0 ( )', 0x81],
  ['MQTT-4.7.3-1', `30 ( 0000 'x' )`, 0x81],
  ['3.1.1: MQTT-3-8.3-4', '82 ( 0001 "a" 04 )', 0x81],
  ['3.1.1: MQTT-3-8.3-4', '82 ( 0001 "a" 20 )', 0x81],
  ['3.4: no reason code', '40 ( 0001 00 )', 0x81],
  ['3.14: no reason code', 'e0 ( 00 )', 0x81],
];
const FAULTS_OF_5: readonly Fault[] = [
  ...['f0 ( )', 'f0 ( 00 )', 'f1 ( )', 'f0 ( 18 ( 15 "m" ) )'].map(
    (packet): Fault => ['MQTT-4.12.0-7', packet, 0x82],
  ),
  ['MQTT-1.5.5-1', 'c0 8000', 0x81],
  ['3.3.2.1', `30 ( 0000 ( ) 'x' )`, 0x82],
  ['MQTT-3.3.2-8', `30 ( "a" ( 23 0000 ) 'x' )`, 0x82],
  ['MQTT-3.3.2-14', `30 ( "a" ( 08 "a/+" ) 'x' )`, 0x82],
  ['MQTT-4.7.3-1', `30 ( "a" ( 08 0000 ) 'x' )`, 0x82],
  ['MQTT-3.3.4-6', `30 ( "a" ( 0b 01 ) 'x' )`, 0x82],
  ['3.3.2.3.8', `30 ( "a" ( 0b 00 ) 'x' )`, 0x82],
  ['MQTT-1.5.5-1', `30 ( "a" ( 0b 8000 ) 'x' )`, 0x81],
  ['1.5.5', `30 ( "a" ( 0b 8080808001 ) 'x' )`, 0x81],
  ['2.2.2.1', `30 ( "a" 7f 'x' )`, 0x81],
  ['4.13', '30 ( "a" )', 0x81],
  ['3.3.2.3.2', `30 ( "a" ( 01 02 ) 'x' )`, 0x82],
  ['MQTT-1.5.4-1', `30 ( "a" ( 26 0001 ff "v" ) 'x' )`, 0x81],
  ['MQTT-3.4.2-1', '40 ( 0001 ff )', 0x82],
  ['MQTT-3.4.2-1', '40 ( 0001 92 )', 0x82],
  ['MQTT-3.5.2-1', '50 ( 0001 01 )', 0x82],
  ['MQTT-3.6.2-1', '62 ( 0001 10 )', 0x82],
  ['MQTT-3.7.2-1', '70 ( 0001 80 )', 0x82],
  ['2.2.2.1', '40 ( 0001 00 01 )', 0x81],
  ['3.8.2.1.2', '82 ( 0001 ( 0b 00 ) "a" 00 )', 0x82],
  ['3.8.3.1', '82 ( 0001 ( ) "a" 30 )', 0x82],
  ['MQTT-3.8.3-4', '82 ( 0001 ( ) "$share/g/a" 04 )', 0x82],
  ['2.2.2.1', 'e0 ( 00 01 )', 0x81],
];

function whole([clause, packet, reason, answer = '']: Fault) {
  return [clause, packet, reason, answer] as const;
}

describe('what a client must not send', () => {
  it.each(CONNECT_FAULTS.map(whole))('[%s] first: %s', (_clause, packet, reason, answer) => {
    const fault = faultOf(fresh(), bytes(packet));
    expect(fault.reason).toBe(reason);
    expect(fault.answer === undefined ? '' : hex(encode(fault.answer.packet, fault.answer.level))).toBe(
      answer,
    );
  });

  it.each([...LATER_FAULTS, ...FAULTS_OF_4].map(whole))('[%s] 3.1.1: %s', (_clause, packet, reason) => {
    const fault = faultOf(connected(4), bytes(packet, 4));
    expect(fault.reason).toBe(reason);
    // 3.1.1 has nothing to tell a client with.
    expect(fault.answer).toBe(undefined);
  });

  it.each([...LATER_FAULTS, ...FAULTS_OF_5].map(whole))('[%s] 5: %s', (_clause, packet, reason) => {
    const fault = faultOf(connected(5), bytes(packet, 5));
    expect(fault.reason).toBe(reason);
    if (fault.answer === undefined) throw new Error('MQTT 5 is told why');
    expect(hex(encode(fault.answer.packet, fault.answer.level))).toBe(`e001${reason.toString(16)}`);
  });

  it('is told byte by byte as at once', () => {
    for (const [, packet, reason] of [...LATER_FAULTS, ...FAULTS_OF_5]) {
      const parser = connected(5);
      const all = bytes(packet, 5);
      const told: number[] = [];
      for (let at = 0; at < all.length && told.length === 0; at++) {
        parser.push(all.subarray(at, at + 1));
        try {
          parser.next();
        } catch (error) {
          told.push((error as { reason: number }).reason);
        }
      }
      expect([packet, told]).toEqual([packet, [reason]]);
    }
  });

  it('cites a clause, and tells people what is wrong', () => {
    const fault = faultOf(connected(5), bytes('82 ( 0001 [ ] "a/#/b" 00 )'));
    expect(fault.message).toBe('malformed packet: "a/#/b" is not a topic filter [MQTT-4.7.1-1]');
  });

  it('has all that came before it told', () => {
    const parser = connected(5);
    parser.push(bytes('c0 ( ) c0 ( ) c1 ( )'));
    expect([parser.next(), parser.next()]).toEqual([{ type: 'pingreq' }, { type: 'pingreq' }]);
    expect(() => parser.next()).toThrow('flags');
  });
});

describe('the largest packet', () => {
  const levels: readonly ProtocolLevel[] = [3, 4, 5];
  const sized = (total: number) =>
    Buffer.concat([Buffer.of(0x30, 0x80 | (total & 0x7f), total >> 7), Buffer.alloc(1)]);

  it.each(levels)('counts with its head, at level %i', (level) => {
    const parser = connected(level, 303);
    parser.push(sized(300));
    expect(parser.next()).toBe(undefined);
    const smaller = connected(level, 302);
    expect(faultOf(smaller, sized(300)).reason).toBe(0x95);
  });

  it('is another one for a CONNECT', () => {
    const connect = (size: number) => bytes(`10 ( "MQTT" 04 02 0000 "${'c'.repeat(size)}" )`);
    expect(connect(60_000).length).toBeLessThan(MAX_CONNECT);
    const long = bytes(
      `10 ( "MQTT" 04 c6 0000 "c" "t" "${'m'.repeat(40_000)}" "u" "${'p'.repeat(40_000)}" )`,
    );
    expect(long.length).toBeGreaterThan(MAX_CONNECT);
    expect(long.length).toBeLessThan(MAX_PACKET);
    const fault = faultOf(fresh(), long);
    expect([fault.reason, fault.answer]).toEqual([0x95, undefined]);
  });
});
