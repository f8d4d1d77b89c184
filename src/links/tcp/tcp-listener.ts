import { type AddressInfo, createServer, type Server } from 'node:net';
import type { Logger } from 'pino';
import type { Counters } from '../../counters.js';
import { endpointName, listenError } from '../endpoint.js';
import type { LinkEvents } from '../link.js';
import { Tally } from '../party.js';
import { TcpLink } from './tcp-link.js';

export interface TcpListenOptions {
  readonly host: string;
  /** 0 lets the system pick one. */
  readonly port: number;
  /** Connections open at once; more are closed at once and counted. */
  readonly maxConnections: number;
  /** How many of them one party may have (see `partyOf`); any number if left out. */
  readonly maxConnectionsPerParty?: number;
  /** The largest packet in bytes. */
  readonly maxPacket: number;
  /** See TcpLinkOptions. */
  readonly maxBacklog?: number;
  readonly stallMs?: number;
}

export interface TcpListener {
  readonly address: { readonly host: string; readonly port: number };
  /** Takes no more connections, closes those that are open, and resolves when all are gone. May be called again. */
  close(): Promise<void>;
}

/**
 * Listens for TCP connections (PROTOCOL.md §2.3). `onLink` is called for each and returns who is to hear of it.
 * @throws SlipwayError `listen_failed` when it cannot listen there
 */
export async function listenTcp(
  options: TcpListenOptions,
  onLink: (link: TcpLink) => LinkEvents,
  logger: Logger,
  counters: Counters,
): Promise<TcpListener> {
  const { host, port, maxConnections, maxConnectionsPerParty = maxConnections, ...linkOptions } = options;
  const links = new Set<TcpLink>();
  const linksOf = new Tally();
  /** Why a peer was turned away last, if none was let in since. */
  let turnedAway: string | undefined;
  const turnAway = (peer: string, reason: string, why: string): void => {
    counters.add(`tcp.refused.${reason}`);
    if (turnedAway !== reason) logger.warn(`${peer} was turned away: ${why}`);
    turnedAway = reason; // Once is enough for the log; the counter has them all.
  };

  const server = createServer((socket) => {
    const link = new TcpLink(socket, { ...linkOptions, counters });
    if (linksOf.of(link.party) >= maxConnectionsPerParty) {
      const why = `${maxConnectionsPerParty} connections of that address are open (limits.per_address.links)`;
      turnAway(link.name, 'too_many_of_address', why);
      socket.on('error', () => {}); // It is gone either way.
      socket.destroy();
      return;
    }
    turnedAway = undefined;
    counters.add('tcp.accepted');
    links.add(link);
    linksOf.add(link.party);
    socket.once('close', () => {
      links.delete(link);
      linksOf.remove(link.party);
    });
    link.start(onLink(link));
  });
  server.maxConnections = maxConnections;
  server.on('drop', (from) => {
    const peer = endpointName('tcp', from?.remoteAddress ?? 'unknown', from?.remotePort ?? 0);
    turnAway(peer, 'too_many', `${maxConnections} connections are open (listen.tcp.max_connections)`);
  });

  await listening(server, host, port);
  const address = server.address() as AddressInfo;
  const name = endpointName('tcp', address.address, address.port);
  // Such as EMFILE when a connection is accepted: the listener itself goes on.
  server.on('error', (error) => {
    counters.add('tcp.accept_failed');
    logger.error(`${name}: ${error.message}`);
  });

  let closing: Promise<void> | undefined;
  return {
    address: { host: address.address, port: address.port },
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        for (const link of links) void link.close();
      });
      return closing;
    },
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(listenError('tcp', host, port, error));
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}
