import { FrameEncoder } from '../../src/links/serial/slip.js';
import { Splitter } from '../../src/links/serial/splitter.js';
import type { CrcCollisions } from './crc-collisions.js';

export const SERIAL_MAX_PACKET = 1024;

const END = 0xc0;

/** Serial framing at one end of a wire: packets on this side, bytes on the other. */
export class SerialEnd {
  readonly #encoder = new FrameEncoder();
  readonly #splitter: Splitter;
  /** What has come since the last END. */
  #piece: number[] = [];

  /** `incoming` knows what the other end put on the line. */
  constructor(incoming: CrcCollisions, take: (packet: Uint8Array) => void) {
    this.#splitter = new Splitter(SERIAL_MAX_PACKET, {
      packet: (packet) => {
        if (!incoming.isCollision(packet, Uint8Array.from(this.#piece))) take(packet);
      },
      line: () => undefined,
      drop: () => undefined,
    });
  }

  frame(packet: Uint8Array): Uint8Array {
    return this.#encoder.encode(packet);
  }

  push(bytes: Uint8Array): void {
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte !== END) {
        this.#piece.push(byte);
        continue;
      }
      this.#splitter.push(bytes.subarray(from, at + 1));
      from = at + 1;
      this.#piece = [];
    }
    this.#splitter.push(bytes.subarray(from));
  }
}
