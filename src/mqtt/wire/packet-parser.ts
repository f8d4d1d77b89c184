import type { ClientPacket, ProtocolLevel } from './packets.js';
import { readPacket } from './read-packet.js';
import { Reader } from './reader.js';
import { REASON } from './reason-codes.js';
import { MAX_LENGTH_BYTES, SECOND_BIT_TYPES, TYPE } from './types.js';

/** A packet that is cut by the end of a read is gathered in a buffer that begins with so many bytes. */
const FIRST_GATHER_BYTES = 4096;

const NOTHING: Buffer = Buffer.alloc(0);

/** What only a server sends. */
const FROM_SERVER: ReadonlySet<number> = new Set([TYPE.connack, TYPE.suback, TYPE.unsuback, TYPE.pingresp]);

export interface ParserOptions {
  /** The largest CONNECT, in bytes with its head. Nothing else is read before it. */
  readonly maxConnect: number;
  /** The largest packet after that, in bytes with its head: what CONNACK says in MQTT 5. */
  readonly maxPacket: number;
}

/**
 * Turns the bytes of a connection into what a client says on it, in MQTT 3.1, 3.1.1 and 5. All that a packet shows by itself is
 * checked, and that CONNECT comes first and once ([MQTT-3.1.0-1], [MQTT-3.1.0-2]). Of a packet that is not complete it holds what
 * has arrived, in no more than four times the room.
 */
export class PacketParser {
  readonly #options: ParserOptions;
  readonly #reader = new Reader();
  #connected = false;
  /** What was pushed last, taken up to `#at`. */
  #chunk: Buffer = NOTHING;
  #at = 0;
  /** The first byte of the packet, and its remaining length as far as it has been read: so many bytes of it. */
  #head = 0;
  #length = 0;
  #lengthBytes = 0;
  #overlong = false;
  #state: 'head' | 'length' | 'body' = 'head';
  #gathered: Buffer = NOTHING;
  #gatheredBytes = 0;

  constructor(options: ParserOptions) {
    this.#options = options;
  }

  /** What the client speaks; undefined before its CONNECT. */
  get level(): ProtocolLevel | undefined {
    return this.#connected ? this.#reader.level : undefined;
  }

  /** Whether a packet has begun and not ended, as far as `next` was called. */
  get unfinished(): boolean {
    return this.#state !== 'head';
  }

