import { expect, it } from 'vitest';
import { NotMqtt, PacketSplitter } from '../../../src/bridges/mqtt/packet-splitter.js';
import { encode } from '../../../src/mqtt/wire/encode.js';
import { Random } from '../../support/random.js';
import { forSeeds } from '../../support/seeds.js';

const CONNACK = encode({ type: 'connack', sessionPresent: false, code: 0, properties: {} }, 4);

function publish(bytes: number, id: number): Buffer {
  const payload = Buffer.alloc(bytes, id);
  return encode(
    { type: 'publish', dup: false, qos: 1, retain: false, topic: 'a/b', id, payload, properties: undefined },
    4,
  );
}

it('packets are the same however they are cut, and too large ones show their beginning', () => {
  forSeeds(200, (seed) => {
    const random = new Random(seed);
    const packets = [CONNACK];
    for (let id = 1; id < 20; id++)
      packets.push(publish(random.below(random.chance(0.2) ? 200_000 : 300), id));
    const stream = Buffer.concat(packets);
    const splitter = new PacketSplitter(100_000);
    const found: Buffer[] = [];
    for (let at = 0; at < stream.length; ) {
      const end = Math.min(stream.length, at + 1 + random.below(random.chance(0.5) ? 10 : 70_000));
      splitter.push(stream.subarray(at, end));
      at = end;
      while (random.chance(0.9) && splitter.next()) {
        const whole = packets[found.length] as Buffer;
        const shown = splitter.bytes.subarray(splitter.start, splitter.end);
        expect(splitter.oversize).toBe(whole.length > 100_000 ? whole.length : 0);
        expect(shown.equals(whole.subarray(0, shown.length))).toBe(true);
        if (splitter.oversize === 0) expect(shown.length).toBe(whole.length);
        found.push(shown);
      }
    }
    while (splitter.next()) found.push(Buffer.alloc(0));
    expect(found).toHaveLength(packets.length);
  });
});

it('what no broker says is not waited for', () => {
  expect(() => new PacketSplitter(100).push(Buffer.from('HTTP/1.1 400'))).toThrow(NotMqtt);
  const splitter = new PacketSplitter(100);
  splitter.push(Buffer.concat([CONNACK, Buffer.of(0x90, 0xff, 0xff, 0xff, 0xff)]));
  expect(splitter.next()).toBe(true);
  expect(() => splitter.next()).toThrow('more than 4 bytes');
});
