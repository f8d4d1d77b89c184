import { type Logger, pino } from 'pino';
import { Bridge } from '../../src/bridges/bridge.js';
import type { FleetWord } from '../../src/bridges/presence/fleet-device.js';
import { FleetPresence } from '../../src/bridges/presence/fleet-presence.js';
import { configSchema } from '../../src/config/schema.js';
import { Counters } from '../../src/counters.js';
import { FairTurns } from '../../src/fair-turns.js';
import { lastValueKeeper, restoreLastValues } from '../../src/gateway/last-value-records.js';
import { Presence } from '../../src/gateway/presence.js';
import { Router } from '../../src/router/router.js';
import { Store } from '../../src/store/store.js';
import type { DeviceState } from '../../src/wire/device-states.js';
import { asking, bytes, Inbox } from '../router/inbox.js';
import { type Disk, MemoryBackend } from '../support/memory-backend.js';
import type { SimulatedBroker } from '../support/simulated-broker/broker.js';
import { SimulatedUpstream } from '../support/simulated-broker/upstream.js';

const LIMITS = {
  maxChannels: 10_000,
  maxSubscriptions: 1000,
  maxSubscriptionsPerSubscriber: 100,
  maxLastValues: 10_000,
  maxLastValueBytes: 10_000_000,
};

/** One bridge as the config has it, to that broker. */
export interface PlainBridge {
  readonly broker: SimulatedBroker;
  readonly settings: object;
}

/** No more of a gateway than what bridges need, in virtual time: a router, what is kept, and who its devices are. */
export class PlainGateway {
  readonly name: string;
  readonly log: string[] = [];
  /** How many messages wait for sessions that stand here. */
  readonly held = new Map<string, number>();
  counters = new Counters();
  router!: Router;
  bridges: Bridge[] = [];
  readonly #brokers: readonly PlainBridge[];
  readonly #disk: Disk | undefined;
  readonly #logger: Logger;
  #states = new Map<string, DeviceState>();
  #presence!: Presence;
  #fleet: FleetPresence | undefined;
  #upstreams: SimulatedUpstream[] = [];
  #backend: MemoryBackend | undefined;

  constructor(name: string, bridges: readonly PlainBridge[], disk?: Disk) {
    this.name = name;
    this.#brokers = bridges;
    this.#disk = disk;
    this.#logger = pino(
      {},
      { write: (line: string) => void this.log.push((JSON.parse(line) as { msg: string }).msg) },
    );
    this.start();
  }

  start(): void {
    const broker = this.#brokers[0]?.broker as SimulatedBroker;
    const { clock } = broker;
    const disk = this.#disk;
    const kept = disk?.read();
    this.#backend = disk && new MemoryBackend(disk, clock, broker.random, 10);
    const store = this.#backend && new Store(this.#backend, clock, this.#logger, { time: kept?.time });
    this.counters = new Counters();
    this.#states = new Map();
    const router = new Router(LIMITS, this.counters, clock, store && lastValueKeeper(store));
    this.router = router;
    if (store && kept) restoreLastValues(store, router, kept.lastValues);
    this.#presence = new Presence(router, clock, this.#logger);
    const config = configSchema.parse({
      version: 1,
      gateway: this.name,
      bridges: this.#brokers.map(({ settings }, n) => ({
        name: `b${n}`,
        mqtt: { url: 'mqtt://simulated', client_id: `${n}` },
        rules: [],
        ...settings,
      })),
    });
    const turns = new FairTurns(clock, () => router.delivered);
    const common = {
      router,
      clock,
      turns,
      counters: this.counters,
      logger: this.#logger,
      gateway: this.name,
      store,
    };
    if (config.bridges.some(({ presence }) => presence !== undefined))
      this.#fleet = new FleetPresence({ ...common, sessionOf: (device) => this.#sessionOf(device) });
    this.#upstreams = [];
    this.bridges = config.bridges.map((one, n) => {
      const to = this.#brokers[n]?.broker as SimulatedBroker;
      return new Bridge({
        ...common,
        config: one,
        presence: this.#fleet,
        upstream: (records) => {
          const upstream = new SimulatedUpstream({
            broker: to,
            // Without a memory it begins anew there, too.
            client: `${this.name}-${one.name}${disk ? '' : records.instance}`,
            gateway: this.name,
            instance: records.instance,
            records,
          });
          this.#upstreams.push(upstream);
          return upstream;
        },
        random: () => broker.random.next(),
        stored: kept?.bridges.get(one.name),
      });
    });
    this.#fleet?.start();
    for (const bridge of this.bridges) bridge.start();
    this.#presence.correctLater((device) => this.#states.get(device) ?? 'offline');
  }

  /** The process ends, whatever it is about. */
  kill(): void {
    for (const upstream of this.#upstreams) upstream.die();
    this.#backend?.kill();
    this.#fleet?.stop();
  }

  /** A device came, went, or fell asleep. */
  device(id: string, state: DeviceState): void {
    this.#states.set(id, state);
    this.#presence.announce(id, state);
  }

  /** Nothing is known of that device any more. */
  forget(id: string): void {
    this.#states.delete(id);
    this.#presence.forget(id);
  }

  emit(channel: string, text: string, qos: 0 | 1 | 2 = 1, retain = true): void {
    this.router.emit(channel, bytes(text), { qos, retain });
  }

  /** A peer that is subscribed to that. */
  watch(pattern: string): Inbox {
    const inbox = new Inbox();
    this.router.connect(inbox);
    this.router.subscribe(inbox, pattern, asking(1));
    return inbox;
  }

  lastValue(channel: string): string | undefined {
    const value = this.router.lastValue(channel);
    return value && Buffer.from(value.payload).toString();
  }

  /** What is told of each device of the fleet, `online@a`, `offline@a` with `(was online)`. */
  fleet(): Record<string, string> {
    const PREFIX = '$slipway/fleet/devices/';
    return Object.fromEntries(
      this.router
        .lastValues(`${PREFIX}+`)
        .map(({ name, payload }) => [name.slice(PREFIX.length), shortly(Buffer.from(payload).toString())])
        .sort(([a = ''], [b = '']) => a.localeCompare(b)),
    );
  }

  #sessionOf(device: string) {
    const pending = this.held.get(device);
    if (pending === undefined) return undefined;
    return { present: this.#states.get(device) === 'online', pending };
  }
}

function shortly(json: string): string {
  const { state, gateway, was, held } = JSON.parse(json) as FleetWord;
  return `${state}@${gateway}${was === undefined ? '' : ` was ${was}`}${held ? ` held ${JSON.stringify(held)}` : ''}`;
}
