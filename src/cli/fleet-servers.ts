import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { codeOf, SlipwayError } from '../errors.js';

/** How long it may take until they have elected a leader, ms. */
const PATIENCE_MS = 60_000;
const INSTALL =
  'install it (on Debian: apt-get install nats-server; elsewhere: https://github.com/nats-io/nats-server/releases), or name the servers of a cluster that runs: --nats nats://HOST:PORT,…';

/** A cluster of NATS servers on this machine, with JetStream, for the time of a demonstration. */
export class FleetServers {
  readonly urls: readonly string[];
  readonly folder: string;
  readonly #processes: readonly ChildProcess[];

  /**
   * Starts three on ports that are free.
   * @throws SlipwayError `no_nats_server` when there is no such program, or it does not start
   */
  static async start(): Promise<FleetServers> {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-fleet-'));
    const ports = await freePorts(6);
    const clients = ports.slice(0, 3);
    const routes = ports.slice(3).map((port) => `nats://127.0.0.1:${port}`);
    const processes = clients.map((port, i) =>
      spawn(
        'nats-server',
        [
          '--name',
          `n${i + 1}`,
          '--addr',
          '127.0.0.1',
          '--port',
          `${port}`,
          '--jetstream',
          '--store_dir',
          join(folder, `n${i + 1}`),
          '--cluster_name',
          'fleet',
          '--cluster',
          routes[i] ?? '',
          '--routes',
          routes.join(','),
        ],
        { stdio: ['ignore', 'ignore', 'pipe'] },
      ),
    );
    const servers = new FleetServers(
      clients.map((port) => `nats://127.0.0.1:${port}`),
      folder,
      processes,
    );
    try {
      await Promise.all(processes.map(ready));
    } catch (error) {
      await servers.stop();
      throw error;
    }
    return servers;
  }

  private constructor(urls: readonly string[], folder: string, processes: readonly ChildProcess[]) {
    this.urls = urls;
    this.folder = folder;
    this.#processes = processes;
    process.once('exit', this.#kill);
  }

  /** Ends them, and deletes what they kept. */
  async stop(): Promise<void> {
    process.off('exit', this.#kill);
    const ended = this.#processes
      .filter(
        ({ pid, exitCode, signalCode }) => pid !== undefined && exitCode === null && signalCode === null,
      )
      .map((child) => once(child, 'close'));
    this.#kill();
    await Promise.all(ended);
    await rm(this.folder, { recursive: true, force: true });
  }

  readonly #kill = (): void => {
    for (const child of this.#processes) child.kill('SIGKILL');
  };
}

/** Resolves when the server serves, also what takes the whole cluster. */
function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new SlipwayError('no_nats_server', `the fleet needs nats-server: ${why}`));
    };
    const last: string[] = [];
    const timer = setTimeout(
      () => fail(`it is not ready after ${PATIENCE_MS / 1000} s: ${last.join(' ')}`),
      PATIENCE_MS,
    );
    child.once('error', (error) =>
      fail(codeOf(error) === 'ENOENT' ? `it is not on this machine; ${INSTALL}` : error.message),
    );
    child.once('close', () => fail(`it ended: ${last.join(' ')}`));
    if (!child.stderr) return;
    createInterface({ input: child.stderr }).on('line', (line) => {
      last.splice(0, last.length, line);
      if (!/JetStream cluster new (metadata|stream|consumer) leader|Self is new JetStream/i.test(line))
        return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Ports of the loopback that nobody listens on now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  for (const server of servers) server.close();
  await Promise.all(servers.map((server) => once(server, 'close')));
  return ports;
}
