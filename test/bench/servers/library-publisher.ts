// What a program can publish to a broker at most through that broker's client library: it does nothing else. What it is to publish, and
// when, it is told in blocks; it made the payloads beforehand.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { jetstream } from '@nats-io/jetstream';
import { connect as connectToNats } from '@nats-io/transport-node';
import { connectAsync as connectToMqtt } from 'mqtt';
import { serve } from '../helper.js';
import { BLOCK_BYTES } from '../load/blocks-speaker.js';
import { writePayload } from '../load/payload.js';
import type { TcpLoad } from '../load/tcp-load.js';

export type PublishingLibrary = 'nats' | 'jetstream' | 'mqtt';

export interface PublisherWork {
  readonly library: PublishingLibrary;
  /** Of the broker, on the loopback address. */
  readonly port: number;
  readonly load: TcpLoad;
  /** At QoS ≥ 1: how many may be unacknowledged. */
  readonly inFlight: number;
}

/** Publishes one message; calls `acknowledged` when it is, at QoS ≥ 1. */
type Publish = (payload: Buffer, acknowledged: (error?: unknown) => void) => void;

const LIBRARIES: Record<PublishingLibrary, (work: PublisherWork) => Promise<Publish>> = {
  async nats({ port, load: { channel } }) {
    const connection = await connectToNats({ servers: `127.0.0.1:${port}` });
    return (payload) => connection.publish(channel, payload);
  },

  async jetstream({ port, load: { channel } }) {
    // Without, an Error made for each request costs as much as all else.
    const connection = await connectToNats({ servers: `127.0.0.1:${port}`, noAsyncTraces: true });
    const stream = jetstream(connection);
    return (payload, acknowledged) => {
      stream.publish(channel, payload).then(() => acknowledged(), acknowledged);
    };
  },

  async mqtt({ port, load: { channel, qos } }) {
    const client = await connectToMqtt({ host: '127.0.0.1', port, protocolVersion: 5 });
    return qos === 0
      ? (payload) => client.publish(channel, payload, { qos })
      : (payload, acknowledged) => client.publish(channel, payload, { qos }, acknowledged);
  },
};

/** Publishes blocks in the order in which they are asked for, with so many unacknowledged at a time. */
class BlockPublisher {
  readonly #publish: Publish;
  readonly #payloads: readonly (readonly Buffer[])[];
  readonly #work: PublisherWork;
  readonly #asked: {
    readonly publisher: number;
    readonly acknowledged: () => void;
    left: number;
    next: number;
  }[] = [];
  #inFlight = 0;

  constructor(publish: Publish, work: PublisherWork) {
    this.#publish = publish;
    this.#work = work;
    this.#payloads = Array.from({ length: work.load.publishers }, (_, publisher) =>
      payloadsOf(work.load, publisher),
    );
  }

  publish(publisher: number, place: number, acknowledged: () => void): void {
    const { block, qos } = this.#work.load;
    const first = place * block;
    const payloads = this.#payloads[publisher] as readonly Buffer[];
    if (qos === 0) {
      for (let n = first; n < first + block; n++) this.#publish(payloads[n] as Buffer, unexpected);
      return;
    }
    this.#asked.push({ publisher, acknowledged, left: block, next: first });
    this.#pump();
  }

  #pump(): void {
    for (;;) {
      const asked = this.#asked[0];
      if (!asked || this.#inFlight === this.#work.inFlight) return;
      const payload = this.#payloads[asked.publisher]?.[asked.next++] as Buffer;
      if (asked.next % this.#work.load.block === 0) this.#asked.shift();
      this.#inFlight++;
      this.#publish(payload, (error) => {
        if (error) unexpected(error);
        this.#inFlight--;
        if (--asked.left === 0) asked.acknowledged();
        this.#pump();
      });
    }
  }
}

/** Ends this process: what is measured would be wrong. */
function unexpected(error?: unknown): void {
  if (error) throw error;
}

function payloadsOf({ cycle, block, payloadBytes }: TcpLoad, publisher: number): Buffer[] {
  return Array.from({ length: cycle * block }, (_, index) => {
    const payload = Buffer.alloc(payloadBytes);
    writePayload(payload, publisher, index);
    return payload;
  });
}

function accept(socket: Socket, publisher: BlockPublisher): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    for (; at + BLOCK_BYTES <= bytes.length; at += BLOCK_BYTES) {
      const block = bytes.subarray(at, at + BLOCK_BYTES);
      publisher.publish(block.readUInt16BE(0), block.readUInt16BE(2), () => socket.write(block));
    }
    rest = Buffer.from(bytes.subarray(at));
  });
}

serve({
  async listen(work: PublisherWork) {
    const publisher = new BlockPublisher(await LIBRARIES[work.library](work), work);
    const server = createServer((socket) => accept(socket, publisher)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { port: (server.address() as { port: number }).port };
  },
});
