import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { codeOf, reasonOf } from '../../errors.js';
import type { PeerSecurity } from '../link.js';
import type { TlsCredentials } from './credentials.js';

const PROBLEMS: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: 'it does not speak TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it speaks no version of TLS from 1.2 on',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'it does not trust the certificate of this gateway (alert unknown_ca)',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE:
    'it does not accept the certificate of this gateway (alert bad_certificate)',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    'the certificate of this gateway has expired, it says (alert certificate_expired)',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'it did not finish the handshake in time',
  ECONNRESET: 'it ended the connection during the handshake',
};

export interface TlsEvents {
  /** A connection is encrypted now, and its peer is who it says. */
  secured(socket: TLSSocket, peer: PeerSecurity): void;
  /** A peer did not get that far. Its connection, which was given to `terminate`, is closed. */
  failed(connection: Socket, problem: string): void;
}

/** Encrypts connections that were accepted, with TLS 1.2 or newer. */
export class TlsTerminator {
  readonly #events: TlsEvents;
  readonly #handshakeMs: number;
  #server: Server;

  /** `handshakeMs`: a peer that takes longer for the handshake fails, ms. */
  constructor(credentials: TlsCredentials, handshakeMs: number, events: TlsEvents) {
    this.#handshakeMs = handshakeMs;
    this.#events = events;
    this.#server = this.#serverFor(credentials);
  }

  /** New connections get these; with those that stand it changes nothing. */
  use(credentials: TlsCredentials): void {
    // A server of its own, not a new context of the old one: whether clients need a certificate may change too, and no
    // session that began under the old credentials can be resumed.
    this.#server = this.#serverFor(credentials);
  }

  terminate(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  #serverFor({ cert, key, clientCa }: TlsCredentials): Server {
    const server = createServer({
      cert,
      key,
      ca: clientCa,
      minVersion: 'TLSv1.2',
      handshakeTimeout: this.#handshakeMs,
      requestCert: clientCa !== undefined,
      // `#secured` turns them away: here they would go without a trace of who it was.
      rejectUnauthorized: false,
    });
    server.on('secureConnection', (socket) => this.#secured(socket, clientCa !== undefined));
    server.on('tlsClientError', (error, socket) => {
      this.#events.failed(connectionOf(socket), PROBLEMS[codeOf(error) ?? ''] ?? reasonOf(error));
      socket.destroy();
    });
    return server;
  }

  #secured(socket: TLSSocket, needsCertificate: boolean): void {
    const user = needsCertificate ? commonName(socket) : undefined;
    // A session that is resumed counts as authorized even where there was no certificate; but then there is no name.
    if (!needsCertificate || (socket.authorized && user !== undefined)) {
      this.#events.secured(socket, { user });
      return;
    }
    this.#events.failed(connectionOf(socket), certificateProblem(socket));
    socket.on('error', () => {}); // It is gone either way.
    socket.destroy();
  }
}

/**
 * What is encrypted by it. Once that is gone it alone still knows its address, if it was asked before. Node has no public name for
 * it.
 */
function connectionOf(socket: TLSSocket): Socket {
  const { _parent: connection } = socket as { _parent?: Socket };
  return connection ?? socket;
}

/** The user whom the certificate names; undefined if it does not name just one. */
function commonName(socket: TLSSocket): string | undefined {
  const { subject } = socket.getPeerCertificate() as { subject?: { CN?: string | string[] } };
  const name = subject?.CN;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function certificateProblem(socket: TLSSocket): string {
  if (socket.getPeerX509Certificate() === undefined) return 'it shows no certificate';
  if (socket.authorized) return 'its certificate has no common name, or several: it names no user';
  return `its certificate is not accepted (${String(socket.authorizationError)})`;
}
