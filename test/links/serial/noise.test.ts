import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { FrameEncoder, longestFrame } from '../../../src/links/serial/slip.js';
import { Splitter } from '../../../src/links/serial/splitter.js';
import { NOISES } from '../../support/noises.js';
import { Random } from '../../support/random.js';

const SEED = Number(process.env.SEED ?? randomInt(2 ** 32));
const MAX_PACKET = 1024;
/** A minute of line time at 115,200 baud, ten bits a byte. */
const MINUTE_BYTES = 60 * 11_520;
const CHUNK_BYTES = 4096;

describe(`a minute of noise on a serial line (SEED=${SEED})`, () => {
  it.each(Object.entries(NOISES))('%s: every good packet arrives, memory stays bounded', (_kind, noise) => {
    const random = new Random(SEED);
    const encoder = new FrameEncoder();
    const got: number[] = [];
    let told = 0;
    const splitter = new Splitter(MAX_PACKET, {
      packet: (packet) => {
        // By chance noise may be a frame with a right CRC: it is shorter.
        if (packet.length === 8 && packet[0] === 0x80) got.push(Buffer.from(packet).readUInt32BE(4));
      },
      line: (line) => {
        told += line.length;
      },
      drop: (_reason, bytes) => {
        told += bytes;
      },
    });
    const sent: number[] = [];
    for (let bytes = 0; bytes < MINUTE_BYTES; bytes += CHUNK_BYTES) {
      splitter.push(noise(random, CHUNK_BYTES));
      expect(splitter.pending).toBeLessThanOrEqual(longestFrame(MAX_PACKET));
      const packet = Buffer.alloc(8, 0x80);
      packet.writeUInt32BE(sent.length, 4);
      splitter.push(encoder.encode(packet));
      sent.push(sent.length);
    }
    expect(got).toEqual(sent);
    // What is noise is counted, or shown where it is text; never twice.
    expect(told).toBeLessThanOrEqual(sent.length * CHUNK_BYTES);
  });
});
