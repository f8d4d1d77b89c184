import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Counters } from '../../counters.js';
import { endpointName, listenError } from '../endpoint.js';
import type { PeerSecurity } from '../link.js';
import type { TlsCredentials } from '../tls/credentials.js';
import { type ConnectionBounds, ConnectionLimits } from './connection-limits.js';
import type { StreamPeer } from './stream-connection.js';
import { peerOf, tune } from './tcp-socket.js';

export interface StreamListenOptions extends ConnectionBounds {
  readonly host: string;
  /** 0 lets the system pick one. */
  readonly port: number;
  /** Encrypts them, if given. */
  readonly tls?: TlsCredentials | undefined;
  /** How long a peer may take for the handshakes that come before the first packet, ms; 10 s if left out. */
  readonly handshakeMs?: number | undefined;
}

/** A connection that was accepted, and encrypted if it is to be. */
export interface AcceptedStream extends StreamPeer {
  readonly socket: Socket;
  /** Counts that it cannot stay as `<kind>.refused.<reason>`, and logs `why`, now and then. Closes nothing. */
  turnAway(reason: string, why: string): void;
}

export const DEFAULT_HANDSHAKE_MS = 10_000;

export interface StreamListener {
  readonly address: { readonly host: string; readonly port: number };
  /**
   * New connections get these; those that stand stay as they are.
   * @returns false where there was no encryption to begin with
   */
  useTls(credentials: TlsCredentials): boolean;
  /** Takes no more connections, closes those that are open, and resolves when all are gone. May be called again. */
  close(): Promise<void>;
}

/** What became of a connection: it can be closed. */
export interface Closable {
  /** Sends what waits, then closes. */
  close(): Promise<void>;
}

/**
 * Listens for connections, as many as the bounds allow. `onStream` is called for each, once it is encrypted if it is to
 * be. Counts under `kind`.
 * @throws SlipwayError `listen_failed` when it cannot listen there
 */
export async function listenForStreams(
  kind: StreamPeer['kind'],
  options: StreamListenOptions,
  onStream: (stream: AcceptedStream) => Closable,
  logger: Logger,
  counters: Counters,
): Promise<StreamListener> {
  const { host, port, maxConnections, tls, handshakeMs = DEFAULT_HANDSHAKE_MS } = options;
  const limits = new ConnectionLimits(kind, options, logger, counters);
  const open = new Set<Closable>();
  /** Connections that are not encrypted yet. */
  const handshaking = new Map<string, Socket>();

  const begin = (socket: Socket, secure: PeerSecurity | undefined): void => {
    tune(socket);
    const peer = peerOf(kind, socket, secure);
    const turnAway = (reason: string, why: string) => limits.turnAway(peer.name, reason, why);
    const stream = onStream({ ...peer, socket, turnAway });
    open.add(stream);
    socket.once('close', () => open.delete(stream));
  };
  // Loaded only where it is needed.
  const terminator =
    tls &&
    new (await import('../tls/terminator.js')).TlsTerminator(tls, handshakeMs, {
      secured(socket, secure) {
        handshaking.delete(peerOf(kind, socket).name);
        begin(socket, secure);
      },
      failed: (connection, problem) => limits.turnAway(peerOf(kind, connection).name, 'tls', problem),
    });

  const server = createServer((socket) => {
    const { name, party } = peerOf(kind, socket);
    if (!limits.admit(party, name)) {
      socket.on('error', () => {}); // It is gone either way.
      socket.destroy();
      return;
    }
    socket.once('close', () => limits.gone(party));
    counters.add(`${kind}.accepted`);
    if (terminator === undefined) return begin(socket, undefined);
    handshaking.set(name, socket);
    socket.once('close', () => handshaking.delete(name));
    terminator.terminate(socket);
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
    useTls(credentials) {
      terminator?.use(credentials);
      return terminator !== undefined;
    },
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        for (const stream of open) void stream.close();
        for (const socket of handshaking.values()) socket.destroy();
      });
      return closing;
    },
  };
}

function listening(kind: StreamPeer['kind'], server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(listenError(kind, host, port, error));
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}
