import { connectTcp } from '../../../src/links/tcp/tcp-connect.js';
import type { TcpLink } from '../../../src/links/tcp/tcp-link.js';
import { decodePacket } from '../../../src/wire/decode.js';
import { encodePacket } from '../../../src/wire/encode.js';
import { MAX_WINDOW, PROTOCOL_VERSION } from '../../../src/wire/limits.js';
import type { Message, Welcome } from '../../../src/wire/messages.js';
import { BenchFailure } from '../row.js';

const MAX_PACKET = 1 << 20;
const PATIENCE_MS = 10_000;
/** Messages in a packet: fewer than the gateway's window on TCP. */
const BATCH = 1000;

/** A session over TCP with nothing to it: what it is to say is said, and acknowledged. It costs this process little. */
export class RawSession {
  readonly #link: TcpLink;
  #seq = 0;
  #heard: (message: Message) => void = () => {};
  #failed: (error: Error) => void = () => {};

  static async open(port: number, identity: string): Promise<RawSession> {
    let session!: RawSession;
    const link = await connectTcp(
      { host: '127.0.0.1', port, maxPacket: MAX_PACKET, timeoutMs: PATIENCE_MS },
      () => ({
        packet: (packet) => {
          for (const message of decodePacket(packet, 'gateway')) session.#heard(message);
        },
        closed: (reason) => session.#failed(new BenchFailure(`the connection is gone: ${reason}`)),
      }),
    );
    session = new RawSession(link);
    await session.#greet(identity);
    return session;
  }

  private constructor(link: TcpLink) {
    this.#link = link;
  }

  /** Says so many messages that have numbers, a window at a time. @throws BenchFailure when one is refused */
  async reliably(count: number, message: (n: number, seq: number) => Message): Promise<void> {
    for (let n = 0; n < count; ) {
      const batch: Message[] = [];
      while (n < count && batch.length < BATCH) batch.push(message(n++, this.#nextSeq()));
      await this.#acknowledged(batch);
    }
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  async #greet(identity: string): Promise<void> {
    const hello: Message = {
      type: 'hello',
      version: PROTOCOL_VERSION,
      clean: true,
      program: true,
      nonce: Math.floor(Math.random() * 2 ** 32),
      token: 0,
      received: 0,
      keepAlive: 0,
      expiry: 0,
      maxPacket: MAX_PACKET,
      window: MAX_WINDOW,
      inFlight: MAX_WINDOW,
      buffer: 0,
      ids: 0,
      identity,
    };
    const { token, nextIn } = await this.#answer([hello], (one): one is Welcome => one.type === 'welcome');
    this.#seq = nextIn;
    await this.#acknowledged([{ type: 'begin', token }]);
  }

  #nextSeq(): number {
    const seq = this.#seq;
    this.#seq = (seq + 1) & 0xffff;
    return seq;
  }

  async #acknowledged(messages: readonly Message[]): Promise<void> {
    await this.#answer(messages, (one): one is Message => one.type === 'ack' && one.next === this.#seq);
  }

  #answer<T extends Message>(messages: readonly Message[], wanted: (one: Message) => one is T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#failed = reject;
      this.#heard = (message) => {
        if (wanted(message)) resolve(message);
        if (message.type === 'refuse' || message.type === 'reject' || message.type === 'bye')
          reject(new BenchFailure(`the gateway says ${message.type} ${message.reason}`));
      };
      this.#link.send(encodePacket(messages));
    });
  }
}
