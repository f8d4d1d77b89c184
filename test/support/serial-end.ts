import { FrameEncoder } from '../../src/links/serial/slip.js';
import { Splitter } from '../../src/links/serial/splitter.js';
import type { CrcCollisions } from './crc-collisions.js';

export const SERIAL_MAX_PACKET = 1024;

/** Serial framing at one end of a wire: packets on this side, bytes on the other. */
export class SerialEnd {
  readonly #encoder = new FrameEncoder();
  readonly #splitter: Splitter;

  /** `incoming` knows what the other end put on the line. */
  constructor(incoming: CrcCollisions, take: (packet: Uint8Array) => void) {
    this.#splitter = new Splitter(SERIAL_MAX_PACKET, {
      packet: (packet) => {
        if (incoming.isGenuine(packet)) take(packet);
      },
      line: () => undefined,
      drop: () => undefined,
    });
  }

  frame(packet: Uint8Array): Uint8Array {
    return this.#encoder.encode(packet);
  }

  push(bytes: Uint8Array): void {
    this.#splitter.push(bytes);
  }
}
