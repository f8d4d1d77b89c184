// What the load generator can do by itself: a server that looks at nothing. For as many bytes as a block of messages has it sends every
// subscriber the same block, as it was encoded beforehand, and acknowledges it.
import { createServer, type Socket } from 'node:net';
import { serve } from '../helper.js';
import type { Connection } from '../load/connection.js';
import type { Part } from '../load/speaker.js';
import { speakerFor } from '../load/speakers.js';
import type { TcpLoad } from '../load/tcp-load.js';

class Publisher {
  readonly #published: readonly number[];
  readonly #deliveries: readonly Buffer[];
  readonly #acknowledgements: readonly Buffer[];
  #bytes = 0;
  #block = 0;

  constructor(load: TcpLoad, number: number) {
    const part: Part = { kind: 'publisher', number, acknowledged: () => {} };
    // It only encodes: nothing goes over this connection.
    const speaker = speakerFor(undefined as unknown as Connection, load, part);
    this.#published = speaker
      .blocks((payloads, first) => speaker.encode(payloads, first))
      .map(({ length }) => length);
    this.#deliveries = speaker.blocks((payloads, first) => speaker.delivery(payloads, first));
    this.#acknowledgements = load.qos > 0 ? speaker.blocks((_, first) => speaker.acknowledgement(first)) : [];
  }

  took(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Sends all blocks that have come whole. */
  pass(own: Socket, subscribers: readonly Socket[]): void {
    for (;;) {
      const place = this.#block % this.#published.length;
      const size = this.#published[place] as number;
      if (this.#bytes < size) return;
      this.#bytes -= size;
      this.#block++;
      for (const subscriber of subscribers) subscriber.write(this.#deliveries[place] as Buffer);
      const acknowledgement = this.#acknowledgements[place];
      if (acknowledgement) own.write(acknowledgement);
    }
  }
}

function accept(
  load: TcpLoad,
  subscribers: Socket[],
  publishers: Map<Socket, Publisher>,
  socket: Socket,
): void {
  socket.setNoDelay(true);
  socket.on('error', () => {});
  let known = false;
  socket.on('data', (chunk: Buffer) => {
    let length = chunk.length;
    if (!known) {
      known = true;
      length--;
      if (chunk[0] === 'S'.charCodeAt(0) && subscribers.length < load.subscribers) subscribers.push(socket);
      else publishers.set(socket, new Publisher(load, chunk[0] as number));
    }
    publishers.get(socket)?.took(length);
    if (subscribers.length < load.subscribers) return;
    for (const [own, publisher] of publishers) publisher.pass(own, subscribers);
  });
}

serve({
  listen: (load: TcpLoad) => {
    const subscribers: Socket[] = [];
    const publishers = new Map<Socket, Publisher>();
    return new Promise((resolve) => {
      const server = createServer((socket) => accept(load, subscribers, publishers, socket));
      server.listen(0, '127.0.0.1', () => resolve(server.address()));
    });
  },
});
