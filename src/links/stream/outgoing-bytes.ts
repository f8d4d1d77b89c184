import type { Writable } from 'node:stream';
import { Queue } from '../../session/queue.js';
import { giveBuffer, SPARE_BYTES, takeBuffer } from '../../spare-buffers.js';
import { recordSize, writeRecord, writeRecordLength } from '../tcp/tcp-framing.js';

/** Bytes are gathered in a small piece first, for most turns bring little, then in spare buffers. */
const SMALL_PIECE_BYTES = 1024;
/** So many bytes are not copied to others: they are a piece by themselves. */
const LARGE_BYTES = 16_384;

/**
 * What a connection has to send: what comes in one turn of the event loop is written at once. While the system has
 * not taken what it was given, the rest is gathered here: so it is seen whether anything moves, and many small
 * packets to a slow reader take the room of their bytes.
 */
export class OutgoingBytes {
  readonly #socket: Writable;
  /** Told when the system has taken so many bytes, or never will. */
  readonly #written: (bytes: number, error: Error | null | undefined) => void;
  #piece: Buffer | undefined;
  #filled = 0;
  /** Pieces that are full. */
  readonly #full = new Queue<Buffer>();
  #bytes = 0;
  /** Of these, what the system was given. */
  #writing = 0;

  constructor(socket: Writable, written: (bytes: number, error: Error | null | undefined) => void) {
    this.#socket = socket;
    this.#written = written;
  }

  /** All that the system has not taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Puts bytes behind all others. They must not change until they are written, and are given back then (`giveBuffer`). */
  append(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (bytes.length < LARGE_BYTES) {
      const piece = this.#roomFor(bytes.length);
      piece.set(bytes, this.#filled);
      this.#filled += bytes.length;
    } else {
      this.#appendPiece(bytes);
    }
  }

  /** As `append`, with the length of the packet before it (PROTOCOL.md §2.3). What is copied is given back at once. */
  appendRecord(packet: Uint8Array): void {
    const size = recordSize(packet);
    this.#bytes += size;
    if (packet.length < LARGE_BYTES) {
      const piece = this.#roomFor(size);
      this.#filled = writeRecord(piece, this.#filled, packet);
      giveBuffer(packet);
    } else {
      const piece = this.#roomFor(size - packet.length);
      this.#filled = writeRecordLength(piece, this.#filled, packet);
      this.#appendPiece(packet);
    }
  }

  /** Puts a packet behind all others that is written by itself, as one message. As `append` otherwise. */
  appendMessage(packet: Uint8Array): void {
    this.#bytes += packet.length;
    this.#appendPiece(packet);
  }

  /** Gives the system what waits, unless it is still busy. */
  write(): void {
    if (this.#writing > 0) return;
    if (this.#full.length === 0) this.#endPiece();
    const piece = this.#full.shift();
    if (piece !== undefined) this.#write(piece);
  }

  /** Gives the system everything, however much it is. */
  writeAll(): void {
    this.#endPiece();
    for (let piece = this.#full.shift(); piece; piece = this.#full.shift()) this.#write(piece);
  }

  /** Forgets what the system was not given. Returns how many bytes that was. */
  discard(): number {
    const dropped = this.#bytes - this.#writing;
    this.#full.drain();
    this.#piece = undefined;
    this.#filled = 0;
    this.#bytes = this.#writing;
    return dropped;
  }

  #write(piece: Buffer): void {
    this.#writing += piece.length;
    this.#socket.write(piece, (error) => {
      this.#writing -= piece.length;
      this.#bytes -= piece.length;
      giveBuffer(piece);
      this.#written(piece.length, error);
    });
  }

  #roomFor(size: number): Buffer {
    const needed = this.#filled + size;
    if (this.#piece !== undefined && needed <= this.#piece.length) return this.#piece;
    if (needed > SPARE_BYTES) {
      this.#endPiece();
      return this.#roomFor(size);
    }
    const larger = pieceFor(needed);
    if (this.#piece !== undefined) {
      larger.set(this.#piece.subarray(0, this.#filled));
      giveBuffer(this.#piece);
    }
    this.#piece = larger;
    return larger;
  }

  #appendPiece(bytes: Uint8Array): void {
    this.#endPiece();
    this.#full.push(bytes as Buffer);
  }

  #endPiece(): void {
    if (this.#piece === undefined) return;
    this.#full.push(this.#piece.subarray(0, this.#filled));
    this.#piece = undefined;
    this.#filled = 0;
  }
}

function pieceFor(bytes: number): Buffer {
  return bytes <= SMALL_PIECE_BYTES ? Buffer.allocUnsafe(SMALL_PIECE_BYTES) : takeBuffer(bytes);
}
