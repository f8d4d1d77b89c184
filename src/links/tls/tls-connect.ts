import { connect, type TLSSocket } from 'node:tls';
import { reasonOf, SlipwayError } from '../../errors.js';
import type { TlsConnectOptions } from '../tcp/tcp-connect.js';

/**
 * Begins to connect over TLS 1.2 or newer; the gateway must prove that it is the one.
 * @throws SlipwayError `invalid_option` for a certificate or key that cannot be used
 */
export function connectTls(
  host: string,
  port: number,
  { ca, cert, key, servername }: TlsConnectOptions,
): TLSSocket {
  try {
    return connect({
      host,
      port,
      minVersion: 'TLSv1.2',
      ...(ca !== undefined && { ca: pem(ca) }),
      ...(cert !== undefined && { cert: pem(cert) }),
      ...(key !== undefined && { key: pem(key) }),
      ...(servername !== undefined && { servername }),
    });
  } catch (error) {
    const problem = `tls: the certificate or key cannot be used: ${reasonOf(error)}`;
    throw new SlipwayError('invalid_option', problem, { cause: error });
  }
}

function pem(content: string | Uint8Array): string | Buffer {
  return typeof content === 'string' ? content : Buffer.from(content);
}
