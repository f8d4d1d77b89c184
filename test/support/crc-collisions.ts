import { crc16 } from '../../src/wire/crc.js';

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
/** Puts the CRC out of tune whatever it stood at. */
const SPOILER = 0x55;
/** A frame is looked for among so many of the last that were sent. */
const REMEMBERED = 1024;

/**
 * A CRC of 16 bits lets one in 65,536 spoiled frames pass, and nothing behind it could tell. A simulation of this size
 * meets such frames: one of these, between the line and its receiver, knows what was sent and lets nothing else pass.
 */
export class CrcCollisions {
  readonly #sent = new Set<string>();
  /** Bytes since the last END, escapes resolved. */
  #piece: number[] = [];
  #escaped = false;
  /** How many passed their CRC by chance. */
  count = 0;

  /** Notes what is put on the line; anything but a whole frame is not worth remembering. */
  note(frame: Uint8Array): void {
    const packet = unescaped(frame);
    if (packet.length <= 2 || crc16(packet) !== 0) return;
    const key = keyOf(packet.subarray(0, -2));
    this.#sent.delete(key);
    this.#sent.add(key);
    if (this.#sent.size <= REMEMBERED) return;
    for (const oldest of this.#sent) {
      this.#sent.delete(oldest);
      break;
    }
  }

  /** Whether a packet that passed its CRC was ever sent. */
  isGenuine(packet: Uint8Array): boolean {
    const genuine = this.#sent.has(keyOf(packet));
    if (!genuine) this.count++;
    return genuine;
  }

  /** The receiver began anew, and has forgotten what it had of a frame. */
  restart(): void {
    this.#piece = [];
    this.#escaped = false;
  }

  /** For a receiver whose frames cannot be seen: the bytes as they may reach it. */
  screen(bytes: Uint8Array): Uint8Array {
    const out: number[] = [];
    for (const byte of bytes) {
      if (byte === END) {
        if (this.#isCollision()) {
          this.count++;
          out.push(SPOILER);
        }
        this.restart();
      } else if (this.#escaped) {
        this.#piece.push(byte === ESC_END ? END : ESC);
        this.#escaped = false;
      } else if (byte === ESC) this.#escaped = true;
      else this.#piece.push(byte);
      out.push(byte);
    }
    return Uint8Array.from(out);
  }

  #isCollision(): boolean {
    const piece = Uint8Array.from(this.#piece);
    return piece.length > 2 && crc16(piece) === 0 && !this.#sent.has(keyOf(piece.subarray(0, -2)));
  }
}

/** What stands between the ENDs of one frame. */
function unescaped(frame: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  for (let i = 1; i < frame.length - 1; i++) {
    if (frame[i] === ESC) bytes.push(frame[++i] === ESC_END ? END : ESC);
    else bytes.push(frame[i] as number);
  }
  return Uint8Array.from(bytes);
}

function keyOf(packet: Uint8Array): string {
  return Buffer.from(packet.buffer, packet.byteOffset, packet.length).toString('latin1');
}
