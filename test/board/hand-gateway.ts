import { decodePacket } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Message } from '../../src/wire/messages.js';
import { frame, unframe } from '../firmware/bench.js';

const END = 0xc0;
const NONE = new Uint8Array();

/** The gateway's side of a serial line, so plain that a test can steer it: it does at once what a board asks for. */
export class HandGateway {
  readonly #write: (bytes: Uint8Array) => void;
  #frame: number[] = [];
  #token = 0x89abcdef;
  #nextIn = 0x1000;
  #nextOut = 0x2000;
  /** Whether what the board sends is lost on its way. */
  deaf = false;
  /** Whether it refuses each message that has a number (§7). */
  refuse = false;
  /** What the board has sent, but for the ACKs, since the last look. */
  readonly heard: Message[] = [];

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  /** The next byte that comes from the board. */
  take(byte: number): void {
    this.#frame.push(byte);
    if (byte !== END || this.#frame.length === 1) return;
    const frame = Uint8Array.from(this.#frame);
    this.#frame = [];
    if (this.deaf) return;
    const answers = decodePacket(unframe(frame), 'peer').flatMap((message) => this.#answer(message));
    if (answers.length > 0) this.send(...answers);
  }

  send(...messages: Message[]): void {
    this.#write(frame(encodePacket(messages)));
  }

  /** An emit to the board, with the next number where it has one. */
  emit(qos: 0 | 1 | 2, id: number, payload: Uint8Array): Message {
    const seq = qos === 0 ? {} : { seq: this.#nextOut++ & 0xffff };
    return { type: 'emit', qos, retain: false, id, payload, ...seq };
  }

  ack(bitmap: Uint8Array = NONE): Message {
    return { type: 'ack', next: this.#nextIn, bitmap };
  }

  #answer(message: Message): Message[] {
    if (message.type !== 'ack') this.heard.push(message);
    switch (message.type) {
      case 'hello': {
        const continues = message.token !== 0 && message.token === this.#token;
        if (continues) this.#nextOut = message.received;
        else this.#begin();
        return [
          {
            type: 'welcome',
            version: 1,
            resumed: continues,
            continues,
            known: continues,
            nonce: message.nonce,
            token: this.#token,
            nextIn: this.#nextIn,
            nextOut: this.#nextOut,
            received: this.#nextIn,
            keepAlive: message.keepAlive,
            maxPacket: 1024,
            window: 32,
            ids: 1024,
            time: 1767225600000,
          },
        ];
      }
      case 'begin':
        return [this.ack()];
      case 'ping':
        return [{ type: 'pong', token: message.token }];
      case 'time':
        return [{ type: 'time', token: message.token, time: 1767225600000 }];
      default:
        return 'seq' in message && message.seq !== undefined ? this.#number(message.seq) : [];
    }
  }

  #number(seq: number): Message[] {
    const isNext = seq === this.#nextIn;
    if (isNext) this.#nextIn = (seq + 1) & 0xffff;
    const ahead = (seq - this.#nextIn) & 0xffff;
    const ack = this.ack(ahead > 0 && ahead < 0x8000 ? Uint8Array.of(0) : NONE);
    if (!isNext || !this.refuse) return [ack];
    return [{ type: 'reject', seq: this.#nextOut++ & 0xffff, of: seq, reason: 'queue_full' }, ack];
  }

  #begin(): void {
    this.#token++;
    this.#nextIn = (this.#nextIn + 0x1000) & 0xffff;
    this.#nextOut = (this.#nextOut + 0x1000) & 0xffff;
  }
}
