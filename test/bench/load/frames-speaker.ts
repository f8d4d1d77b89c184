import { Speaker } from './speaker.js';

/** Before each frame stands its length. */
export const LENGTH_BYTES = 4;
/** What a subscriber sends as its only frame, and gets back when it is one. */
export const SUBSCRIBE = 'S';

/** What the bare router speaks: frames behind their lengths, and nothing else. */
export class FramesSpeaker extends Speaker {
  async greet(): Promise<void> {
    if (this.part.kind === 'publisher') return;
    this.connection.write(frame(Buffer.from(SUBSCRIBE)));
    await this.hears<string>((answer) => answer === SUBSCRIBE);
  }

  encode(payloads: readonly Buffer[]): Buffer {
    return Buffer.concat(payloads.map(frame));
  }

  acknowledgement(): Buffer {
    throw new Error('nothing is acknowledged in frames');
  }

  read(bytes: Buffer, view: DataView, to: number): number {
    let at = 0;
    while (at + LENGTH_BYTES <= to) {
      const start = at + LENGTH_BYTES;
      const end = start + view.getUint32(at);
      if (end > to) break;
      if (end - start === SUBSCRIBE.length) this.heard(bytes.toString('latin1', start, end));
      else this.deliver(view, start, end);
      at = end;
    }
    return at;
  }
}

function frame(payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + payload.length);
  bytes.writeUInt32BE(payload.length);
  bytes.set(payload, LENGTH_BYTES);
  return bytes;
}
