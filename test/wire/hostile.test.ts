import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePacket, MalformedPacket, type Side } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Message } from '../../src/wire/messages.js';
import { vectors, withHexBytes } from './vectors.js';

const packets = vectors('packets').map(({ from, hex }) => ({ from, bytes: Buffer.from(hex, 'hex') }));

/**
 * Whatever the bytes: they are refused as malformed, or they are messages that can be sent again and read back the
 * same. Plain throws instead of `expect`, which would take most of the time here.
 */
function survive(bytes: Uint8Array, from: Side): 'decoded' | 'malformed' {
  const hex = Buffer.from(bytes).toString('hex');
  let messages: Message[];
  try {
    messages = decodePacket(bytes, from);
  } catch (error) {
    if (error instanceof MalformedPacket && error.at >= 0 && error.at <= bytes.length) return 'malformed';
    throw new Error(`decoding ${hex} from the ${from} threw something else`, { cause: error });
  }
  const again = decodePacket(encodePacket(messages), from);
  const [first, second] = [messages, again].map((all) => JSON.stringify(withHexBytes(all)));
  if (first !== second) throw new Error(`${hex} from the ${from} is ${first}, sent again it is ${second}`);
  if (Buffer.from(bytes).toString('hex') !== hex) throw new Error(`decoding changed ${hex}`);
  return 'decoded';
}

describe('hostile packets', () => {
  it('survives every truncation of every vector', () => {
    const seen = new Set<string>();
    for (const { from, bytes } of packets) {
      for (let length = 0; length < bytes.length; length++)
        seen.add(survive(bytes.subarray(0, length), from));
    }
    expect([...seen].sort()).toEqual(['decoded', 'malformed']);
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

  it('survives packets that were cut, joined, overwritten and stretched at random', () => {
    const piece = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...packets).map(({ bytes }) => bytes) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)) },
    );
    const edit = fc.record({
      at: fc.nat(400),
      remove: fc.nat(3),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 3 }),
        fc.constantFrom([0x80, 0x01], [0xff, 0xff, 0xff, 0x7f], [0]),
      ),
    });
    const mutated = fc
      .record({
        pieces: fc.array(piece, { minLength: 1, maxLength: 3 }),
        edits: fc.array(edit, { maxLength: 4 }),
      })
      .map(({ pieces, edits }) => {
        const bytes = Array.from(Buffer.concat(pieces));
        for (const { at, remove, insert } of edits) bytes.splice(at % (bytes.length + 1), remove, ...insert);
        return Uint8Array.from(bytes);
      });
    const seed = Number(process.env.FUZZ_SEED ?? Date.now() & 0x7fffffff);
    console.log(`mutation fuzz: FUZZ_SEED=${seed}`);
    fc.assert(
      fc.property(mutated, fc.constantFrom<Side>('peer', 'gateway'), (bytes, from) => {
        survive(bytes, from);
      }),
      { numRuns: 10_000, seed },
    );
  });
});
