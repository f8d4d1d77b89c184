import { connect } from 'node:net';
import { Counters } from '../../counters.js';
import { codeOf, reasonOf, SlipwayError } from '../../errors.js';
import { endpointName } from '../endpoint.js';
import type { LinkEvents } from '../link.js';
import { TcpConnection } from './tcp-connection.js';
import { TcpLink } from './tcp-link.js';

export interface TcpConnectOptions {
  readonly host: string;
  readonly port: number;
  /** The largest packet in bytes. */
  readonly maxPacket: number;
  /** How long to wait for the connection, in ms. */
  readonly timeoutMs: number;
  /** Gives up when aborted while it waits. */
  readonly signal?: AbortSignal | undefined;
  readonly counters?: Counters;
}

/**
 * Connects to a gateway (PROTOCOL.md §2.3). `onLink` is called before anything is read and returns who is to hear of
 * it.
 * @throws SlipwayError `connect_failed` when there is no connection within `timeoutMs`, or `signal` was aborted
 */
export function connectTcp(
  options: TcpConnectOptions,
  onLink: (link: TcpLink) => LinkEvents,
): Promise<TcpLink> {
  const { host, port, maxPacket, timeoutMs, signal, counters = new Counters() } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const timer = setTimeout(
      () => fail(`no answer within ${timeoutMs} ms: is the address right?`),
      timeoutMs,
    );
    const aborted = () => fail('given up');
    signal?.addEventListener('abort', aborted);
    if (signal?.aborted === true) aborted();

    socket.once('error', refused);
    socket.once('connect', () => {
      settled();
      const link = new TcpLink(new TcpConnection(socket, { kind: 'tcp', counters }), { maxPacket, counters });
      link.start(onLink(link));
      resolve(link);
    });

    function refused(error: Error): void {
      fail(problemOf(error, host), error);
    }

    function fail(problem: string, cause?: Error): void {
      settled();
      // An error may still follow: nobody waits for it any more.
      socket.on('error', () => {});
      socket.destroy();
      const where = endpointName('tcp', host, port).slice('tcp:'.length);
      reject(new SlipwayError('connect_failed', `no gateway at ${where}: ${problem}`, { cause }));
    }

    function settled(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
      socket.off('error', refused);
    }
  });
}

function problemOf(error: Error, host: string): string {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return 'connection refused: start one with `slipway run`, or check host and port';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name "${host}" was not found: check it, or use an address`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'there is no way to that address: check it, and the network';
    case 'ETIMEDOUT':
      return 'no answer: is the address right?';
    default:
      return reasonOf(error);
  }
}
