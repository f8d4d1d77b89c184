import { freePort } from '../free-port.js';
import { type Server, ServerProcess } from '../server-process.js';
import { makeFolder, removeFolder } from '../temporary-folder.js';

export interface NatsServer extends Server {
  cpu(): number;
  /** Resident memory, bytes. */
  rss(): number;
}

export interface NatsSettings {
  /** With its data in a folder of its own. */
  readonly jetStream?: boolean;
  /** The system picks one unless given. */
  readonly port?: number;
}

/** Starts nats-server with its defaults on the loopback address. */
export function startNats({ jetStream = false, port = -1 }: NatsSettings = {}): Promise<NatsServer> {
  return start(jetStream ? makeFolder() : undefined, ['--port', `${port}`]);
}

/** Three of them as one cluster, with JetStream. */
export async function startNatsCluster(): Promise<NatsServer[]> {
  const ports = [await freePort(), await freePort(), await freePort()];
  const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join(',');
  return Promise.all(
    ports.map((port, n) => {
      const cluster = [
        '--cluster_name',
        'bench',
        '--cluster',
        `nats://127.0.0.1:${port}`,
        '--routes',
        routes,
      ];
      return start(makeFolder(), ['--port', '-1', '--name', `n${n + 1}`, ...cluster]);
    }),
  );
}

async function start(folder: string | undefined, more: readonly string[]): Promise<NatsServer> {
  let port = 0;
  const jetStream = folder === undefined ? [] : ['--jetstream', '--store_dir', folder];
  const server = await ServerProcess.start({
    program: 'nats-server',
    arguments: ['--addr', '127.0.0.1', ...jetStream, ...more],
    remedy: 'apt-get install nats-server',
    ready: (line) => {
      port ||= Number(/Listening for client connections on [\d.]+:(\d+)/.exec(line)?.[1] ?? 0);
      return line.includes('Server is ready');
    },
  });
  return {
    port,
    cpu: () => server.cpu,
    rss: () => server.rss,
    async stop() {
      await server.stop();
      if (folder !== undefined) removeFolder(folder);
    },
  };
}
