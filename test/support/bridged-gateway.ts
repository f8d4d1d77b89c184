import { type Logger, pino } from 'pino';
import { Bridge } from '../../src/bridges/bridge.js';
import { FleetPresence } from '../../src/bridges/presence/fleet-presence.js';
import type { BridgeRecords } from '../../src/bridges/records.js';
import type { Upstream } from '../../src/bridges/upstream.js';
import { type Config, configSchema } from '../../src/config/schema.js';
import type { Qos } from '../../src/wire/messages.js';
import { NO_FAULTS } from './faulty-wire.js';
import type { Disk } from './memory-backend.js';
import type { SimulatedBroker } from './simulated-broker/broker.js';
import { SimulatedUpstream } from './simulated-broker/upstream.js';
import { EngineDevice, type SimulatedLink, Simulation, type SimulationLimits } from './simulation.js';
import { until } from './turns.js';
import type { VirtualClock } from './virtual-clock.js';

type Direction = 'out' | 'in' | 'both';

/** A bridge as the config file has it, but to a simulated broker. */
export interface BridgeSetup {
  readonly broker: SimulatedBroker;
  /** `up` if left out. */
  readonly name?: string;
  readonly rules: readonly { pattern: string; direction: Direction; qos?: Qos; remote?: string }[];
  readonly presence?: { direction: Direction; remote: string };
  readonly broadcast?: { direction: Direction; remote: string };
  readonly queue?: {
    messages?: number;
    bytes?: string;
    age?: string;
    when_full?: 'refuse' | 'drop_oldest';
  };
  readonly in_flight?: number;
}

export interface BridgedGatewayOptions {
  readonly clock: VirtualClock;
  readonly seed: number;
  /** `site` if left out. */
  readonly name?: string;
  readonly bridges: readonly BridgeSetup[];
  /** Where it keeps what is to outlive it; it remembers nothing if left out. */
  readonly disk?: Disk;
  readonly maxCommitMs?: number;
  /** Where the bridges lead to in place of their brokers. */
  readonly upstream?: () => Upstream;
  readonly limits?: SimulationLimits;
}

export interface LogLine {
  readonly level: number;
  readonly msg: string;
}

/** A gateway in virtual time with bridges to simulated brokers, and devices on links without faults. It may be killed at any moment. */
export class BridgedGateway {
  readonly name: string;
  readonly simulation: Simulation;
  readonly log: LogLine[] = [];
  bridges: readonly Bridge[] = [];
  upstreams: readonly SimulatedUpstream[] = [];
  #presence: FleetPresence | undefined;
  readonly #options: BridgedGatewayOptions;
  readonly #logger: Logger;
  readonly #devices = new Map<EngineDevice, SimulatedLink>();

  constructor(options: BridgedGatewayOptions) {
    const { clock, seed, limits, name = 'site' } = options;
    this.name = name;
    this.#options = options;
    this.#logger = pino(
      { level: 'info' },
      { write: (line: string) => void this.log.push(JSON.parse(line) as LogLine) },
    );
    this.simulation = new Simulation(seed, limits, clock);
    this.start();
  }

  /** The first bridge, and its far side. */
  get bridge(): Bridge {
    return this.bridges[0] as Bridge;
  }

  get upstream(): SimulatedUpstream {
    return this.upstreams[0] as SimulatedUpstream;
  }

  /** Kills the gateway, if it runs, and starts it with what is on its disk; the devices are back at once. */
  restart(): void {
    this.kill();
    this.start();
  }

  /** The gateway says goodbye to everyone, in the order in which the real one does, and starts again. */
  async restartGently(): Promise<void> {
    this.simulation.stop();
    let stopped = false;
    const bridges = this.bridges.map((bridge) => bridge.stop());
    void Promise.all(bridges).then(() => {
      stopped = true;
    });
    await until(this.simulation.clock, () => stopped, 60_000, 'the bridges are stopped');
    this.restart();
  }

  /** The process ends in the middle of what it does. */
  kill(): void {
    for (const link of this.#devices.values()) link.cut();
    for (const upstream of this.upstreams) upstream.die();
    this.#presence?.stop();
    this.bridges = [];
    this.upstreams = [];
  }

  start(): void {
    const { simulation } = this;
    const { disk, maxCommitMs, bridges } = this.#options;
    simulation.startGateway(disk, maxCommitMs);
    const { router, clock, counters, store, kept, commons, hub } = simulation;
    const { turns } = commons;
    const config = configOf(this.name, bridges);
    const common = { gateway: this.name, router, clock, counters, turns, logger: this.#logger };
    const presence = new FleetPresence({
      ...common,
      sessionOf: (device) => hub.standingOf(device),
    });
    this.#presence = presence;
    const upstreams: SimulatedUpstream[] = [];
    this.bridges = config.bridges.map((one, n) => {
      const { broker } = bridges[n] as BridgeSetup;
      const upstream = (records: BridgeRecords) => {
        const other = this.#options.upstream?.();
        if (other) return other;
        const { instance } = records;
        const made = new SimulatedUpstream({
          broker,
          client: `${this.name}-${one.name}`,
          gateway: this.name,
          instance,
          records,
        });
        upstreams.push(made);
        return made;
      };
      return new Bridge({
        ...common,
        config: one,
        presence,
        upstream,
        random: () => simulation.random.next(),
        store,
        stored: kept?.bridges.get(one.name),
      });
    });
    this.upstreams = upstreams;
    if (config.bridges.some((one) => one.presence)) presence.start();
    for (const bridge of this.bridges) bridge.start();
    for (const device of this.#devices.keys()) this.#connect(device);
  }

  /** A device whose session outlives its connections, and this gateway if that has a disk. */
  device(identity: string): EngineDevice {
    const device = new EngineDevice(this.simulation, identity, { limits: { window: 16 } });
    this.#connect(device);
    return device;
  }

  /** Takes the device off its link; `connect` brings it back. */
  disconnect(device: EngineDevice): void {
    this.#devices.get(device)?.cut();
  }

  connect(device: EngineDevice): void {
    this.#connect(device);
  }

  /** What a bridge has counted, as `drop.offline`. */
  count(what: string, bridge = 'up'): number {
    return this.simulation.counters.get(`bridges.${bridge}.${what}`);
  }

  /** What the last value of one of the gateway's own channels says. */
  lastValue(channel: string): string | undefined {
    const value = this.simulation.router.lastValue(channel);
    return value && Buffer.from(value.payload).toString();
  }

  #connect(device: EngineDevice): void {
    this.#devices.set(device, this.simulation.connect('udp', device, NO_FAULTS));
  }
}

/** As the config file would have it, with its checks and its defaults. */
function configOf(gateway: string, setups: readonly BridgeSetup[]): Config {
  const bridges = setups.map(({ name = 'up', ...more }) => ({
    ...Object.fromEntries(Object.entries(more).filter(([key]) => key !== 'broker')),
    name,
    mqtt: { url: 'mqtt://simulated', client_id: `${gateway}-${name}` },
  }));
  return configSchema.parse({ version: 1, gateway, bridges });
}
