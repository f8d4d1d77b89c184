import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { connectAsync, type MqttClient } from 'mqtt';
import { onTestFinished } from 'vitest';
import type { Ledger } from './ledger.js';

const RETRY_MS = 50;
/** Long enough for every test, s. */
const SESSION_S = 3600;
/** Messages that the broker may have on their way to it. */
const RECEIVE_MAXIMUM = 1000;

/** A program at the broker with a session that stands, by the `mqtt` package alone. */
export async function mqttClient(url: string, clientId: string): Promise<MqttClient> {
  const client = await connectAsync(url, {
    clientId,
    protocolVersion: 5,
    clean: false,
    reconnectPeriod: RETRY_MS,
    connectTimeout: 5000,
    properties: { sessionExpiryInterval: SESSION_S, receiveMaximum: RECEIVE_MAXIMUM },
  });
  client.on('error', () => {}); // While the broker is not there.
  onTestFinished(() => client.endAsync(true));
  return client;
}

/** Writes down all that comes to the broker on `pattern`, each message once as far as QoS 2 goes. */
export async function hearAll(url: string, pattern: string, ledger: Ledger): Promise<MqttClient> {
  const client = await mqttClient(url, 'checker');
  client.on('message', (_topic, payload) => ledger.arrived(payload.toString()));
  await client.subscribeAsync(pattern, { qos: 2 });
  return client;
}

/** A program at the cluster, by the NATS library alone, which comes back to it by itself. */
export async function natsClient(servers: string | string[]): Promise<NatsConnection> {
  const connection = await connect({
    servers,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RETRY_MS,
    waitOnFirstConnect: true,
  });
  onTestFinished(() => connection.close());
  return connection;
}

/** Writes down all that the stream holds on subjects that `filter` matches, in its order. */
export async function readStream(
  connection: NatsConnection,
  stream: string,
  filter: string,
  ledger: Ledger,
): Promise<void> {
  const manager = await patiently(() => jetstreamManager(connection));
  const name = `checker-${Date.now()}`;
  // Of the server's kind that needs no acknowledgement, and keeps to the stream's order.
  const consumer = await patiently(() =>
    jetstream(connection).consumers.get(stream, { filter_subjects: filter, name_prefix: name }),
  );
  let left = await countOf(manager, stream, filter);
  if (left === 0) return;
  const messages = await consumer.consume({ max_messages: 1000 });
  for await (const message of messages) {
    ledger.arrived(message.string());
    if (--left === 0) break;
  }
}

/** How many messages the stream holds on subjects that `filter` matches. */
async function countOf(manager: JetStreamManager, stream: string, filter: string): Promise<number> {
  const { state } = await patiently(() => manager.streams.info(stream, { subjects_filter: filter }));
  return Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
}

/** Tries again while the cluster elects its leaders. */
export async function patiently<T>(ask: () => Promise<T>, patienceMs = 30_000): Promise<T> {
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
