import { Helper } from '../helper.js';
import type { DialectName, LoadReport, TcpLoad, TcpTarget } from '../load/tcp-load.js';
import type { BenchContext, Contender, Running } from '../row.js';
import type { Server } from '../server-process.js';
import type { GatewaySettings } from '../servers/gateway.js';
import {
  AEDES_BROKER,
  BARE,
  gateway,
  MOSQUITTO,
  mqttGateway,
  NATS,
  type ServerKind,
  startHelper,
} from './servers.js';

const GENERATOR = new URL('../load/tcp-generator.js', import.meta.url);
const BLIND = new URL('../servers/blind.js', import.meta.url);
/** In a miniature there are no more publishers, and no more subscribers: what is on its way at once takes its time. */
const SMOKE_CLIENTS = 10;

export type TcpWork = Omit<TcpLoad, 'dialect' | 'channel' | 'perPacket'>;

/** How a report becomes the figure of a row. */
export type Figure = (report: LoadReport) => number;
export const messagesPerSecond: Figure = ({ received, seconds }) => received / seconds;

/**
 * Starts a server, and a generator for it in a process of its own.
 * @param open What the generator is told, once the server's port is known.
 */
export async function startLoad(
  startServer: () => Promise<Server>,
  module: URL,
  open: (port: number) => unknown,
  figure = messagesPerSecond,
  nodeArguments: readonly string[] = [],
): Promise<Running> {
  const server = await startServer();
  const generator = new Helper(module, nodeArguments);
  const stop = async (): Promise<void> => {
    await generator.stop();
    await server.stop();
  };
  try {
    await generator.ask('open', open(server.port));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    async round(ms) {
      const before = await server.cpu();
      const report = await generator.ask<LoadReport>('round', ms);
      const cost = ((await server.cpu()) - before) / report.received;
      const also = {
        'µs on a core': cost * 1e6,
        'generator busy, %': (100 * report.busy) / report.seconds,
      };
      return { value: figure(report), also };
    },
    stop,
  };
}

/** Contenders for work over TCP, each with a generator of its own. */
export class TcpContenders {
  readonly #work: TcpWork;
  readonly #figure: Figure;

  constructor(work: TcpWork, figure = messagesPerSecond) {
    this.#work = work;
    this.#figure = figure;
  }

  /** The gateway, with so many messages in a packet: as many as are written at once unless given. */
  slipway(
    name: string,
    role: Contender['role'],
    { perPacket, ...settings }: GatewaySettings & { readonly perPacket?: number } = {},
  ): Contender {
    return this.#contender(name, role, gateway(settings), perPacket);
  }

  /** The gateway, spoken to in MQTT. */
  slipwayMqtt(name: string, role: Contender['role'], settings?: GatewaySettings): Contender {
    return this.#contender(name, role, mqttGateway(settings));
  }

  nats(): Contender {
    return this.#contender('nats-server', 'peer', NATS);
  }

  mosquitto(): Contender {
    return this.#contender('mosquitto', 'peer', MOSQUITTO);
  }

  aedes(): Contender {
    return this.#contender('aedes', 'peer', AEDES_BROKER);
  }

  bareRouter(): Contender {
    return this.#contender('bare router', 'ceiling', BARE);
  }

  /** The generator for that dialect against a server that does nothing with what it gets. */
  generator(dialect: DialectName): Contender {
    const start = (context: BenchContext) => {
      const load = this.#load(context, dialect);
      const open = (port: number) => ({ load, target: { port, blind: true } satisfies TcpTarget });
      return startLoad(() => startHelper(BLIND, load), GENERATOR, open, this.#figure);
    };
    return { name: `generator alone, ${dialect}`, role: 'reported', start };
  }

  #load({ smoke }: BenchContext, dialect: DialectName, perPacket = this.#work.block): TcpLoad {
    const most = smoke ? SMOKE_CLIENTS : Number.POSITIVE_INFINITY;
    const publishers = Math.min(this.#work.publishers, most);
    const subscribers = Math.min(this.#work.subscribers, most);
    return { ...this.#work, publishers, subscribers, dialect, channel: 'bench', perPacket };
  }

  #contender(name: string, role: Contender['role'], server: ServerKind, perPacket?: number): Contender {
    const start = (context: BenchContext) => {
      const load = this.#load(context, server.dialect, perPacket);
      const open = (port: number) => ({ load, target: { port, blind: false } satisfies TcpTarget });
      return startLoad(() => server.start(context), GENERATOR, open, this.#figure);
    };
    return { name, role, start };
  }
}
