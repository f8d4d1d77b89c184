import type { Clock } from '../../clock.js';
import type { MqttUpstreamConfig } from '../../config/schema.js';
import { DEFAULT_MAX_PACKET_BYTES } from '../../wire/limits.js';
import { readUpstreamFiles } from '../upstream-files.js';
import type { LinkOptions } from './link.js';
import type { Where } from './problems.js';
import { maxWebSocketMessage, openTransport } from './transport.js';

/** How many messages of QoS 1 and 2 the broker may send that are not acknowledged. */
const RECEIVE_MAXIMUM = 1024;

/** Who a bridge is to its broker, and where that is. */
export function whereOf(config: MqttUpstreamConfig, gateway: string, bridge: string): Where {
  return {
    server: config.url,
    host: new URL(config.url).hostname,
    clientId: config.client_id ?? `slipway-${gateway}-${bridge}`,
    username: config.username,
    version: config.version,
  };
}

/**
 * What a connection to the broker needs. Files are read each time: whoever mends one need not restart the gateway.
 * @param maxPacket the largest packet that is taken, bytes
 * @throws UpstreamError when a file cannot be used
 */
export async function linkOptions(
  config: MqttUpstreamConfig,
  where: Where,
  clock: Clock,
  maxPacket: number = DEFAULT_MAX_PACKET_BYTES.tcp,
): Promise<Omit<LinkOptions, 'clean'>> {
  const { username, servername, version } = config;
  const { password, ca, cert, key } = await readUpstreamFiles(config);
  const url = new URL(config.url);
  return {
    where,
    clock,
    maxPacket,
    transport: () => openTransport(url, { ca, cert, key, servername }, maxPacket),
    login: {
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      keepalive: Math.ceil(config.keep_alive / 1000),
      ...(version === 5 && { properties: propertiesOf(config, url, maxPacket) }),
    },
  };
}

function propertiesOf(
  config: MqttUpstreamConfig,
  url: URL,
  maxPacket: number,
): NonNullable<LinkOptions['login']['properties']> {
  return {
    sessionExpiryInterval: Math.ceil(config.session_expiry / 1000),
    receiveMaximum: RECEIVE_MAXIMUM,
    // Of what is larger nothing can be passed over.
    ...(url.protocol.startsWith('ws') && { maximumPacketSize: maxWebSocketMessage(maxPacket) }),
  };
}
