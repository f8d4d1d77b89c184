import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { BenchFailure } from '../row.js';

/** Room for the largest message that is measured, twice over. */
const RECEIVE_BYTES = 256 * 1024;

/** Looks at bytes from index 0 to `to`; returns the index of the first that it could not use yet. */
export type Reader = (bytes: Buffer, view: DataView, to: number) => number;

/** A TCP connection that reads into one buffer, over and over: what is left unread stays at its beginning. */
export class Connection {
  readonly #socket: Socket;
  readonly #bytes = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #filled = 0;
  reader: Reader = () => 0;

  private constructor(port: number, failed: (error: Error) => void) {
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: () => this.#bytes.subarray(this.#filled),
        callback: (length) => {
          try {
            this.#take(length);
          } catch (error) {
            failed(error as Error);
          }
          return true;
        },
      },
    });
    this.#socket.on('error', failed);
    this.#socket.on('end', () => failed(new BenchFailure('the server closed the connection')));
  }

  /** `failed` is told what goes wrong later, also what the reader throws. */
  static async open(port: number, failed: (error: Error) => void): Promise<Connection> {
    const connection = new Connection(port, failed);
    await once(connection.#socket, 'connect');
    return connection;
  }

  /** The bytes must not change until they are sent. */
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  #take(length: number): void {
    this.#filled += length;
    const used = this.reader(this.#bytes, this.#view, this.#filled);
    if (used === 0 && this.#filled === RECEIVE_BYTES)
      throw new BenchFailure(`a message of more than ${RECEIVE_BYTES} bytes came`);
    this.#bytes.copyWithin(0, used, this.#filled);
    this.#filled -= used;
  }
}
