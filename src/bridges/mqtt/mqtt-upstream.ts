import type { Logger } from 'pino';
import type { Clock } from '../../clock.js';
import type { MqttUpstreamConfig } from '../../config/schema.js';
import type { Counters } from '../../counters.js';
import { DEFAULT_MAX_PACKET_BYTES } from '../../wire/limits.js';
import type { Upstream, UpstreamConnection, UpstreamEvents, UpstreamRecords } from '../upstream.js';
import { readUpstreamFiles } from '../upstream-files.js';
import { MqttConnection } from './connection.js';
import { BrokerLink, type LinkOptions } from './link.js';
import type { Where } from './problems.js';
import { BrokerSession } from './session.js';
import { openTransport } from './transport.js';

/** How many messages of QoS 1 and 2 the broker may send that are not acknowledged. */
const RECEIVE_MAXIMUM = 1024;

export interface MqttUpstreamOptions {
  readonly config: MqttUpstreamConfig;
  /** The name of this gateway. */
  readonly gateway: string;
  /** The name of the bridge. */
  readonly bridge: string;
  readonly records: UpstreamRecords;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
  /** How many messages of QoS 1 and 2 the broker may have unacknowledged. */
  readonly inFlight: number;
  /** The largest packet that is taken from the broker, in bytes, 1 MiB if left out; larger messages are dropped and counted. */
  readonly maxPacket?: number;
}

/** The broker that `mqtt` of a bridge names. Only one connection at a time. */
export function createMqttUpstream(options: MqttUpstreamOptions): Upstream {
  return new MqttUpstream(options);
}

class MqttUpstream implements Upstream {
  readonly #options: MqttUpstreamOptions;
  readonly #url: URL;
  readonly #where: Where;
  readonly #session: BrokerSession;

  constructor(options: MqttUpstreamOptions) {
    const { config, gateway, bridge, records } = options;
    this.#options = options;
    this.#url = new URL(config.url);
    this.#where = {
      server: config.url,
      host: this.#url.hostname,
      clientId: config.client_id ?? `slipway-${gateway}-${bridge}`,
      username: config.username,
      version: config.version,
    };
    this.#session = new BrokerSession(records, `${this.#where.clientId} ${config.url}`);
  }

  async connect(events: UpstreamEvents, signal: AbortSignal): Promise<UpstreamConnection> {
    const link = await this.#open(signal);
    const { clock, counters, bridge, inFlight, logger } = this.#options;
    const { sessionPresent, properties } = link.connack;
    if (!sessionPresent) {
      if (this.#session.known && this.#options.config.session_expiry > 0) {
        const text = `bridge ${bridge}: ${this.#where.server} has forgotten its session with this gateway, and what it held for it`;
        logger.warn({ bridge }, text);
      }
      this.#session.begin();
    }
    if (properties?.retainAvailable === false)
      logger.warn(
        { bridge },
        `bridge ${bridge}: ${this.#where.server} keeps no last values (retain): none are set there`,
      );
    return new MqttConnection({
      where: this.#where,
      link,
      session: this.#session,
      clock,
      counters,
      drops: `bridges.${bridge}.drop`,
      inFlight,
      events,
    });
  }

  /** A connection in whose session the broker and this gateway remember the same. */
  async #open(signal: AbortSignal): Promise<BrokerLink> {
    const options = await this.#linkOptions();
    const link = await BrokerLink.open({ ...options, clean: false }, signal);
    if (!link.connack.sessionPresent || this.#session.known) return link;
    // It is of a life of which nothing was kept: the numbers of its messages would be taken for those of others.
    await link.close();
    const oblivion = await BrokerLink.open({ ...options, clean: true }, signal);
    await oblivion.close();
    return BrokerLink.open({ ...options, clean: false }, signal);
  }

  async #linkOptions(): Promise<Omit<LinkOptions, 'clean'>> {
    const { config, clock } = this.#options;
    const { username, servername, version } = config;
    const { password, ca, cert, key } = await readUpstreamFiles(config);
    return {
      where: this.#where,
      clock,
      maxPacket: this.#maxPacket,
      transport: () => openTransport(this.#url, { ca, cert, key, servername }, this.#maxPacket),
      login: {
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
        keepalive: Math.ceil(config.keep_alive / 1000),
        ...(version === 5 && { properties: this.#properties() }),
      },
    };
  }

  #properties(): NonNullable<LinkOptions['login']['properties']> {
    return {
      sessionExpiryInterval: Math.ceil(this.#options.config.session_expiry / 1000),
      receiveMaximum: RECEIVE_MAXIMUM,
      // In a WebSocket nothing can be passed over.
      ...(this.#url.protocol.startsWith('ws') && { maximumPacketSize: this.#maxPacket }),
    };
  }

  get #maxPacket(): number {
    return this.#options.maxPacket ?? DEFAULT_MAX_PACKET_BYTES.tcp;
  }
}
