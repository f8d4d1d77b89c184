import { MAX_TEXT_LINE_BYTES } from '../../wire/limits.js';
import { END, FrameDecoder, type FrameFault, longestFrame } from './slip.js';
import { beginsWithWideCharacter, isLineEnd, legible, printable, wholeCharacters } from './text.js';

/** Why bytes were dropped: the faults of a frame, and `noise` that is neither frame nor text. */
export type DropReason = FrameFault | 'noise';

export interface SplitterEvents {
  /** A packet whose CRC was right. The bytes are only valid during the call. */
  packet(packet: Uint8Array): void;
  /** A line of text, without its end, never empty. */
  line(line: string): void;
  drop(reason: DropReason, bytes: number): void;
}

/**
 * What the bytes since the last END, or line, are:
 * - `fresh`: there are none;
 * - `text`: they began with ASCII, which no packet does;
 * - `held`: they began otherwise, and the next END will tell;
 * - `lost`: they were held until no packet is that large. Only an END ends this, but printable lines are still
 *   picked out, so that one bad byte does not silence a board that prints and never sends an END.
 */
type State = 'fresh' | 'text' | 'held' | 'lost';

/**
 * Splits the bytes of a serial line into packets, lines of text and counted noise (PROTOCOL.md §2.1, §8). It holds
 * one longest frame at most, never throws on any input, and keeps the order in which things came.
 */
export class Splitter {
  readonly #events: SplitterEvents;
  readonly #decoder: FrameDecoder;
  /** One byte longer than what is held, for the END of the frame. */
  readonly #bytes: Buffer;
  #length = 0;
  #state: State = 'fresh';
  /** Held bytes that have already been seen to be no text as a whole. */
  #notText = false;
  /** How many of the held bytes have been looked through for lines; 0 when none are held. */
  #looked = 0;

  /** `maxPacket`: the largest packet in bytes that is taken. */
  constructor(maxPacket: number, events: SplitterEvents) {
    this.#events = events;
    this.#decoder = new FrameDecoder(maxPacket);
    this.#bytes = Buffer.alloc(Math.max(longestFrame(maxPacket), MAX_TEXT_LINE_BYTES) + 1);
  }

  /** Bytes that wait for more: an incomplete line, or what may be a frame. */
  get pending(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (byte === END) this.#end();
      else if (this.#state === 'held') this.#takeHeld(byte);
      else if (isLineEnd(byte)) this.#endLine();
      else if (this.#state === 'fresh' && byte >= 0x80) this.#hold(byte);
      else this.#takeText(byte);
    }
  }

  /** The line was silent for 250 ms: what stands there of a line of text is a line (PROTOCOL.md §8). */
  idle(): void {
    if (this.#state !== 'held') this.#endLine();
    else if (!this.#heldIsLine()) this.#showLines();
  }

  /** What is incomplete has nothing to do with what comes next, and is dropped. */
  clear(): void {
    if (this.#length > 0) this.#events.drop('noise', this.#length);
    this.#restart();
  }

  #hold(byte: number): void {
    this.#state = 'held';
    this.#notText = false;
    this.#append(byte);
  }

  #takeHeld(byte: number): void {
    if (!this.#notText && (isLineEnd(byte) || this.#length === MAX_TEXT_LINE_BYTES)) {
      if (isLineEnd(byte) && this.#heldIsLine()) return;
      if (!isLineEnd(byte) && this.#heldIsText()) {
        this.#state = 'text';
        this.#takeText(byte);
        return;
      }
      this.#notText = true;
    }
    if (this.#length === this.#bytes.length - 1) {
      this.#giveUpFrame();
      if (isLineEnd(byte)) this.#endLine();
      else this.#takeText(byte);
    } else {
      this.#append(byte);
    }
  }

  /** Whether all that is held, but for a character cut by its end, is text that no packet can be. */
  #heldIsText(): boolean {
    const held = this.#held();
    return beginsWithWideCharacter(held) && printable(held.subarray(0, wholeCharacters(held))) !== undefined;
  }

  /** Tells what is held as a line if it is one. */
  #heldIsLine(): boolean {
    const held = this.#held();
    const line = !this.#notText && beginsWithWideCharacter(held) ? printable(held) : undefined;
    if (line === undefined) return false;
    this.#events.line(line);
    this.#restart();
    return true;
  }

  #takeText(byte: number): void {
    if (this.#state === 'fresh') this.#state = 'text';
    if (this.#length === MAX_TEXT_LINE_BYTES) this.#tellLine(wholeCharacters(this.#held()));
    this.#append(byte);
  }

  #endLine(): void {
    if (this.#length > 0) this.#tellLine(this.#length);
    if (this.#state === 'text') this.#state = 'fresh';
  }

  /** Tells the first `size` bytes as a line; what began as text is one whatever it holds. */
  #tellLine(size: number): void {
    const bytes = this.#bytes.subarray(0, size);
    const line = this.#state === 'text' ? legible(bytes) : printable(bytes);
    if (line === undefined) this.#events.drop('noise', size);
    else this.#events.line(line);
    this.#discard(size);
  }

  #end(): void {
    const found = this.#state === 'held' ? this.#decodeHeld() : 'crc';
    if (typeof found !== 'string') this.#events.packet(found);
    else if (this.#length > 0) this.#tellStretch(this.#state === 'lost' ? 'noise' : found);
    this.#restart();
  }

  #decodeHeld(): Buffer | FrameFault {
    this.#bytes[this.#length] = END;
    return this.#decoder.decode(this.#bytes.subarray(0, this.#length + 1));
  }

  /** An END came after what is no frame: it is text if all of it is printable. */
  #tellStretch(reason: DropReason): void {
    if (printable(this.#held()) === undefined) {
      this.#events.drop(reason, this.#length);
    } else {
      this.#append(0x0a);
      this.#showLines();
    }
  }

  /**
   * Tells the printable lines among the held bytes, each once. In silence the bytes stay held: should an END show
   * them to be a packet after all, that packet is not lost.
   */
  #showLines(): void {
    const held = this.#held();
    for (let at = this.#looked; at < held.length; at++) {
      if (!isLineEnd(held[at])) continue;
      const line = printable(held.subarray(this.#looked, at));
      if (line) this.#events.line(line);
      this.#looked = at + 1;
    }
  }

  /** What is held is larger than any packet. A line that it ends with may go on. */
  #giveUpFrame(): void {
    this.#showLines();
    const begun = this.#looked > 0 ? this.#length - this.#looked : 0;
    const given = begun <= MAX_TEXT_LINE_BYTES ? this.#length - begun : this.#length;
    this.#events.drop('oversize', given);
    this.#discard(given);
    this.#looked = 0;
    this.#state = 'lost';
  }

  #append(byte: number): void {
    this.#bytes[this.#length++] = byte;
  }

  #held(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets the first `size` bytes. */
  #discard(size: number): void {
    this.#bytes.copyWithin(0, size, this.#length);
    this.#length -= size;
  }

  #restart(): void {
    this.#length = 0;
    this.#looked = 0;
    this.#state = 'fresh';
  }
}
