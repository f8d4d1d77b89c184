import type { Logger } from 'pino';
import type { Cancel, Clock } from '../clock.js';
import type { BridgeConfig, Config } from '../config/schema.js';
import type { Counters } from '../counters.js';
import type { FairTurns } from '../fair-turns.js';
import type { Router } from '../router/router.js';
import type { StoredBridge } from '../store/bridge-records.js';
import type { Store } from '../store/store.js';
import type { Qos } from '../wire/messages.js';
import { Bridge } from './bridge.js';
import { FleetPresence } from './presence/fleet-presence.js';
import type { StandingSession } from './presence/own-devices.js';
import type { BridgeRecords } from './records.js';
import type { BridgeReport } from './report.js';
import type { Upstream } from './upstream.js';

export interface BridgesContext {
  readonly router: Router;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly turns: FairTurns;
  readonly store?: Store | undefined;
  /** The session of a device, if one stands here. */
  readonly sessionOf: (device: string) => StandingSession | undefined;
}

/** All bridges of a gateway. */
export class Bridges {
  readonly #context: BridgesContext;
  #bridges: readonly Bridge[] = [];
  /** One view of the fleet, whichever bridges it is seen by. */
  #presence: FleetPresence | undefined;
  #cancel: Cancel | undefined;

  constructor(context: BridgesContext) {
    this.#context = context;
  }

  /**
   * Starts those of the config. The libraries that they need are loaded only now: most gateways have none.
   * @param stored what the store holds of them, by their names
   */
  async start(
    { gateway = '', bridges, stats, limits }: Config,
    stored: ReadonlyMap<string, StoredBridge> = new Map(),
  ): Promise<void> {
    if (bridges.some(({ presence }) => presence !== undefined))
      this.#presence = new FleetPresence({ ...this.#context, gateway });
    const common = { ...this.#context, gateway, presence: this.#presence, random: Math.random };
    this.#bridges = await Promise.all(
      bridges.map(async (config) => {
        const upstream = await this.#upstreamOf(config, gateway, limits.packet.tcp);
        return new Bridge({ ...common, config, upstream, stored: stored.get(config.name) });
      }),
    );
    this.#warnOfOthers(bridges, stored);
    this.#presence?.start();
    for (const bridge of this.#bridges) bridge.start();
    if (stats.interval > 0 && this.#bridges.length > 0) this.#publishEvery(stats.interval);
  }

  async stop(): Promise<void> {
    this.#cancel?.();
    this.#presence?.stop();
    await Promise.allSettled(this.#bridges.map((bridge) => bridge.stop()));
  }

  /** How each does, by its name. */
  reports(): Readonly<Record<string, BridgeReport>> {
    return Object.fromEntries(this.#bridges.map((bridge) => [bridge.name, bridge.report()]));
  }

  async #upstreamOf(
    config: BridgeConfig,
    gateway: string,
    maxPacket: number,
  ): Promise<(records: BridgeRecords) => Upstream> {
    const common = { ...this.#context, gateway, bridge: config.name, inFlight: config.in_flight };
    const { nats, mqtt } = config;
    if (nats) {
      const { createNatsUpstream } = await import('./nats/upstream.js');
      const rules = remotePatternsOf(config);
      return (records) =>
        createNatsUpstream({ ...common, config: nats, records, instance: records.instance, rules });
    }
    if (mqtt) {
      const { createMqttUpstream } = await import('./mqtt/mqtt-upstream.js');
      return (records) => createMqttUpstream({ ...common, config: mqtt, records, maxPacket });
    }
    throw new RangeError(`The bridge ${config.name} has no upstream.`);
  }

  /** A bridge that was taken out of the config, or called something else, must not take messages with it without a word. */
  #warnOfOthers(bridges: readonly BridgeConfig[], stored: ReadonlyMap<string, StoredBridge>): void {
    const names = new Set(bridges.map(({ name }) => name));
    for (const [name, { messages }] of stored) {
      if (names.has(name) || messages.length === 0) continue;
      this.#context.logger.warn(
        { bridge: name, messages: messages.length },
        `the store holds ${messages.length} messages for a bridge "${name}", which the config does not have: they wait for it; a bridge of that name with "queue: { age: 1s }" drops them`,
      );
    }
  }

  #publishEvery(ms: number): void {
    this.#cancel = this.#context.clock.schedule(ms, () => {
      for (const bridge of this.#bridges) bridge.publish();
      this.#publishEvery(ms);
    });
  }
}

/** All that the bridge may send or hear, by the names there. */
function remotePatternsOf({ rules, presence, broadcast }: BridgeConfig): { pattern: string; qos: Qos }[] {
  const patterns = rules.map(({ remote, qos }) => ({ pattern: remote, qos }));
  if (presence) patterns.push({ pattern: `${presence.remote}/#`, qos: 1 });
  if (broadcast) patterns.push({ pattern: broadcast.remote, qos: 1 });
  return patterns;
}
