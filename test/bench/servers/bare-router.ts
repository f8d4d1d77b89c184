// The ceiling of a router in Node: frames behind their lengths come in, and are copied to every subscriber. Nothing else: no
// channels, no sessions, no limits.
import { createServer, type Socket } from 'node:net';
import { serve } from '../helper.js';
import { LENGTH_BYTES, SUBSCRIBE } from '../load/frames-speaker.js';

/** Room for what one turn brings to a subscriber; more is written at once. */
const BATCH_BYTES = 256 * 1024;
/** From here on a frame is not copied but written as it lies. */
const LARGE_BYTES = 16 * 1024;
/** Up to here a loop is faster than a call. */
const SMALL_BYTES = 64;

class Subscriber {
  readonly #socket: Socket;
  #batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  #filled = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  append(bytes: Buffer, start: number, end: number): void {
    const size = end - start;
    if (size >= LARGE_BYTES || this.#filled + size > BATCH_BYTES) this.flush();
    if (size >= LARGE_BYTES) {
      this.#socket.write(bytes.subarray(start, end));
      return;
    }
    if (size <= SMALL_BYTES) {
      const batch = this.#batch;
      for (let from = start, to = this.#filled; from < end; ) batch[to++] = bytes[from++] as number;
    } else {
      bytes.copy(this.#batch, this.#filled, start, end);
    }
    this.#filled += size;
  }

  flush(): void {
    if (this.#filled === 0) return;
    const batch = this.#batch;
    const left = !this.#socket.write(batch.subarray(0, this.#filled));
    // What the system has not taken yet must not change.
    if (left || this.#socket.writableLength > 0) this.#batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
    this.#filled = 0;
  }
}

const subscribers = new Set<Subscriber>();
let flushing = false;

function flushAll(): void {
  flushing = false;
  for (const subscriber of subscribers) subscriber.flush();
}

/** What comes over one connection. */
class Incoming {
  readonly #socket: Socket;
  #subscriber: Subscriber | undefined;
  /** A frame that the end of a read has cut, and how much of it is there. */
  #cut: Buffer | undefined;
  #gathered = 0;
  /** The beginning of a length that was cut. */
  #rest: Buffer | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.#subscriber && subscribers.delete(this.#subscriber));
  }

  #take(chunk: Buffer): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = undefined;
    let at = this.#cut ? this.#gather(this.#cut, bytes, 0) : 0;
    while (at < bytes.length) {
      if (at + LENGTH_BYTES > bytes.length) {
        this.#rest = bytes.subarray(at);
        break;
      }
      const size = LENGTH_BYTES + bytes.readUInt32BE(at);
      if (at + size > bytes.length) {
        this.#cut = Buffer.allocUnsafeSlow(size);
        this.#gathered = 0;
        at = this.#gather(this.#cut, bytes, at);
      } else {
        this.#pass(bytes, at, at + size);
        at += size;
      }
    }
    if (flushing) return;
    flushing = true;
    setImmediate(flushAll);
  }

  /** Returns the index of the first byte that is not part of the frame. */
  #gather(frame: Buffer, bytes: Buffer, from: number): number {
    const copied = bytes.copy(frame, this.#gathered, from);
    this.#gathered += copied;
    if (this.#gathered === frame.length) {
      this.#cut = undefined;
      this.#pass(frame, 0, frame.length);
    }
    return from + copied;
  }

  #pass(bytes: Buffer, start: number, end: number): void {
    if (end - start === LENGTH_BYTES + SUBSCRIBE.length) {
      this.#subscriber = new Subscriber(this.#socket);
      this.#subscriber.append(bytes, start, end);
      subscribers.add(this.#subscriber);
    } else {
      for (const one of subscribers) one.append(bytes, start, end);
    }
  }
}

function accept(socket: Socket): void {
  socket.setNoDelay(true);
  new Incoming(socket);
}

serve({
  listen: () =>
    new Promise((resolve) => {
      const server = createServer(accept).listen(0, '127.0.0.1', () => resolve(server.address()));
    }),
});
