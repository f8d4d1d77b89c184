import { expect, onTestFinished } from 'vitest';
import { FrameEncoder } from '../../src/links/serial/slip.js';
import { Splitter } from '../../src/links/serial/splitter.js';
import { decodePacket } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Hello, Message } from '../../src/wire/messages.js';
import { Pty } from '../links/serial/pty.js';
import { until } from './bench.js';

/** A board that a test plays by hand, at the other end of a pty. */
export class HandBoard {
  readonly pty: Pty;
  readonly #encoder = new FrameEncoder();

  constructor(pty: Pty) {
    this.pty = pty;
  }

  static async plug(path: string): Promise<HandBoard> {
    const pty = await Pty.plug(path);
    onTestFinished(() => pty.unplug());
    return new HandBoard(pty);
  }

  frame(...messages: Message[]): Buffer {
    return Buffer.from(this.#encoder.encode(encodePacket(messages)));
  }

  get written(): Buffer {
    return Buffer.concat(this.pty.written);
  }

  /** What the gateway sent, in order; a line of text as such. */
  heard(): (Message | string)[] {
    const heard: (Message | string)[] = [];
    const splitter = new Splitter(1024, {
      packet: (packet) => heard.push(...decodePacket(packet, 'gateway')),
      line: (line) => heard.push(line),
      drop: (reason) => heard.push(`dropped: ${reason}`),
    });
    splitter.push(this.written);
    return heard;
  }

  /** The first message of a type that the gateway sent. */
  async first<T extends Message['type']>(type: T): Promise<Extract<Message, { type: T }>> {
    const find = () => this.heard().find((item) => typeof item === 'object' && item.type === type);
    await until(() => expect(find()).toBeDefined());
    return find() as Extract<Message, { type: T }>;
  }
}

export const HELLO: Hello = {
  type: 'hello',
  version: 1,
  clean: false,
  program: false,
  nonce: 0x01020304,
  token: 0,
  received: 0,
  keepAlive: 0,
  expiry: 60,
  maxPacket: 128,
  window: 4,
  inFlight: 4,
  buffer: 0,
  ids: 0,
  identity: 'by-hand',
};
