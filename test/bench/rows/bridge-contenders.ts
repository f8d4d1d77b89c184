import { connect } from '../../../src/index.js';
import { Helper } from '../helper.js';
import type { BridgeLoad } from '../load/bridge-generator.js';
import type { DialectName, LoadReport, TcpLoad } from '../load/tcp-load.js';
import type { BenchContext, Contender, Outcome, Running } from '../row.js';
import type { Server } from '../server-process.js';
import { startGateway } from '../servers/gateway.js';
import type { PublisherWork, PublishingLibrary } from '../servers/library-publisher.js';
import { bridgeConfig, bridgeIsUp, untilHeard } from './bridge-gateway.js';
import { streamOf } from './bridge-stream.js';
import { JETSTREAM, MOSQUITTO, NATS, type ServerKind, startHelper } from './servers.js';
import { type Figure, messagesPerSecond } from './tcp-contenders.js';
import { together } from './udp.js';

const GENERATOR = new URL('../load/bridge-generator.js', import.meta.url);
const LIBRARY_PUBLISHER = new URL('../servers/library-publisher.js', import.meta.url);

const CHANNEL = 'bench';
/** Messages of QoS ≥ 1 that may be unacknowledged upstream: the bridge's default, and the library's. */
const IN_FLIGHT = 1000;

export type BridgeShape = Omit<TcpLoad, 'dialect' | 'channel' | 'perPacket'>;

export type Broker = 'nats' | 'jetstream' | 'mosquitto';

const BROKERS: Record<Broker, ServerKind> = { nats: NATS, jetstream: JETSTREAM, mosquitto: MOSQUITTO };

const LIBRARIES: Record<Broker, { readonly library: PublishingLibrary; readonly name: string }> = {
  nats: { library: 'nats', name: '@nats-io/transport-node alone' },
  jetstream: { library: 'jetstream', name: '@nats-io/jetstream alone' },
  mosquitto: { library: 'mqtt', name: 'mqtt alone' },
};

/** One side of the broker, at which the generator publishes or subscribes. */
interface Side {
  readonly dialect: DialectName;
  /** Undefined: the broker itself. */
  start?(context: BenchContext, broker: number): Promise<Server>;
}

/** Messages over a broker, by a bridge or by that bridge's client library alone; each contender before a broker of its own. */
export class BridgeContenders {
  readonly #broker: Broker;
  readonly #shape: BridgeShape;
  readonly #figure: Figure;

  constructor(broker: Broker, shape: BridgeShape, figure: Figure = messagesPerSecond) {
    this.#broker = broker;
    this.#shape = shape;
    this.#figure = figure;
  }

  /** From a gateway. `store`: whether it keeps what is not upstream yet on disk; `perPacket`: messages in a packet, all of a block unless given. */
  out(name: string, role: Contender['role'], store: boolean, perPacket?: number): Contender {
    return this.#contender(name, role, this.#gateway('out', store), this.#itself(), perPacket);
  }

  /** From one gateway to another. */
  pair(name: string, role: Contender['role']): Contender {
    return this.#contender(name, role, this.#gateway('out', false), this.#gateway('in', false));
  }

  /** From a process that publishes through the library, and does nothing else. */
  library(): Contender {
    const { library, name } = LIBRARIES[this.#broker];
    const start = (_: BenchContext, port: number) => {
      const load = this.#load('blocks');
      return startHelper(LIBRARY_PUBLISHER, {
        library,
        port,
        load,
        inFlight: IN_FLIGHT,
      } satisfies PublisherWork);
    };
    return this.#contender(name, 'peer', { dialect: 'blocks', start }, this.#itself());
  }

  /** The broker with nothing before it. */
  direct(name: string): Contender {
    return this.#contender(name, 'ceiling', this.#itself(), this.#itself());
  }

  #itself(): Side {
    return { dialect: BROKERS[this.#broker].dialect };
  }

  #gateway(direction: 'out' | 'in', store: boolean): Side {
    const start = async (context: BenchContext, broker: number): Promise<Server> => {
      const rule = { pattern: `${CHANNEL}/#`, direction, qos: this.#shape.qos };
      const gateway = await startGateway(context, {
        config: (folder) =>
          bridgeConfig(this.#broker, broker, { gateway: direction, rules: [rule], ...(store && { folder }) }),
      });
      await bridgeIsUp(gateway);
      return { port: gateway.tcp, cpu: () => gateway.process.cpu, stop: () => gateway.stop() };
    };
    return { dialect: 'slipway', start };
  }

  #load(dialect: DialectName, perPacket = this.#shape.block): TcpLoad {
    return { ...this.#shape, dialect, channel: CHANNEL, perPacket };
  }

  #contender(name: string, role: Contender['role'], near: Side, far: Side, perPacket?: number): Contender {
    const figure = this.#figure;
    const start = (context: BenchContext) =>
      together(async (parts): Promise<Pick<Running, 'round'>> => {
        const started = async (starting: Promise<Server>): Promise<Server> => {
          const server = await starting;
          parts.push(server);
          return server;
        };
        const broker = await started(BROKERS[this.#broker].start(context));
        const stream = this.#broker === 'jetstream' ? await streamOf(broker.port, CHANNEL, parts) : undefined;
        const from = (await (near.start && started(near.start(context, broker.port)))) ?? broker;
        const to = (await (far.start && started(far.start(context, broker.port)))) ?? broker;
        const generator = new Helper(GENERATOR);
        parts.push(generator);
        await generator.ask('open', {
          load: this.#load(near.dialect, perPacket),
          near: from.port,
          far: { port: to.port, dialect: far.dialect },
        } satisfies BridgeLoad);
        if (far.dialect === 'slipway') await asked(from.port, to.port);
        return {
          async round(ms): Promise<Outcome> {
            const before = [await from.cpu(), await broker.cpu()] as const;
            const report = await generator.ask<LoadReport>('round', ms);
            const { received, seconds, busy } = report;
            const waited = (await stream?.filled(received)) ?? 0;
            const cost = (used: number) => (used / received) * 1e6;
            return {
              value: figure({ ...report, seconds: seconds + waited }),
              also: {
                'µs on a core': cost((await from.cpu()) - before[0]),
                'broker, µs on a core': cost((await broker.cpu()) - before[1]),
                'generator busy, %': (100 * busy) / seconds,
              },
            };
          },
        };
      });
    return { name, role, start };
  }
}

/** Resolves when the gateway at `to` has asked for what is subscribed there: what it asks for later has come from the one at `from`. */
async function asked(from: number, to: number): Promise<void> {
  const clients = await Promise.all([connect({ port: to }), connect({ port: from })]);
  await untilHeard(...clients, `${CHANNEL}/asked`);
  await Promise.all(clients.map((client) => client.close()));
}
