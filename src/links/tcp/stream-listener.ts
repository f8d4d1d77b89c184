import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Counters } from '../../counters.js';
import { endpointName, listenError, plainHost } from '../endpoint.js';
import type { PeerSecurity } from '../link.js';
import { partyOf } from '../party.js';
import { type ConnectionBounds, ConnectionLimits } from './connection-limits.js';

export interface StreamListenOptions extends ConnectionBounds {
  readonly host: string;
  /** 0 lets the system pick one. */
  readonly port: number;
}

export interface StreamListener {
  readonly address: { readonly host: string; readonly port: number };
  /** Takes no more connections, closes those that are open, and resolves when all are gone. May be called again. */
  close(): Promise<void>;
}

/** What became of a connection: it can be closed. */
export interface Closable {
  /** Sends what waits, then closes. */
  close(): Promise<void>;
}

/**
 * Listens for connections, as many as the bounds allow. `onSocket` is called for each. Counts under `kind`.
 * @throws SlipwayError `listen_failed` when it cannot listen there
 */
export async function listenForStreams(
  kind: 'tcp' | 'mqtt' | 'ws',
  options: StreamListenOptions,
  onSocket: (socket: Socket, secure: PeerSecurity | undefined) => Closable,
  logger: Logger,
  counters: Counters,
): Promise<StreamListener> {
  const { host, port, maxConnections } = options;
  const limits = new ConnectionLimits(kind, options, logger, counters);
  const open = new Set<Closable>();

  const server = createServer((socket) => {
    const remote = socket.remoteAddress ?? 'unknown';
    const party = partyOf(plainHost(remote));
    if (!limits.admit(party, endpointName(kind, remote, socket.remotePort ?? 0))) {
      socket.on('error', () => {}); // It is gone either way.
      socket.destroy();
      return;
    }
    socket.once('close', () => limits.gone(party));
    counters.add(`${kind}.accepted`);
    const stream = onSocket(socket, undefined);
    open.add(stream);
    socket.once('close', () => open.delete(stream));
  });
  server.maxConnections = maxConnections;
  server.on('drop', (from) => {
    limits.full(endpointName(kind, from?.remoteAddress ?? 'unknown', from?.remotePort ?? 0));
  });

  await listening(kind, server, host, port);
  const address = server.address() as AddressInfo;
  const name = endpointName(kind, address.address, address.port);
  // Such as EMFILE when a connection is accepted: the listener itself goes on.
  server.on('error', (error) => {
    counters.add(`${kind}.accept_failed`);
    logger.error(`${name}: ${error.message}`);
  });

  let closing: Promise<void> | undefined;
  return {
    address: { host: address.address, port: address.port },
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        for (const stream of open) void stream.close();
      });
      return closing;
    },
  };
}

function listening(kind: 'tcp' | 'mqtt' | 'ws', server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(listenError(kind, host, port, error));
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}
