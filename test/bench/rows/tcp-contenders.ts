import { Helper } from '../helper.js';
import type { LoadReport, TcpLoad, TcpTarget } from '../load/tcp-load.js';
import type { BenchContext, Contender, Running } from '../row.js';
import { type GatewaySettings, startGateway } from '../servers/gateway.js';
import { startMosquitto } from '../servers/mosquitto.js';
import { startNats } from '../servers/nats.js';

const GENERATOR = new URL('../load/tcp-generator.js', import.meta.url);
const BARE_ROUTER = new URL('../servers/bare-router.js', import.meta.url);
const BLIND = new URL('../servers/blind.js', import.meta.url);

export type TcpWork = Omit<TcpLoad, 'dialect' | 'perPacket'>;

interface Server {
  readonly port: number;
  stop(): Promise<void>;
}

/** How a report becomes the figure of a row. */
export type Figure = (report: LoadReport) => number;
export const messagesPerSecond: Figure = ({ received, seconds }) => received / seconds;

/** Starts a server, and a generator for it in a process of its own. */
async function startLoad(
  load: TcpLoad,
  figure: Figure,
  startServer: () => Promise<Server>,
  blind = false,
): Promise<Running> {
  const server = await startServer();
  const generator = new Helper(GENERATOR);
  const stop = async (): Promise<void> => {
    await generator.stop();
    await server.stop();
  };
  try {
    const target: TcpTarget = { port: server.port, blind };
    await generator.ask('open', { load, target });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    async round(ms) {
      const report = await generator.ask<LoadReport>('round', ms);
      return { value: figure(report), also: { 'generator on a core': report.busy / report.seconds } };
    },
    stop,
  };
}

async function startHelper(module: URL, argument?: unknown): Promise<Server> {
  const helper = new Helper(module);
  const { port } = await helper.ask<{ port: number }>('listen', argument);
  return { port, stop: () => helper.stop() };
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
    const load = this.#load('slipway', perPacket);
    return this.#contender(name, role, load, async (context) => {
      const gateway = await startGateway(context, settings);
      return { port: gateway.tcp, stop: () => gateway.stop() };
    });
  }

  nats(): Contender {
    return this.#contender('nats-server', 'peer', this.#load('nats'), startNats);
  }

  mosquitto(): Contender {
    return this.#contender('mosquitto', 'peer', this.#load('mqtt'), startMosquitto);
  }

  bareRouter(): Contender {
    return this.#contender('bare router', 'ceiling', this.#load('frames'), () => startHelper(BARE_ROUTER));
  }

  /** The generator for that dialect against a server that does nothing with what it gets. */
  generator(dialect: TcpLoad['dialect']): Contender {
    const load = this.#load(dialect);
    return {
      name: `generator alone, ${dialect}`,
      role: 'reported',
      start: () => startLoad(load, this.#figure, () => startHelper(BLIND, load), true),
    };
  }

  #load(dialect: TcpLoad['dialect'], perPacket = this.#work.block): TcpLoad {
    return { ...this.#work, dialect, perPacket };
  }

  #contender(
    name: string,
    role: Contender['role'],
    load: TcpLoad,
    server: (context: BenchContext) => Promise<Server>,
  ): Contender {
    return { name, role, start: (context) => startLoad(load, this.#figure, () => server(context)) };
  }
}
