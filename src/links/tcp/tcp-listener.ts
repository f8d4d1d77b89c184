import { type AddressInfo, createServer, type Server } from 'node:net';
import type { Logger } from 'pino';
import type { Counters } from '../../counters.js';
import { Tally } from '../../tally.js';
import { endpointName, listenError, plainHost } from '../endpoint.js';
import type { LinkEvents } from '../link.js';
import { partyOf } from '../party.js';
import { RateLimit } from '../rate-limit.js';
import { TcpLink } from './tcp-link.js';

export interface TcpListenOptions {
  readonly host: string;
  /** 0 lets the system pick one. */
  readonly port: number;
  /** Connections open at once; more are closed at once and counted. */
  readonly maxConnections: number;
  /** How many of them one party may have (see `partyOf`); any number if left out. */
  readonly maxConnectionsPerParty?: number;
  /** How many new ones a party may open each second, after bursts of ten times as many; any number if left out. */
  readonly acceptsPerSecond?: number;
  /** The largest packet in bytes. */
  readonly maxPacket: number;
  /** See TcpLinkOptions. */
  readonly maxBacklog?: number;
  readonly stallMs?: number;
}

/** What was said of peers that are turned away is said again when nothing of the kind happened for so long, ms. */
const SAY_AGAIN_MS = 60_000;

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
  const { host, port, maxConnections, acceptsPerSecond, ...linkOptions } = options;
  const { maxConnectionsPerParty = maxConnections } = options;
  const links = new Set<TcpLink>();
  const linksOf = new Tally();
  const rate = acceptsPerSecond === undefined ? undefined : new RateLimit(acceptsPerSecond);
  /** When a peer was turned away last, by reason. */
  const turnedAwayAt = new Map<string, number>();
  const turnAway = (peer: string, reason: string, why: string): void => {
    counters.add(`tcp.refused.${reason}`);
    const now = performance.now();
    const isNews = now - (turnedAwayAt.get(reason) ?? Number.NEGATIVE_INFINITY) > SAY_AGAIN_MS;
    turnedAwayAt.set(reason, now);
    if (isNews) logger.warn(`${peer} was turned away: ${why}`); // The counter has them all.
  };
  /** Why a peer cannot come in: the counter's word for it, and the log's. */
  const problemWith = (party: string): readonly [string, string] | undefined => {
    if (linksOf.of(party) >= maxConnectionsPerParty) {
      const why = `${maxConnectionsPerParty} connections of that address are open (limits.per_address.links)`;
      return ['too_many_of_address', why];
    }
    if (rate === undefined || rate.take(party, performance.now())) return undefined;
    const why = `it opens more than ${acceptsPerSecond} connections a second (limits.per_address.connections)`;
    return ['too_fast', why];
  };

  const server = createServer((socket) => {
    const remote = socket.remoteAddress ?? 'unknown';
    const problem = problemWith(partyOf(plainHost(remote)));
    if (problem) {
      turnAway(endpointName('tcp', remote, socket.remotePort ?? 0), ...problem);
      socket.on('error', () => {}); // It is gone either way.
      socket.destroy();
      return;
    }
    const link = new TcpLink(socket, { ...linkOptions, counters });
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
