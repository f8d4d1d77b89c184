import { describe, expect, it } from 'vitest';
import { mqtt } from '../../fuzz/targets/mqtt.js';
import { Random } from '../../support/random.js';

/** What the fuzzer demands of a stream; what it finds besides is its business (`npm run fuzz -- --target mqtt`). */
describe('hostile streams', () => {
  it('are survived cut short anywhere, and with any bit flipped', () => {
    const seen = new Set<string>();
    for (const stream of mqtt.seeds()) {
      for (let length = 0; length < stream.length; length++) {
        for (const mark of mqtt.run(stream.subarray(0, length))) seen.add(mark);
      }
      for (let bit = 0; bit < stream.length * 8; bit++) {
        const flipped = Buffer.from(stream);
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        for (const mark of mqtt.run(flipped)) seen.add(mark);
      }
    }
    expect([...seen]).toEqual(
      expect.arrayContaining(['connect', 'publish', 'MQTT-3.1.0-1 130', '2.2.2.2 129']),
    );
  });

  it('are survived when they are nothing but noise behind a CONNECT', () => {
    const random = new Random(1);
    const connects = mqtt.seeds().map((stream) => stream.subarray(0, 2 + (stream[1] as number)));
    let faults = 0;
    for (let i = 0; i < 10_000; i++) {
      const connect = connects[i % connects.length] as Uint8Array;
      // A first byte of each type in turn, or most would end there.
      const noise = Buffer.from(random.bytes(2 + random.below(40)));
      noise[0] = ((i % 16) << 4) | ([2, 2, 0, 8][random.below(4)] as number);
      noise[1] = noise.length - 2;
      const marks = [...mqtt.run(Buffer.concat([connect, noise]))];
      if (/ \d+$/.test(marks.at(-1) ?? '')) faults++;
    }
    expect(faults).toBeGreaterThan(7500);
  });
});
