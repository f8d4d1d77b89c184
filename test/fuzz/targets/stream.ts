import { FramingFault, TcpParser } from '../../../src/links/tcp/tcp-framing.js';
import { vectors } from '../../wire/vectors.js';
import { Choices } from '../choices.js';
import { must, type Target } from '../target.js';

/** What comes out of a connection: packets in hexadecimal, and in the end perhaps a fault. */
function parse(stream: Uint8Array, maxPacket: number, cut: () => number): string[] {
  const told: string[] = [];
  const parser = new TcpParser(maxPacket, (packet) => told.push(Buffer.from(packet).toString('hex')));
  for (let at = 0; at < stream.length; ) {
    const size = cut();
    const chunk = Uint8Array.from(stream.subarray(at, at + size));
    at += size;
    try {
      parser.push(chunk);
    } catch (error) {
      if (!(error instanceof FramingFault)) throw error;
      told.push(error.code);
      return told;
    }
    chunk.fill(0xee);
  }
  return told;
}

/** The same as §2.3 has it, from the whole stream. */
function expected(stream: Uint8Array, maxPacket: number): string[] {
  const told: string[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = stream.subarray(at, at + 4).findIndex((byte) => byte < 0x80);
    if (end < 0) return stream.length - at >= 4 ? [...told, 'malformed'] : told;
    const length = stream
      .subarray(at, at + end + 1)
      .reduce((sum, byte, i) => sum + (byte & 0x7f) * 128 ** i, 0);
    if (length === 0 || (end > 0 && stream[at + end] === 0)) return [...told, 'malformed'];
    if (length > maxPacket) return [...told, 'oversize'];
    at += end + 1;
    if (at + length > stream.length) return told;
    told.push(Buffer.from(stream.subarray(at, at + length)).toString('hex'));
    at += length;
  }
  return told;
}

/** A TCP connection: the packets are those of its records, and it does not matter how the bytes come. */
export const stream: Target = {
  name: 'stream',
  maxBytes: 1500,
  dictionary: [Uint8Array.of(0x80, 0x01), Uint8Array.of(0x80, 0x80, 0x80, 0x01), Uint8Array.of(2, 0x80, 5)],
  seeds: () =>
    vectors('tcp-frames').map(({ hex }, index) =>
      Uint8Array.of(index, index * 7, ...Buffer.from(hex, 'hex').subarray(0, 1400)),
    ),
  run(input) {
    const choices = new Choices(input);
    const maxPacket = choices.pick([48, 200, 1024, 1_048_576]);
    let sizes = choices.u8();
    const bytes = choices.bytes(choices.left);
    const told = expected(bytes, maxPacket);
    const whole = parse(bytes, maxPacket, () => bytes.length);
    must(
      whole.join() === told.join(),
      `the packets are those of the records: ${whole.join()} and ${told.join()}`,
    );
    const pieces = parse(bytes, maxPacket, () => {
      sizes = (sizes * 5 + 1) & 0xff;
      return 1 + (sizes % 13);
    });
    must(pieces.join() === told.join(), 'it does not matter in what pieces the bytes come');
    return [`${Math.min(told.length, 8)} ${/^(malformed|oversize)$/.exec(told.at(-1) ?? '')?.[0]}`];
  },
};
