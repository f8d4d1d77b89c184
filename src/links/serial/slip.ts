import { SlipDecoder, SlipEncoder } from '@serialport/parser-slip-encoder';
import { crc16 } from '../../wire/crc.js';

export const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;
const CRC_BYTES = 2;

/** The most bytes that a packet of `maxPacket` bytes can take between two ENDs: all of it, and its CRC, escaped. */
export function longestFrame(maxPacket: number): number {
  return 2 * (maxPacket + CRC_BYTES);
}

/** Bytes that `packet` takes on a serial line: escapes, CRC and both ENDs included (PROTOCOL.md §2.1). */
export function frameSize(packet: Uint8Array): number {
  const crc = crc16(packet);
  return 2 + escapedSize(packet) + escapedSize([crc & 0xff, crc >>> 8]);
}

function escapedSize(bytes: ArrayLike<number>): number {
  let size = bytes.length;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === END || bytes[i] === ESC) size++;
  return size;
}

/**
 * Turns packets into the frames of PROTOCOL.md §2.1. The package's encoder is a stream that answers each write at
 * once, so it is used as a function; its `bluetoothQuirk` is the END in front of the frame.
 */
export class FrameEncoder {
  readonly #encoder = new SlipEncoder({ bluetoothQuirk: true, readableObjectMode: true });

  encode(packet: Uint8Array): Buffer {
    const framed = Buffer.allocUnsafe(packet.length + CRC_BYTES);
    framed.set(packet);
    framed.writeUInt16LE(crc16(packet), packet.length);
    this.#encoder.write(framed);
    return this.#encoder.read() as Buffer;
  }
}

export type FrameFault = 'escape' | 'crc' | 'oversize';

/**
 * Turns what stood between two ENDs back into a packet. The package's decoder has no bound, keeps its state over a
 * bad escape and even takes `DB C0` for data, so it is only ever given one whole frame, of a bounded size, whose
 * escapes are right; then each write yields one packet at once.
 */
export class FrameDecoder {
  readonly #maxPacket: number;
  readonly #decoder = new SlipDecoder({ readableObjectMode: true });

  /** `maxPacket`: the largest packet in bytes, without its CRC. */
  constructor(maxPacket: number) {
    this.#maxPacket = maxPacket;
  }

  /** `frame` ends with its END and has no other. Returns the packet without its CRC, or what is wrong with it. */
  decode(frame: Buffer): Buffer | FrameFault {
    if (!escapesAreRight(frame)) return 'escape';
    this.#decoder.write(frame);
    const decoded = this.#decoder.read() as Buffer;
    if (decoded.length <= CRC_BYTES || crc16(decoded) !== 0) return 'crc';
    if (decoded.length - CRC_BYTES > this.#maxPacket) return 'oversize';
    return decoded.subarray(0, -CRC_BYTES);
  }
}

function escapesAreRight(frame: Buffer): boolean {
  for (let at = frame.indexOf(ESC); at >= 0; at = frame.indexOf(ESC, at + 2)) {
    const escaped = frame[at + 1];
    if (escaped !== ESC_END && escaped !== ESC_ESC) return false;
  }
  return true;
}
