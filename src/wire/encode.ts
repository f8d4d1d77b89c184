import { HEAD, headOf } from './head.js';
import type { Message } from './messages.js';
import { lengthSize, messageSize } from './size.js';
import { writeBody } from './write-body.js';
import { unencodable, Writer } from './writer.js';

export { messageSize } from './size.js';

/**
 * One packet of these messages, at least one: L on all but the last (PROTOCOL.md §2, §3). The bytes are fresh: they share nothing with the messages.
 * @throws SlipwayError `unencodable` when a field does not fit the protocol
 */
export function encodePacket(messages: readonly Message[]): Uint8Array {
  let size = 0;
  for (let i = 0; i < messages.length; i++) {
    const own = messageSize(messages[i] as Message);
    size += i < messages.length - 1 ? own + lengthSize(own) : own;
  }
  return write(messages, size);
}

/**
 * Gathers messages into packets of at most `maxPacket` bytes. Messages are held until `finish` and encoded then, once,
 * straight into the packet: do not change a message or its payload in between.
 */
export class PacketBuilder {
  maxPacket = 0;
  #maxFirstLength = Number.POSITIVE_INFINITY;
  readonly #messages: Message[] = [];
  #length = 0;
  #lastSize = 0;

  constructor(maxPacket = 0, maxFirstLength?: number) {
    this.start(maxPacket, maxFirstLength);
  }

  /**
   * Begins a packet, whatever was left of another. `maxFirstLength`: the greatest length that a first message with L may
   * have; MAX_SERIAL_FIRST_LENGTH on a serial line (§8).
   */
  start(maxPacket: number, maxFirstLength = Number.POSITIVE_INFINITY): void {
    this.maxPacket = maxPacket;
    this.#maxFirstLength = maxFirstLength;
    this.#messages.length = 0;
    this.#length = 0;
  }

  get empty(): boolean {
    return this.#messages.length === 0;
  }

  /** Bytes that the packet would have if it were finished now. */
  get length(): number {
    return this.#length;
  }

  /** Bytes that the packet would have with a message of `size` bytes (`messageSize`) more. */
  lengthWith(size: number): number {
    return this.#length + (this.empty ? 0 : lengthSize(this.#lastSize)) + size;
  }

  /** Puts a message at the packet's end. False when it does not fit: then nothing has changed. */
  add(message: Message): boolean {
    const size = messageSize(message);
    const length = this.lengthWith(size);
    if (length > this.maxPacket) return false;
    if (this.#messages.length === 1 && this.#lastSize - 1 > this.#maxFirstLength) return false;
    this.#messages.push(message);
    this.#length = length;
    this.#lastSize = size;
    return true;
  }

  /**
   * The packet, in fresh bytes; the builder is empty again, also when this throws.
   * @throws SlipwayError `unencodable` when it is empty or a field does not fit the protocol
   */
  finish(): Uint8Array {
    try {
      return write(this.#messages, this.#length);
    } finally {
      this.#messages.length = 0;
      this.#length = 0;
    }
  }
}

function write(messages: readonly Message[], size: number): Uint8Array {
  if (messages.length === 0) throw unencodable('a packet holds at least one message');
  const out = new Writer(size);
  for (let i = 0; i < messages.length - 1; i++) {
    const message = messages[i] as Message;
    out.u8(headOf(message) | HEAD.LENGTH, 'head');
    out.varint(messageSize(message) - 1, 'length');
    writeBody(out, message);
  }
  const last = messages[messages.length - 1] as Message;
  out.u8(headOf(last), 'head');
  writeBody(out, last);
  return out.bytes;
}
