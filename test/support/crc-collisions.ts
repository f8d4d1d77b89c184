import { crc32 } from 'node:zlib';
import { crc16 } from '../../src/wire/crc.js';

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const CRC_BYTES = 2;
/** Puts the CRC out of tune whatever it stood at. */
const SPOILER = 0x55;
/** A frame is looked for among so many of the last that were sent. */
const REMEMBERED = 1024;

/**
 * A CRC of 16 bits lets one in 65,536 spoiled frames pass, and nothing behind it could tell. A simulation of this size
 * meets such frames: one of these, between the line and its receiver, knows what was sent and lets nothing else pass.
 */
export class CrcCollisions {
  /** CRC-32 of each packet. */
  readonly #sent = new Set<number>();
  /** Bytes since the last END, escapes resolved. */
  #piece: number[] = [];
  #escaped = false;
  /** How many passed their CRC by chance. */
  count = 0;

  /** Notes what is put on the line; a frame that was left unfinished is not worth remembering. */
  note(frame: Uint8Array): void {
    if (frame.length < 2 + CRC_BYTES || frame[0] !== END || frame[frame.length - 1] !== END) return;
    const packet = resolved(frame.subarray(1, -1));
    const key = crc32(packet.subarray(0, -CRC_BYTES));
    this.#sent.delete(key);
    this.#sent.add(key);
    if (this.#sent.size <= REMEMBERED) return;
    for (const oldest of this.#sent) {
      this.#sent.delete(oldest);
      break;
    }
  }

  /**
   * Whether a packet that a receiver found at the end of `piece`, the bytes between two ENDs, was never sent, and yet has the
   * right CRC there. One with a wrong CRC is none: the receiver should have seen that.
   */
  isCollision(packet: Uint8Array, piece: Uint8Array): boolean {
    if (this.#sent.has(crc32(packet))) return false;
    const collision = crc16(resolved(piece).subarray(-(packet.length + CRC_BYTES))) === 0;
    if (collision) this.count++;
    return collision;
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
        if (this.#isPieceCollision()) {
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

  #isPieceCollision(): boolean {
    const piece = Uint8Array.from(this.#piece);
    return (
      piece.length > CRC_BYTES && crc16(piece) === 0 && !this.#sent.has(crc32(piece.subarray(0, -CRC_BYTES)))
    );
  }
}

/** Bytes without their escapes. */
function resolved(escaped: Uint8Array): Uint8Array {
  if (!escaped.includes(ESC)) return escaped;
  const bytes = new Uint8Array(escaped.length);
  let length = 0;
  for (let i = 0; i < escaped.length; i++) {
    const byte = escaped[i] as number;
    bytes[length++] = byte === ESC ? (escaped[++i] === ESC_END ? END : ESC) : byte;
  }
  return bytes.subarray(0, length);
}
