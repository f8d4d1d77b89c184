import { SlipwayError } from '../../errors.js';
import { giveBuffer, SPARE_BYTES, takeBuffer } from '../../spare-buffers.js';
import { MAX_VARINT_BYTES } from '../../wire/limits.js';
import { varintSize, writeVarint } from '../../wire/varint.js';

/** A record that is cut by the end of a read is gathered in a buffer that begins with so many bytes. */
const FIRST_GATHER_BYTES = 4096;

const NOTHING: Uint8Array = new Uint8Array();

/** Bytes that a packet takes on a TCP connection, its length included (PROTOCOL.md §2.3). */
export function recordSize(packet: Uint8Array): number {
  return varintSize(packet.length) + packet.length;
}

/** Writes the length that precedes a packet at index `at`; returns the index after it. `target` must have the room. */
export function writeRecordLength(target: Uint8Array, at: number, packet: Uint8Array): number {
  return writeVarint(target, at, packet.length);
}

/** Writes a packet behind its length at index `at`; returns the index after it. `target` must have the room. */
export function writeRecord(target: Uint8Array, at: number, packet: Uint8Array): number {
  const start = writeRecordLength(target, at, packet);
  target.set(packet, start);
  return start + packet.length;
}

/** The bytes of a connection are no records: nothing after the fault can be understood. */
export class FramingFault extends SlipwayError {
  declare readonly code: 'oversize' | 'malformed';

  constructor(code: 'oversize' | 'malformed', message: string) {
    super(code, message);
    this.name = 'FramingFault';
  }
}

/**
 * Turns the bytes of a TCP connection into packets (PROTOCOL.md §2.3). It holds one packet at most, and room for no
 * more than four times what has arrived of it.
 */
export class TcpParser {
  readonly #maxPacket: number;
  readonly #onPacket: (packet: Uint8Array) => void;
  /** The length of the record, as far as it has been read; `#lengthBytes` is how many bytes of it were. */
  #length = 0;
  #lengthBytes = 0;
  #lengthKnown = false;
  #gathered = NOTHING;
  #gatheredBytes = 0;
  #stopped = false;

  /**
   * `onPacket` gets each packet: a view of the chunk when all of it lies there. The bytes are only valid during the
   * call.
   */
  constructor(maxPacket: number, onPacket: (packet: Uint8Array) => void) {
    this.#maxPacket = maxPacket;
    this.#onPacket = onPacket;
  }

  /** Whether a packet has begun and not ended. */
  get unfinished(): boolean {
    return this.#lengthBytes > 0;
  }

  /** To be called while a packet is told: `push` returns after it. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Takes what was read. Packets before a fault have been told.
   * @returns how many bytes were taken: all, unless `stop` was called
   * @throws FramingFault `oversize` for a length beyond the largest packet, `malformed` for one that is zero or no
   * varint
   */
  push(chunk: Uint8Array): number {
    let at = 0;
    this.#stopped = false;
    while (at < chunk.length && !this.#stopped) {
      if (this.#lengthBytes === 0) {
        const whole = this.#takeWhole(chunk, at);
        if (whole > 0) {
          at = whole;
          continue;
        }
      }
      if (!this.#lengthKnown) {
        this.#takeLengthByte(chunk[at++] as number);
        continue;
      }
      const end = Math.min(chunk.length, at + this.#length - this.#gatheredBytes);
      if (this.#gatheredBytes === 0 && end - at === this.#length) {
        this.#restart();
        this.#onPacket(chunk.subarray(at, end));
      } else {
        this.#gather(chunk.subarray(at, end));
      }
      at = end;
    }
    return at;
  }

  /** Tells of a packet all of which lies in the chunk, as most do. Returns where it ends; 0 if there is none, or a fault in it. */
  #takeWhole(chunk: Uint8Array, start: number): number {
    let at = start;
    let length = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = chunk[at++];
      if (byte === undefined) return 0;
      length |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      const end = at + length;
      if (end > chunk.length || length > this.#maxPacket || byte === 0) return 0;
      this.#onPacket(chunk.subarray(at, end));
      return end;
    }
    return 0;
  }

  #takeLengthByte(byte: number): void {
    this.#length |= (byte & 0x7f) << (7 * this.#lengthBytes);
    this.#lengthBytes++;
    if (byte >= 0x80) {
      if (this.#lengthBytes === MAX_VARINT_BYTES) {
        throw new FramingFault('malformed', `the length of a packet has more than ${MAX_VARINT_BYTES} bytes`);
      }
      return;
    }
    if (this.#length === 0) throw new FramingFault('malformed', 'the length of a packet is zero');
    if (byte === 0)
      throw new FramingFault('malformed', 'the length of a packet is not written as short as possible');
    if (this.#length > this.#maxPacket) {
      const problem = `a packet of ${this.#length} bytes is larger than the ${this.#maxPacket} bytes that are taken`;
      throw new FramingFault('oversize', problem);
    }
    this.#lengthKnown = true;
  }

  #gather(part: Uint8Array): void {
    const filled = this.#gatheredBytes + part.length;
    if (filled > this.#gathered.length) {
      // Only a few times what has come: a peer that announces a large packet and sends none costs nothing.
      const size = Math.min(this.#length, Math.max(4 * filled, FIRST_GATHER_BYTES));
      const spare = 4 * filled >= SPARE_BYTES && this.#length <= SPARE_BYTES;
      const grown = spare ? takeBuffer() : Buffer.allocUnsafeSlow(size);
      grown.set(this.#gathered.subarray(0, this.#gatheredBytes));
      giveBuffer(this.#gathered);
      this.#gathered = grown;
    }
    this.#gathered.set(part, this.#gatheredBytes);
    this.#gatheredBytes = filled;
    if (filled < this.#length) return;
    const packet = this.#gathered.subarray(0, filled);
    this.#restart();
    this.#onPacket(packet);
    giveBuffer(packet);
  }

  #restart(): void {
    this.#length = 0;
    this.#lengthBytes = 0;
    this.#lengthKnown = false;
    this.#gathered = NOTHING;
    this.#gatheredBytes = 0;
  }
}
