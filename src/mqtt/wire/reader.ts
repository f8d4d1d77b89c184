import { MalformedPacket } from './malformed.js';
import type { ProtocolLevel } from './packets.js';
import { REASON, type ReasonCode } from './reason-codes.js';
import { asciiText, hasUnfitCharacter, utf8Text } from './text.js';

/**
 * Reads the fields of one packet after the other, from `at` up to `end`. Every method throws a MalformedPacket rather than read
 * past `end`: a packet that is cut short by its own length cannot be parsed ("Malformed Packet", MQTT 5, 1.2).
 */
export class Reader {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;
  /** What the client speaks; 4 until that is known. */
  level: ProtocolLevel = 4;
  /** How a fault is answered; undefined: not at all. */
  answering: 'connack' | 'disconnect' | undefined;

  /** Begins with a packet's body, or any part of it. */
  start(bytes: Buffer, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  u8(field: string): number {
    return this.bytes[this.#take(1, field)] as number;
  }

  u16(field: string): number {
    const at = this.#take(2, field);
    return ((this.bytes[at] as number) << 8) | (this.bytes[at + 1] as number);
  }

  u32(field: string): number {
    return this.u16(field) * 0x1_0000 + this.u16(field);
  }

  /** A variable byte integer: at most 4 bytes (1.5.5), as few as possible [MQTT-1.5.5-1]. */
  varint(field: string): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8(field);
      value |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      if (byte === 0 && shift > 0)
        throw this.malformed('MQTT-1.5.5-1', `${field} is longer than it has to be`);
      return value;
    }
    throw this.malformed('1.5.5', `${field} has more than 4 bytes`);
  }

  /** Bytes behind their length (1.5.6): a view. */
  binary(field: string): Buffer {
    const length = this.u16(field);
    const at = this.#take(length, field);
    return this.bytes.subarray(at, at + length);
  }

  /** Text behind its length (1.5.4). */
  text(field: string): string {
    const length = this.u16(field);
    const at = this.#take(length, field);
    return asciiText(this.bytes, at, this.at) ?? this.#utf8(at, field);
  }

  /** A text that names something: what a receiver may treat as malformed in it (1.5.4) is. */
  name(field: string): string {
    const length = this.u16(field);
    const at = this.#take(length, field);
    const ascii = asciiText(this.bytes, at, this.at);
    if (ascii !== undefined) return ascii;
    const text = this.#utf8(at, field);
    if (hasUnfitCharacter(text)) throw this.malformed('1.5.4', `${field} has a control or non-character`);
    return text;
  }

  /** [MQTT-2.2.1-3]: 1 to 65,535. */
  packetId(): number {
    const id = this.u16('the packet identifier');
    if (id === 0) throw this.protocolError('MQTT-2.2.1-3', 'the packet identifier is 0');
    return id;
  }

  /** What is left: a view. */
  rest(): Buffer {
    const at = this.at;
    this.at = this.end;
    return this.bytes.subarray(at, this.end);
  }

  /** Nothing may be left. */
  finish(): void {
    if (this.at < this.end) throw this.malformed('4.13', `${this.left} bytes too many`);
  }

  malformed(clause: string, problem: string): MalformedPacket {
    return this.fault(REASON.malformedPacket, clause, problem);
  }

  protocolError(clause: string, problem: string): MalformedPacket {
    return this.fault(REASON.protocolError, clause, problem);
  }

  /** The standard sets no bound, but this server does. */
  tooMany(max: number, what: string): MalformedPacket {
    return this.fault(REASON.quotaExceeded, '4.13', `a packet has more than ${max} ${what}`);
  }

  fault(reason: ReasonCode, clause: string, problem: string): MalformedPacket {
    const { answering, level } = this;
    if (answering === undefined) return new MalformedPacket(reason, clause, problem);
    const packet =
      answering === 'connack'
        ? ({ type: 'connack', sessionPresent: false, code: reason, properties: {} } as const)
        : ({ type: 'disconnect', code: reason, properties: {} } as const);
    return new MalformedPacket(reason, clause, problem, { packet, level });
  }

  #utf8(at: number, field: string): string {
    const text = utf8Text(this.bytes.subarray(at, this.at));
    if (text === undefined) throw this.malformed('MQTT-1.5.4-1', `${field} is not UTF-8`);
    if (text.includes('\0')) throw this.malformed('MQTT-1.5.4-2', `${field} has a null character`);
    return text;
  }

  #take(count: number, field: string): number {
    const at = this.at;
    if (at + count > this.end) throw this.malformed('4.13', `${field} is cut short by the end of the packet`);
    this.at = at + count;
    return at;
  }
}
