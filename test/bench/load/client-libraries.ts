import { connect as connectToNats } from '@nats-io/transport-node';
import { connectAsync as connectToMqtt } from 'mqtt';
import { connect as connectToSlipway } from '../../../src/index.js';

/** What a program does with a client library. */
export interface Library {
  subscribe(channel: string, handler: (payload: Uint8Array) => void): Promise<void>;
  /** At QoS 0, one after the other, in the way that the library's manual shows. */
  readonly publish: (channel: string, payloads: readonly Uint8Array[]) => Promise<void>;
  /** At QoS 1, all at once. Resolves when all are acknowledged. Not every library has such a thing. */
  readonly publishAcknowledged?: (channel: string, payloads: readonly Uint8Array[]) => Promise<void>;
}

export type LibraryName = 'slipway' | 'mqtt' | 'nats';

/** Connects with that library to its broker on the loopback address. */
export const LIBRARIES: Record<LibraryName, (port: number) => Promise<Library>> = {
  async slipway(port) {
    const client = await connectToSlipway({ port });
    return {
      async subscribe(channel, handler) {
        await client.subscribe(channel, ({ payload }) => handler(payload), { qos: 0 });
      },
      async publish(channel, payloads) {
        for (const payload of payloads) await client.emit(channel, payload, { qos: 0 });
      },
      async publishAcknowledged(channel, payloads) {
        await Promise.all(payloads.map((payload) => client.emit(channel, payload, { qos: 1 })));
      },
    };
  },

  async mqtt(port) {
    const client = await connectToMqtt({ host: '127.0.0.1', port, protocolVersion: 4 });
    return {
      async subscribe(channel, handler) {
        client.on('message', (_, payload) => handler(payload));
        await client.subscribeAsync(channel, { qos: 0 });
      },
      async publish(channel, payloads) {
        for (const payload of payloads) client.publish(channel, payload as Buffer, { qos: 0 });
      },
      async publishAcknowledged(channel, payloads) {
        await Promise.all(
          payloads.map((payload) => client.publishAsync(channel, payload as Buffer, { qos: 1 })),
        );
      },
    };
  },

  async nats(port) {
    const connection = await connectToNats({ servers: `127.0.0.1:${port}` });
    return {
      async subscribe(channel, handler) {
        connection.subscribe(channel, { callback: (_, { data }) => handler(data) });
        await connection.flush();
      },
      async publish(channel, payloads) {
        for (const payload of payloads) connection.publish(channel, payload);
      },
    };
  },
};
