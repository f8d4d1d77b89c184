// The ceiling of a router in Node: frames behind their lengths come in, and are copied to every subscriber. Nothing else: no
// channels, no sessions, no limits.
import { createServer, type Socket } from 'node:net';
import { serve } from '../helper.js';
import { LENGTH_BYTES, SUBSCRIBE } from '../load/frames-speaker.js';

/** Room for what one turn brings to a subscriber; more is written at once. */
const BATCH_BYTES = 256 * 1024;

class Subscriber {
  readonly #socket: Socket;
  #batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  #filled = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  append(bytes: Buffer, start: number, end: number): void {
    const size = end - start;
    if (this.#filled + size > BATCH_BYTES) this.flush();
    if (size < 64) {
      // For so few bytes a loop is faster than a call.
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

function accept(socket: Socket): void {
  let subscriber: Subscriber | undefined;
  let rest: Buffer | undefined;
  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    while (at + LENGTH_BYTES <= bytes.length) {
      const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
      if (end > bytes.length) break;
      if (end - at === LENGTH_BYTES + SUBSCRIBE.length) {
        subscriber = new Subscriber(socket);
        subscriber.append(bytes, at, end);
        subscriber.flush();
        subscribers.add(subscriber);
      } else {
        for (const one of subscribers) one.append(bytes, at, end);
      }
      at = end;
    }
    rest = at < bytes.length ? bytes.subarray(at) : undefined;
    if (flushing) return;
    flushing = true;
    setImmediate(flushAll);
  });
  socket.on('error', () => {});
  socket.on('close', () => subscriber && subscribers.delete(subscriber));
}

serve({
  listen: () =>
    new Promise((resolve) => {
      const server = createServer(accept).listen(0, '127.0.0.1', () => resolve(server.address()));
    }),
});
