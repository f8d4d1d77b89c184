import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FramingFault, recordSize, TcpParser, writeRecord } from '../../../src/links/tcp/tcp-framing.js';
import { vectors } from '../../wire/vectors.js';

function parse(chunks: Iterable<Uint8Array>, maxPacket = 1_048_576) {
  const packets: string[] = [];
  const parser = new TcpParser(maxPacket, (packet) => packets.push(Buffer.from(packet).toString('hex')));
  try {
    for (const chunk of chunks) parser.push(chunk);
  } catch (error) {
    if (!(error instanceof FramingFault)) throw error;
    return { packets, error: error.code };
  }
  return { packets, error: undefined };
}

function records(packets: readonly Uint8Array[]): Buffer {
  const stream = Buffer.alloc(packets.reduce((sum, packet) => sum + recordSize(packet), 0));
  let at = 0;
  for (const packet of packets) at = writeRecord(stream, at, packet);
  expect(at).toBe(stream.length);
  return stream;
}

describe('TcpParser', () => {
  it.each(vectors('tcp-frames'))('vector: $name', ({ hex, maxPacket, packets, error }) => {
    const stream = Buffer.from(hex, 'hex');
    const outcome = { packets, error };
    expect(parse([stream], maxPacket)).toEqual(outcome);
    expect(
      parse(
        Array.from(stream, (byte) => Uint8Array.of(byte)),
        maxPacket,
      ),
    ).toEqual(outcome);
    for (let split = 1; split < stream.length; split++) {
      expect(parse([stream.subarray(0, split), stream.subarray(split)], maxPacket)).toEqual(outcome);
    }
  });

  it('finds the same packets however the stream is split', () => {
    const packet = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.nat(20_000).map((n) => new Uint8Array(n + 1).fill(n)),
    );
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 8 }),
        fc.array(fc.nat(80_000), { maxLength: 12 }),
        (packets, cuts) => {
          const stream = records(packets);
          const edges = [
            0,
            ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b),
            stream.length,
          ];
          const chunks = edges.slice(1).map((edge, i) => stream.subarray(edges[i], edge));
          const hex = packets.map((bytes) => Buffer.from(bytes).toString('hex'));
          expect(parse(chunks)).toEqual({ packets: hex, error: undefined });
        },
      ),
    );
  });

  it('copies nothing of a record that lies within one read', () => {
    const stream = records([Uint8Array.of(1, 2), Uint8Array.of(3)]);
    const buffers: ArrayBufferLike[] = [];
    new TcpParser(16, (packet) => buffers.push(packet.buffer)).push(stream);
    expect(buffers).toEqual([stream.buffer, stream.buffer]);
  });

  it('is not tricked into setting memory aside by lengths that nothing follows', () => {
    const parsers: TcpParser[] = [];
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1000; i++) {
      const parser = new TcpParser(1_048_576, () => {});
      parser.push(Uint8Array.of(0x80, 0x80, 0x40, 1, 2, 3));
      parsers.push(parser);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1_048_576);
    expect(parsers).toHaveLength(1000);
  });

  it('says what is wrong', () => {
    const parser = new TcpParser(16, () => {});
    expect(() => parser.push(Uint8Array.of(17))).toThrow(
      'a packet of 17 bytes is larger than the 16 bytes that are taken',
    );
  });
});
