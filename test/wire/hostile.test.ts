import { describe, expect, it } from 'vitest';
import type { Side } from '../../src/wire/decode.js';
import { packet } from '../fuzz/targets/packet.js';
import { vectors } from './vectors.js';

const packets = vectors('packets').map(({ from, hex }) => ({ from, bytes: Buffer.from(hex, 'hex') }));

/** What the fuzzer demands of a packet; variants at random are its business. */
function survive(bytes: Uint8Array, from: Side): Iterable<string> {
  return packet.run(Uint8Array.of(from === 'peer' ? 0 : 1, ...bytes));
}

describe('hostile packets', () => {
  it('survives every truncation of every vector', () => {
    const seen = new Set<string>();
    for (const { from, bytes } of packets) {
      for (let length = 0; length < bytes.length; length++) {
        for (const mark of survive(bytes.subarray(0, length), from)) seen.add(mark);
      }
    }
    expect([...seen]).toEqual(expect.arrayContaining(['emit', 'malformed', 'version']));
  });

  it('survives every flipped bit of every vector', () => {
    for (const { from, bytes } of packets) {
      for (let bit = 0; bit < Math.min(bytes.length, 80) * 8; bit++) {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        survive(flipped, from);
      }
    }
  });
});
