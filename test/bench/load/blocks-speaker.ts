import { Speaker } from './speaker.js';

/** What tells `library-publisher.ts` to publish a block, and what that says when it is acknowledged: publisher and place, two bytes each. */
export const BLOCK_BYTES = 4;

/** Has another process publish: only which block it is goes there. */
export class BlocksSpeaker extends Speaker {
  async greet(): Promise<void> {
    if (this.part.kind === 'subscriber') throw new Error('only publishers speak in blocks');
  }

  encode(_: readonly Buffer[], first: number): Buffer {
    const bytes = Buffer.alloc(BLOCK_BYTES);
    bytes.writeUInt16BE(this.part.number, 0);
    bytes.writeUInt16BE(first / this.load.block, 2);
    return bytes;
  }

  acknowledgement(first: number): Buffer {
    return this.encode([], first);
  }

  read(_: Buffer, __: DataView, to: number): number {
    const whole = Math.floor(to / BLOCK_BYTES);
    this.acknowledged(whole * this.load.block);
    return whole * BLOCK_BYTES;
  }
}
