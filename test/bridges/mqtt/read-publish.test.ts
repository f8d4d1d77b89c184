import { expect, it } from 'vitest';
import { NotMqtt } from '../../../src/bridges/mqtt/packet-splitter.js';
import { readPublish } from '../../../src/bridges/mqtt/read-publish.js';
import { MalformedPacket } from '../../../src/mqtt/wire/malformed.js';
import type { ProtocolLevel } from '../../../src/mqtt/wire/packets.js';
import { Reader } from '../../../src/mqtt/wire/reader.js';
import { bytes } from '../../mqtt/bytes.js';

/** What a broker sent, its body as in the tests of the codec. */
function read(head: number, body: string, level: ProtocolLevel = 5) {
  const reader = new Reader();
  reader.level = level;
  const packet = bytes(body);
  reader.start(packet, 0, packet.length);
  return readPublish(reader, head);
}

it('a PUBLISH without properties has none, and the payload begins behind their length', () => {
  expect(read(0x33, `"a/b" 0007 00 'x'`)).toEqual({
    type: 'publish',
    dup: false,
    qos: 1,
    retain: true,
    topic: 'a/b',
    id: 7,
    payload: Buffer.from('x'),
    properties: undefined,
  });
  expect(read(0x30, '"a/b" 00').payload).toHaveLength(0);
  expect(read(0x30, `"a/b" 00`, 4)).toMatchObject({ payload: Buffer.from([0]), properties: undefined });
});

it('properties are read, also those that only a broker sends', () => {
  const { payload, properties } = read(0x30, `"a/b" ( 03 "text" 0b 05 0b 06 26 "k" "v" ) 'x'`);
  expect(payload.toString()).toBe('x');
  expect(properties).toEqual({
    contentType: 'text',
    subscriptionIdentifiers: [5, 6],
    userProperties: [['k', 'v']],
  });
});

it('what no broker may send is refused', () => {
  expect(() => read(0x30, '"a/b"'), 'no length of the properties').toThrow(MalformedPacket);
  expect(() => read(0x30, `"a/b" 8000 'x'`), 'a length with a byte too many').toThrow(MalformedPacket);
  expect(() => read(0x30, `"a/b" 05 'x'`), 'properties that go past the end').toThrow(MalformedPacket);
  expect(() => read(0x36, `"a/b" 0007 00 'x'`)).toThrow(NotMqtt);
  expect(() => read(0x30, `"" 00 'x'`)).toThrow(NotMqtt);
});
