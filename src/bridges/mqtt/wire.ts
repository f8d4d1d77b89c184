import type { Duplex } from 'node:stream';
import { OutgoingBytes } from '../../links/stream/outgoing-bytes.js';
import { MalformedPacket } from '../../mqtt/wire/malformed.js';
import { NotMqtt, PacketSplitter } from './packet-splitter.js';

/** How long the broker may take to read what was sent before the connection is closed, ms. */
const CLOSE_GRACE_MS = 1000;

export interface WireEvents {
  /** A packet came. The wire may be paused meanwhile: then no other follows. It must not be kept. */
  packet(packet: PacketSplitter): void;
  /** The connection is gone, not by `close` or `destroy`. Called once. */
  closed(problem: Error | undefined): void;
}

/** The bytes to and from a broker: packets in, whatever bytes out, those of one turn of the event loop at once. */
export class Wire {
  readonly #socket: Duplex;
  readonly #outgoing: OutgoingBytes;
  readonly #splitter: PacketSplitter;
  readonly #events: WireEvents;
  #flushing = false;
  #takenBytes = 0;
  #paused = false;
  #over = false;

  /** `maxPacket`: the largest packet that is taken, in bytes. */
  constructor(socket: Duplex, maxPacket: number, events: WireEvents) {
    this.#socket = socket;
    this.#splitter = new PacketSplitter(maxPacket);
    this.#events = events;
    this.#outgoing = new OutgoingBytes(socket, (bytes) => {
      this.#takenBytes += bytes;
      this.#flush();
    });
    let problem: Error | undefined;
    socket.on('error', (error: Error) => {
      problem = error;
    });
    socket.on('close', () => {
      if (this.#over) return;
      this.#over = true;
      events.closed(problem);
    });
    socket.on('end', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      if (!this.#over) this.#read(chunk);
    });
  }

  /** Bytes that the system has not taken. */
  get unsentBytes(): number {
    return this.#outgoing.bytes;
  }

  /** Bytes that the system has taken until now. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** Sends bytes behind all others. They must not change any more. Nothing happens when the connection is gone. */
  send(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#outgoing.append(bytes);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Reads nothing more until `resume`. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  /** Goes on, perhaps before it returns. */
  resume(): void {
    if (!this.#paused || this.#over) return;
    this.#paused = false;
    this.#read();
    if (!this.#paused) this.#socket.resume();
  }

  /** Sends what waits, then closes. Nothing is told any more. */
  close(): Promise<void> {
    const socket = this.#socket;
    this.#over = true;
    this.#outgoing.writeAll();
    return new Promise((resolve) => {
      if (socket.closed) return resolve();
      const timer = setTimeout(() => socket.destroy(), CLOSE_GRACE_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      // What the broker still sends is not wanted; but to close over it would reset the connection before it has read our last word.
      socket.resume();
      socket.end();
    });
  }

  /** Closes at once. Nothing is told any more. */
  destroy(): void {
    this.#over = true;
    this.#outgoing.discard();
    this.#socket.destroy();
  }

  #read(chunk?: Buffer): void {
    try {
      if (chunk) this.#splitter.push(chunk);
      while (!this.#paused && !this.#over && this.#splitter.next()) this.#events.packet(this.#splitter);
    } catch (error) {
      if (!(error instanceof NotMqtt || error instanceof MalformedPacket)) throw error;
      this.destroy();
      this.#events.closed(error);
    }
  }

  #flush(): void {
    if (this.#socket.writable) this.#outgoing.write();
    else this.#outgoing.discard();
  }
}
