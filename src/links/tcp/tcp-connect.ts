import { connect, type Socket } from 'node:net';
import { Counters } from '../../counters.js';
import { codeOf, reasonOf, SlipwayError } from '../../errors.js';
import { endpointName } from '../endpoint.js';
import type { LinkEvents } from '../link.js';
import { StreamConnection } from '../stream/stream-connection.js';
import { peerOf, tune } from '../stream/tcp-socket.js';
import { TcpLink } from './tcp-link.js';

/** How a program proves a gateway, and itself, over TLS. All PEM. */
export interface TlsConnectOptions {
  /** Who must have signed the gateway's certificate; those that Node trusts if left out. */
  readonly ca?: string | Uint8Array | undefined;
  /** The program's own certificate, and its private key. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** The name that the gateway's certificate must have; that of the host if left out. */
  readonly servername?: string | undefined;
}

export interface TcpConnectOptions {
  readonly host: string;
  readonly port: number;
  /** Over TLS 1.2 or newer, if given. */
  readonly tls?: TlsConnectOptions | undefined;
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
 * @throws SlipwayError `connect_failed` when there is no connection within `timeoutMs`, or `signal` was aborted, or one
 *   side does not trust the other; `invalid_option` for a certificate or key that cannot be used
 */
export async function connectTcp(
  options: TcpConnectOptions,
  onLink: (link: TcpLink) => LinkEvents,
): Promise<TcpLink> {
  const { host, port, maxPacket, timeoutMs, signal, tls, counters = new Counters() } = options;
  // Loaded only where it is needed.
  const connectTls = tls && (await import('../tls/tls-connect.js')).connectTls;
  return new Promise((resolve, reject) => {
    const socket: Socket = connectTls ? connectTls(host, port, tls) : connect({ host, port });
    const timer = setTimeout(
      () => fail(`no answer within ${timeoutMs} ms: is the address right?`),
      timeoutMs,
    );
    const aborted = () => fail('given up');
    signal?.addEventListener('abort', aborted);
    if (signal?.aborted === true) aborted();

    socket.once('error', refused);
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      settled();
      tune(socket);
      const peer = peerOf('tcp', socket, tls && { user: undefined });
      const link = new TcpLink(new StreamConnection(socket, peer, { counters }), { maxPacket, counters });
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
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return 'its certificate is signed by nobody whom we trust: name who signed it (tls.ca, or --ca FILE)';
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired: renew it, or check the clock';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `${reasonOf(error)}: connect to the name that it has, or name that (tls.servername, or --servername NAME)`;
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return 'it does not speak TLS there: connect without, or to another port';
    default:
      return reasonOf(error);
  }
}
