import { isDeepStrictEqual } from 'node:util';
import { encode } from '../../../src/mqtt/wire/encode.js';
import { MalformedPacket } from '../../../src/mqtt/wire/malformed.js';
import { PacketParser } from '../../../src/mqtt/wire/packet-parser.js';
import type { ClientPacket } from '../../../src/mqtt/wire/packets.js';
import { bytes } from '../../mqtt/bytes.js';
import { must, type Target } from '../target.js';
import { PACKET_WORDS } from './packet.js';

const OPTIONS = { maxConnect: 500, maxPacket: 300 };

const SEEDS = [
  '10 ( "MQIsdp" 03 02 0000 "c" ) 8a ( 0001 "a/b" fd ) 38 ( "a" ) e0 ( )',
  `10 ( "MQTT" 04 c6 000a "c" "gone" "bye" "me" "pw" ) 32 ( "a/b" 0001 'hello' ) 40 ( 0001 ) 62 ( 0001 ) c0 ( )`,
  '10 ( "MQTT" 04 02 0000 0000 ) 82 ( 0001 "a/b" 01 "+/#" 02 "$share/g/#" 00 ) a2 ( 0001 "a/b" ) e0 ( )',
  `10 ( "MQTT" 05 02 000a ( 11 ffffffff 21 0001 27 00000001 22 ffff 19 01 17 00 26 "k" "v" 15 "m" 16 0001 07 ) "c" )`,
  `10 ( "MQTT" 05 0e 000a ( ) "c" ( 01 00 02 00000001 03 "t" 08 "r" 09 0000 18 00000005 26 "k" "v" ) "gone" 0000 )`,
  `10 ( "MQTT" 05 02 0000 ( ) "c" ) 30 ( "a/b" ( 01 01 02 0000000a 03 "text" 08 "re/ply" 09 0002 00ff 23 0001 26 "k" "v" ) 'x' )`,
  '10 ( "MQTT" 05 02 0000 ( ) "c" ) 82 ( 0001 ( 0b ffffff7f ) "a" 2e "$share/g/b" 10 ) 50 ( 0001 97 ( 1f "no" ) ) e0 ( 04 ( 11 0000003c ) )',
].map((text) => Uint8Array.from(bytes(text)));

/** What a client says, from the bytes of its connection: packets, and then perhaps one fault. */
export function tryParse(parser: PacketParser, chunks: Iterable<Uint8Array>) {
  const packets: ClientPacket[] = [];
  try {
    for (const chunk of chunks) {
      parser.push(chunk);
      for (let packet = parser.next(); packet; packet = parser.next()) packets.push(structuredClone(packet));
    }
  } catch (error) {
    if (error instanceof MalformedPacket) return { packets, fault: error };
    throw error;
  }
  return { packets, fault: undefined };
}

/** Whatever comes: the same packets and the same fault however it is cut, and a fault has an answer that can be sent. */
export const mqtt: Target = {
  name: 'mqtt',
  maxBytes: 600,
  dictionary: [
    ...PACKET_WORDS,
    ...['"MQTT" 05', '"MQTT" 04', '"$share/g/#"', '26 "k" "v"', '23 0001', '0b 01', 'c0 ( )'].map((text) =>
      bytes(text),
    ),
  ],
  seeds: () => SEEDS,
  run(input) {
    const at = new PacketParser(OPTIONS);
    const once = tryParse(at, [input]);
    const cut = new PacketParser(OPTIONS);
    const piecemeal = tryParse(
      cut,
      Array.from(input, (_, i) => input.subarray(i, i + 1)),
    );
    must(isDeepStrictEqual(once.packets, piecemeal.packets), 'packets are the same however they are cut');
    must(once.fault?.message === piecemeal.fault?.message, 'faults are the same however they are cut');
    must(
      once.packets.every(({ type }, index) => (type === 'connect') === (index === 0)),
      'CONNECT comes first and once',
    );
    const { fault } = once;
    const marks = once.packets.map(({ type }) => type as string);
    if (fault === undefined) {
      must(at.unfinished === cut.unfinished, 'it is known whether more must come');
      return marks;
    }
    if (fault.answer) {
      const { packet, level } = fault.answer;
      must(packet.type === (at.level === undefined ? 'connack' : 'disconnect'), 'the answer fits the moment');
      must(level === 5 || packet.type === 'connack', 'only MQTT 5 has a DISCONNECT for clients');
      must(encode(packet, level).length <= 5, 'the answer is short');
    }
    return [...marks, `${fault.clause} ${fault.reason}`];
  },
};