  /**
   * Puts what was read behind what is left. It must not change until `next` has told it all: packets are read out of it. Whoever does
   * not call `next` until there is nothing more has to stop reading meanwhile.
   */
  push(chunk: Uint8Array): void {
    const bytes = asBuffer(chunk);
    this.#chunk =
      this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), bytes]) : bytes;
    this.#at = 0;
  }

  /**
   * The next packet that is complete; undefined if there is none. Payloads and other binary fields are views of what was pushed: copy
   * what is kept. After a CONNECT it must not be called again before the CONNACK is sent: faults of what follows are answered with a
   * DISCONNECT, which must not precede it [MQTT-3.14.0-1].
   * @throws MalformedPacket: nothing after it can be understood, and `next` must not be called again
   */
  next(): ClientPacket | undefined {
    const chunk = this.#chunk;
    while (this.#at < chunk.length) {
      const packet = this.#state === 'head' ? this.#takeWhole(chunk) : this.#takePart(chunk);
      if (packet !== undefined) return packet;
    }
    // An idle connection does not keep what it was sent.
    this.#chunk = NOTHING;
    this.#at = 0;
    this.#reader.start(NOTHING, 0, 0);
    return undefined;
  }

  /** A packet all of which lies in the chunk, as most do. Otherwise, or with a fault in its head, takes only its first byte. */
  #takeWhole(chunk: Buffer): ClientPacket | undefined {
    const start = this.#at;
    const head = chunk[start] as number;
    let at = start + 1;
    let length = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = chunk[at++];
      if (byte === undefined) break;
      length |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      const end = at + length;
      if (end > chunk.length || end - start > this.#maxBytes || (byte === 0 && shift > 0)) break;
      this.#checkHead(head);
      this.#at = end;
      return this.#read(head, chunk, at, end);
    }
    this.#head = head;
    this.#at = start + 1;
    this.#state = 'length';
    return undefined;
  }

  #takePart(chunk: Buffer): ClientPacket | undefined {
    if (this.#state === 'length') return this.#takeLengthByte(chunk[this.#at++] as number);
    const start = this.#at;
    this.#at = Math.min(chunk.length, start + this.#length - this.#gatheredBytes);
    return this.#gather(chunk.subarray(start, this.#at));
  }

  get #maxBytes(): number {
    return this.#connected ? this.#options.maxPacket : this.#options.maxConnect;
  }

  #takeLengthByte(byte: number): ClientPacket | undefined {
    const reader = this.#reader;
    if (this.#lengthBytes === 0) this.#checkHead(this.#head);
    this.#length |= (byte & 0x7f) << (7 * this.#lengthBytes);
    this.#lengthBytes++;
    if (byte >= 0x80) {
      if (this.#lengthBytes === MAX_LENGTH_BYTES) {
        throw reader.malformed('2.1.4', `the remaining length has more than ${MAX_LENGTH_BYTES} bytes`);
      }
      return undefined;
    }
    this.#overlong = byte === 0 && this.#lengthBytes > 1;
    const total = 1 + this.#lengthBytes + this.#length;
    if (total > this.#maxBytes) {
      const problem = `a packet of ${total} bytes is larger than the ${this.#maxBytes} bytes that are taken`;
      throw reader.fault(REASON.packetTooLarge, '3.2.2.3.6', problem);
    }
    if (this.#length === 0) return this.#finish(NOTHING);
    this.#state = 'body';
    return undefined;
  }

  #gather(part: Buffer): ClientPacket | undefined {
    if (this.#gatheredBytes === 0 && part.length === this.#length) return this.#finish(part);
    const filled = this.#gatheredBytes + part.length;
    if (filled > this.#gathered.length) {
      // Only a few times what has come: a client that announces a large packet and sends none costs nothing.
      const size = Math.min(this.#length, Math.max(4 * filled, FIRST_GATHER_BYTES));
      const grown = Buffer.allocUnsafeSlow(size);
      grown.set(this.#gathered.subarray(0, this.#gatheredBytes));
      this.#gathered = grown;
    }
    this.#gathered.set(part, this.#gatheredBytes);
    this.#gatheredBytes = filled;
    return filled === this.#length ? this.#finish(this.#gathered) : undefined;
  }

  #finish(body: Buffer): ClientPacket {
    const length = this.#length;
    const overlong = this.#overlong;
    this.#overlong = false;
    this.#length = 0;
    this.#lengthBytes = 0;
    this.#gathered = NOTHING;
    this.#gatheredBytes = 0;
    this.#state = 'head';
    return this.#read(this.#head, body, 0, length, overlong);
  }

  /** What the first byte alone shows, before anything is held for it. */
  #checkHead(head: number): void {
    const reader = this.#reader;
    const type = head >> 4;
    if (!this.#connected) {
      if (type !== TYPE.connect)
        throw reader.protocolError('MQTT-3.1.0-1', 'the first packet is not a CONNECT');
      return;
    }
    if (type === TYPE.publish) {
      this.#checkPublishFlags(head);
      return;
    }
    if (type === TYPE.connect) throw reader.protocolError('MQTT-3.1.0-2', 'there is a second CONNECT');
    if (type === 0 || FROM_SERVER.has(type)) {
      throw reader.protocolError('2.1.2', `a client cannot send a packet of type ${type}`);
    }
    if (type === TYPE.auth) {
      if (reader.level < 5) throw reader.malformed('2.1.2', 'there is no AUTH before MQTT 5');
      // A CONNECT that asks for enhanced authentication is refused: an AUTH can only come without one.
      throw reader.protocolError('MQTT-4.12.0-7', 'there is an AUTH, and no authentication method');
    }
    // In 3.1 the DUP flag may be set in some packets, and no other bit has to be 0.
    const flags = SECOND_BIT_TYPES.has(type) ? 2 : 0;
    if ((head & 0x0f) !== flags && reader.level > 3) {
      throw reader.malformed(
        'MQTT-2.1.3-1',
        `the flags of a packet of type ${type} are ${head & 0x0f}, not ${flags}`,
      );
    }
  }

  #checkPublishFlags(head: number): void {
    const qos = (head >> 1) & 3;
    if (qos === 3) throw this.#reader.malformed('MQTT-3.3.1-4', 'the QoS of a PUBLISH is 3');
    if (qos === 0 && (head & 8) !== 0 && this.#reader.level > 3) {
      throw this.#reader.malformed('MQTT-3.3.1-2', 'a PUBLISH of QoS 0 is marked as a duplicate');
    }
  }

  #read(head: number, bytes: Buffer, at: number, end: number, overlong = false): ClientPacket {
    const reader = this.#reader;
    reader.start(bytes, at, end);
    const packet = readPacket(reader, head);
    // 3.1.1 does not ask for that.
    if (overlong && reader.level === 5) {
      throw reader.malformed('MQTT-1.5.5-1', 'the remaining length has more bytes than it needs');
    }
    if (packet.type === 'connect') {
      this.#connected = true;
      reader.answering = packet.level === 5 ? 'disconnect' : undefined;
    }
    return packet;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
