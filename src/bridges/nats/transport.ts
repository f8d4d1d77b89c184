import { createConnection, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  type NatsConnection,
  NatsConnectionImpl,
  setTransportFactory,
  TimeoutError,
} from '@nats-io/transport-node';
import { NodeTransport, nodeResolveHost } from '@nats-io/transport-node/lib/node_transport.js';

interface Options extends ConnectionOptions {
  readonly signal?: AbortSignal;
  readonly timeout: number;
}

/**
 * The transport of the library, which does not tell when it stops reading, forgets its socket when a server that accepts a connection says nothing, and cannot be told to stop:
 * a bridge that tries such an address again and again would run out of sockets.
 */
class AbortableTransport extends NodeTransport {
  override async connect(
    server: { hostname: string; port: number; tlsName: string },
    options: ConnectionOptions,
  ): Promise<void> {
    const { signal, timeout } = options as Options;
    // The library makes all its transports alike: also for whoever else in this process uses it.
    if (signal === undefined) return super.connect(server, options);
    let stopWaiting = () => {};
    const ended = new Promise<never>((_, reject) => {
      const end = () => {
        this.discard();
        reject(signal.aborted ? signal.reason : new TimeoutError());
      };
      const timer = setTimeout(end, timeout);
      signal.addEventListener('abort', end);
      stopWaiting = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
      };
    });
    try {
      signal.throwIfAborted();
      await Promise.race([super.connect(server, options), ended]);
    } finally {
      stopWaiting();
    }
  }

  /** As the library does, which stops reading when it does not understand what it has read, and does not tell. */
  override async *iterate(): AsyncIterableIterator<Uint8Array> {
    try {
      yield* super.iterate();
    } finally {
      if (!this.done) void this.close(new Error('it says what no NATS server says'));
    }
  }

  /** As the library does, but that the socket is known from the beginning. */
  override dial({ hostname, port }: { hostname: string; port: number }): Promise<Socket> {
    const socket = createConnection({ host: hostname, port, noDelay: true });
    this.socket = socket;
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeAllListeners();
        resolve(socket);
      });
    });
  }
}

/**
 * Connects once to one of the servers.
 * @throws what the library throws when it cannot; the reason of `signal` when that aborts
 */
export async function connectTo(options: ConnectionOptions, signal: AbortSignal): Promise<NatsConnection> {
  setTransportFactory({ factory: () => new AbortableTransport(), dnsResolveFn: nodeResolveHost });
  const connecting = NatsConnectionImpl.connect({ ...options, signal } as ConnectionOptions);
  const connection = await connecting;
  if (!signal.aborted) return connection;
  await connection.close();
  throw signal.reason;
}
