import { decodePacket } from '../../../src/wire/decode.js';
import { encodePacket } from '../../../src/wire/encode.js';
import { MAX_VARINT, MAX_WINDOW } from '../../../src/wire/limits.js';
import type { Ack, Message, Welcome } from '../../../src/wire/messages.js';
import { varintSize, writeVarint } from '../../../src/wire/varint.js';
import { helloOf } from '../hello.js';
import { BenchFailure } from '../row.js';
import { Speaker } from './speaker.js';

const LENGTH = 0x40;
const CONTROL = 0x30;
const NAMED = 0x04;
const CHANNEL_ID = 1;

/** Slipway on TCP (PROTOCOL.md §2.3), each side with an id for the channel. */
export class SlipwaySpeaker extends Speaker {
  #welcome: Welcome | undefined;
  /** Bytes of the packet at hand that are still to come. */
  #packetLeft = 0;
  /** The number of the first message that is published. */
  #firstSeq = 0;
  /** Up to where the gateway has acknowledged; undefined before the first message. */
  #acknowledged = 0;
  #next: number | undefined;
  #toAcknowledge = false;

  async greet(): Promise<void> {
    const hello = helloOf(`${this.part.kind}-${this.part.number}-${process.pid}`, {
      program: true,
      maxPacket: 1 << 20,
      window: MAX_WINDOW,
      inFlight: MAX_WINDOW,
    });
    this.connection.write(record([hello]));
    await this.hears<Message>((answer) => {
      if (answer.type === 'welcome') this.#welcome = answer;
      return answer.type === 'welcome';
    });
    const { token, nextIn: seq, window } = this.#welcome as Welcome;
    if (this.load.qos > 0 && window < this.load.block * this.load.window)
      throw new BenchFailure(`the gateway's window of ${window} is too small for this load`);
    const first: Message =
      this.part.kind === 'publisher'
        ? { type: 'declare', seq, id: CHANNEL_ID, name: this.load.channel }
        : {
            type: 'subscribe',
            seq,
            qos: this.load.qos,
            noLocal: false,
            noLastValue: true,
            id: CHANNEL_ID,
            pattern: this.load.channel,
          };
    this.connection.write(record([{ type: 'begin', token }, first]));
    this.#firstSeq = (seq + 1) & 0xffff;
    await this.hears<Message>((answer) => answer.type === 'ack' && answer.next === this.#firstSeq);
    this.#acknowledged = this.#firstSeq;
  }

  encode(payloads: readonly Buffer[], first: number): Buffer {
    const { qos, perPacket } = this.load;
    const emits = payloads.map((payload, i): Message => {
      const emit = { type: 'emit', qos, retain: false, id: CHANNEL_ID, gatewayId: false, payload } as const;
      return qos > 0 ? { ...emit, seq: (this.#firstSeq + first + i) & 0xffff } : emit;
    });
    const records: Buffer[] = [];
    for (let at = 0; at < emits.length; at += perPacket)
      records.push(record(emits.slice(at, at + perPacket)));
    return Buffer.concat(records);
  }

  acknowledgement(first: number): Buffer {
    return record([{ type: 'ack', next: (first + this.load.block) & 0xffff, bitmap: new Uint8Array() }]);
  }

  read(bytes: Buffer, view: DataView, to: number): number {
    let at = 0;
    while (at < to) {
      if (this.#packetLeft === 0) {
        const length = readVarint(bytes, at, to);
        if (length < 0) break;
        this.#packetLeft = length;
        at += varintSize(length);
        continue;
      }
      const head = bytes[at] as number;
      let body = at + 1;
      let end = at + this.#packetLeft;
      if ((head & LENGTH) !== 0) {
        const length = readVarint(bytes, body, to);
        if (length < 0) break;
        body += varintSize(length);
        end = body + length;
      }
      if (end > to) break;
      if ((head & CONTROL) === CONTROL)
        this.#control(decodePacket(bytes.subarray(at, end), 'gateway')[0] as Message);
      else this.#emit(bytes, view, head, body, end);
      this.#packetLeft -= end - at;
      at = end;
    }
    if (this.#toAcknowledge) this.#acknowledge();
    return at;
  }

  #emit(bytes: Buffer, view: DataView, head: number, body: number, end: number): void {
    let at = body;
    if ((head & CONTROL) !== 0) {
      const seq = view.getUint16(at);
      if (this.#next !== undefined && seq !== this.#next)
        throw new BenchFailure(`number ${seq} came where ${this.#next} should have`);
      this.#next = (seq + 1) & 0xffff;
      this.#toAcknowledge = true;
      at += 2;
    }
    if ((head & NAMED) !== 0) at += 1 + (bytes[at] as number);
    else at += varintSize(readVarint(bytes, at, end));
    this.deliver(view, at, end);
  }

  #acknowledge(): void {
    this.#toAcknowledge = false;
    this.connection.write(record([{ type: 'ack', next: this.#next as number, bitmap: new Uint8Array() }]));
  }

  #control(message: Message): void {
    if (message.type === 'refuse' || message.type === 'reject' || message.type === 'bye')
      throw new BenchFailure(`the gateway says ${message.type} ${message.reason}`);
    this.heard(message);
    if (message.type === 'ack' && this.load.qos > 0) this.#count(message);
  }

  #count({ next, bitmap }: Ack): void {
    if (bitmap.length > 0) throw new BenchFailure('the gateway reports a gap on TCP');
    const count = (next - this.#acknowledged) & 0xffff;
    this.#acknowledged = next;
    if (count > 0 && count <= MAX_WINDOW) this.acknowledged(count);
  }
}

/** A packet behind its length. */
function record(messages: readonly Message[]): Buffer {
  const packet = encodePacket(messages);
  const bytes = Buffer.allocUnsafe(varintSize(packet.length) + packet.length);
  bytes.set(packet, writeVarint(bytes, 0, packet.length));
  return bytes;
}

/** -1 when it does not end before `to`. */
function readVarint(bytes: Buffer, from: number, to: number): number {
  let value = 0;
  for (let at = from, shift = 0; at < to; at++, shift += 7) {
    const byte = bytes[at] as number;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
    if (value > MAX_VARINT >> 7 && shift >= 21) throw new BenchFailure('a length has more than four bytes');
  }
  return -1;
}
