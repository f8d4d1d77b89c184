import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TlsConnectOptions } from '../../links/tcp/tcp-connect.js';

/** Ports that a URL need not name. */
const PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883 };

/** Of a WebSocket a message of this size is taken, if packets may not be larger, bytes. */
const WEBSOCKET_MESSAGE_BYTES = 64 * 1_048_576;

/**
 * The largest message of a WebSocket, bytes. It is held as a whole before it can be looked at, and has as many packets as the broker
 * likes, or a part of one (MQTT 5, 6).
 */
export function maxWebSocketMessage(maxPacket: number): number {
  return Math.max(WEBSOCKET_MESSAGE_BYTES, maxPacket);
}

/**
 * Begins to connect to the broker at `url` (mqtt, mqtts, ws or wss). What is written is sent once it stands; an error tells that it does not.
 * `maxPacket`: the largest packet that is taken, bytes.
 * @throws SlipwayError for a certificate or key that cannot be used
 */
export async function openTransport(url: URL, tls: TlsConnectOptions, maxPacket: number): Promise<Duplex> {
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
      return openWebSocket(url, tls, maxWebSocketMessage(maxPacket));
  }
}

async function openWebSocket(url: URL, tls: TlsConnectOptions, maxPayload: number): Promise<Duplex> {
  const { WebSocket, createWebSocketStream } = await import('ws');
  const options = {
    ...Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
    perMessageDeflate: false,
    maxPayload,
  };
  return createWebSocketStream(new WebSocket(url, 'mqtt', options));
}
