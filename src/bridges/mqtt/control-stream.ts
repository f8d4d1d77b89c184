import { Duplex } from 'node:stream';

/**
 * What the `mqtt` package takes for its connection. It has the packets that begin, keep and end a session, and those that subscribe;
 * messages and their acknowledgements go past it.
 */
export class ControlStream extends Duplex {
  readonly #send: (bytes: Buffer) => void;

  /** `send` puts bytes behind all others. */
  constructor(send: (bytes: Buffer) => void) {
    // It is read as fast as it is filled: what comes here is small, and the broker sends it only when it was asked.
    super({ emitClose: true });
    this.#send = send;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#send(chunk);
    done();
  }
}
