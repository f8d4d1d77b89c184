import type { Logger } from 'pino';
import type { Clock } from '../../clock.js';
import type { MqttUpstreamConfig } from '../../config/schema.js';
import type { Counters } from '../../counters.js';
import type { Upstream, UpstreamConnection, UpstreamEvents, UpstreamRecords } from '../upstream.js';
import { MqttConnection } from './connection.js';
import { BrokerLink } from './link.js';
import { linkOptions, whereOf } from './link-options.js';
import type { Where } from './problems.js';
import { BrokerSession } from './session.js';

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
  readonly #where: Where;
  readonly #session: BrokerSession;

  constructor(options: MqttUpstreamOptions) {
    const { config, gateway, bridge, records } = options;
    this.#options = options;
    this.#where = whereOf(config, gateway, bridge);
    this.#session = new BrokerSession(records, `${this.#where.clientId} ${config.url}`);
  }

  async connect(events: UpstreamEvents, signal: AbortSignal): Promise<UpstreamConnection> {
    const link = await this.#open(signal);
    const { clock, counters, bridge, inFlight, logger } = this.#options;
    const { sessionPresent, properties } = link.connack;
    if (!sessionPresent) {
      if (this.#session.known && this.#options.config.session_expiry > 0) {
        const text = `bridge ${bridge}: ${this.#where.server} has forgotten its session with this gateway, and what it held for it: it was started again without it (mosquitto keeps it with "persistence true", unless it is killed before it has saved it: autosave_interval), or session_expiry was over`;
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
    const { config, clock, maxPacket } = this.#options;
    const options = await linkOptions(config, this.#where, clock, maxPacket);
    const link = await BrokerLink.open({ ...options, clean: false }, signal);
    if (!link.connack.sessionPresent || this.#session.known) return link;
    // It is of a life of which nothing was kept: the numbers of its messages would be taken for those of others.
    await link.close();
    const oblivion = await BrokerLink.open({ ...options, clean: true }, signal);
    await oblivion.close();
    return BrokerLink.open({ ...options, clean: false }, signal);
  }
}
