import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TlsConnectOptions } from '../../links/tcp/tcp-connect.js';

/** Ports that a URL need not name. */
const PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883 };

/**
 * Begins to connect to the broker at `url` (mqtt, mqtts, ws or wss). What is written is sent once it stands; an error tells that it does not.
 * `maxMessage`: the largest message of a WebSocket, in bytes; a packet may come in several.
 * @throws SlipwayError for a certificate or key that cannot be used
 */
export async function openTransport(url: URL, tls: TlsConnectOptions, maxMessage: number): Promise<Duplex> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (PORTS[url.protocol] ?? 0);
  switch (url.protocol) {
    case 'mqtt:':
      return connect({ host, port, noDelay: true });
    case 'mqtts:': {
      const { connectTls } = await import('../../links/tls/tls-connect.js');
      return connectTls(host, port, tls).setNoDelay(true);
    }
    default:
      return openWebSocket(url, tls, maxMessage);
  }
}

async function openWebSocket(url: URL, tls: TlsConnectOptions, maxMessage: number): Promise<Duplex> {
  const { WebSocket, createWebSocketStream } = await import('ws');
  const options = {
    ...Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
    perMessageDeflate: false,
    maxPayload: maxMessage,
  };
  return createWebSocketStream(new WebSocket(url, 'mqtt', options));
}
