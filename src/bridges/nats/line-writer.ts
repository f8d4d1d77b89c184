import { type NatsConnection, NatsConnectionImpl } from '@nats-io/transport-node';

/** What a line has besides the subject, at most: `HPUB`, two sizes, blanks and line ends. */
const LINE_BYTES = 32;
/** Of UTF-8, for each of a string's. */
const MOST_BYTES_A_CHARACTER = 3;
const CR = 13;
const LF = 10;

/**
 * Writes messages as the protocol has them, those that go together as one piece of bytes. The library makes some objects and encodes a line
 * for each message, which takes it longer than all else that a message needs here.
 */
export class LineWriter {
  readonly #nc: NatsConnectionImpl;

  /** @throws TypeError when the connection is not one of the library's own */
  constructor(nc: NatsConnection) {
    if (!(nc instanceof NatsConnectionImpl))
      throw new TypeError('This connection has no protocol to write to.');
    this.#nc = nc;
  }

  /** Publishes all payloads on that subject with those headers. They are copied. Returns how many bytes that takes. */
  write(subject: string, headers: Uint8Array, payloads: readonly Uint8Array[]): number {
    const most = subject.length * MOST_BYTES_A_CHARACTER + LINE_BYTES + headers.length;
    const bytes = Buffer.allocUnsafe(payloads.reduce((sum, { length }) => sum + length + most, 0));
    let at = 0;
    // Of the last one: mostly they are all as long.
    let head = { from: 0, to: 0, payloadLength: -1 };
    for (const payload of payloads) {
      if (payload.length === head.payloadLength) {
        bytes.copyWithin(at, head.from, head.to);
        at += head.to - head.from;
      } else {
        const from = at;
        at += bytes.write(`HPUB ${subject} ${headers.length} ${headers.length + payload.length}\r\n`, at);
        bytes.set(headers, at);
        at += headers.length;
        head = { from, to: at, payloadLength: payload.length };
      }
      bytes.set(payload, at);
      at += payload.length;
      bytes[at++] = CR;
      bytes[at++] = LF;
    }
    this.#nc.protocol.sendCommand(bytes.subarray(0, at));
    return at;
  }
}
