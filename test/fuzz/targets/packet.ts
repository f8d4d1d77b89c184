import { isDeepStrictEqual } from 'node:util';
import { decodePacket, MalformedPacket, type Side } from '../../../src/wire/decode.js';
import { encodePacket, messageSize } from '../../../src/wire/encode.js';
import type { Message } from '../../../src/wire/messages.js';
import { Random } from '../../support/random.js';
import { vectors, withHexBytes } from '../../wire/vectors.js';
import { must, type Target } from '../target.js';

export const PACKET_WORDS: readonly Uint8Array[] = [
  [0x80, 0x01],
  [0xff, 0xff, 0xff, 0x7f],
  [0xc3, 0xa9],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x8f, 0xbf, 0xbf],
  [0xef, 0xbb, 0xbf],
].map((bytes) => Uint8Array.from(bytes));

/** For what speaks whole packets: the short ones of the vectors besides. */
export const SESSION_WORDS: readonly Uint8Array[] = [
  ...PACKET_WORDS,
  ...vectors('packets').map(({ hex }) => Uint8Array.from(Buffer.from(hex, 'hex'))),
].filter(({ length }) => length <= 60);

/** The same each time: inputs of so many bytes, to begin with. */
export function randomSeeds(bytes: number): Uint8Array[] {
  const random = new Random(1);
  return Array.from({ length: 24 }, () => random.bytes(bytes));
}

/** The packet's messages, or what is wrong with it. @throws whatever else the decoder throws */
export function tryDecode(bytes: Uint8Array, from: Side): Message[] | MalformedPacket {
  try {
    return decodePacket(bytes, from);
  } catch (error) {
    if (error instanceof MalformedPacket) return error;
    throw error;
  }
}

/** Whatever the bytes: they are malformed, or messages that can be sent again and read back the same. */
export const packet: Target = {
  name: 'packet',
  maxBytes: 400,
  dictionary: PACKET_WORDS,
  seeds: () =>
    vectors('packets').map(({ from, hex }) =>
      Uint8Array.from([from === 'peer' ? 0 : 1, ...Buffer.from(hex, 'hex')]),
    ),
  run(input) {
    const from = (input[0] ?? 0) & 1 ? 'gateway' : 'peer';
    const bytes = input.subarray(1);
    const before = Buffer.from(bytes).toString('hex');
    const messages = tryDecode(bytes, from);
    must(Buffer.from(bytes).toString('hex') === before, 'decoding changes nothing');
    if (messages instanceof MalformedPacket) {
      must(messages.at >= 0 && messages.at <= bytes.length, 'a fault is somewhere in the packet');
      return [messages.reason];
    }
    const sent = encodePacket(messages);
    const again = decodePacket(sent, from);
    const [first, second] = [messages, again].map((all) => withHexBytes(all));
    // Options may have come in any order.
    must(
      isDeepStrictEqual(first, second),
      `sent again it is the same: ${JSON.stringify(first)}, ${JSON.stringify(second)}`,
    );
    // HELLO and WELCOME drop options that they do not know, and L of the last message is left out.
    must(sent.length <= bytes.length, `sent again it is no longer: ${sent.length} and ${bytes.length} bytes`);
    const alone = messages.length === 1 ? messages[0] : undefined;
    must(!alone || messageSize(alone) === sent.length, 'a message has the size that is said of it');
    return messages.map(({ type }) => type);
  },
};
