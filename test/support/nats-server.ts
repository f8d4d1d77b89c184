import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { freePort } from './gateways.js';
import { endWithTest, type ServerOptions, ServerProcess } from './server-process.js';

/** `settings` are as `max_payload: 1024`. */
export interface NatsOptions extends ServerOptions {
  /** Default: true, with its data in files. */
  readonly jetstream?: boolean;
  /** Who may log in; without, everyone may. */
  readonly users?: readonly NatsUser[];
}

export interface NatsUser {
  readonly user: string;
  readonly password: string;
  /** As in the config of the server: `{ publish: { deny: ['secret.>'] }, subscribe: ['>'] }`. */
  readonly permissions?: object;
}

/** How long JetStream may take to elect leaders on a machine that is busy, ms. */
const PATIENCE_MS = 45_000;

/** A nats-server on ports of its own, which keeps them and its data from one life to the next. */
export class NatsServer {
  readonly port: number;
  readonly process: ServerProcess;
  readonly #monitor: number;
  readonly #folder: string;
  readonly #jetstream: boolean;

  /** Starts one by itself, which `remove` must end: for `beforeAll` and `afterAll`. Within a test: `startNats`. */
  static async start(options: NatsOptions = {}): Promise<NatsServer> {
    const server = await NatsServer.prepare('nats', options, []);
    await server.start();
    return server;
  }

  /** One that does not run yet. `cluster`: lines of its config that make it one of a cluster. */
  static async prepare(name: string, options: NatsOptions, cluster: readonly string[]): Promise<NatsServer> {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-nats-'));
    const server = new NatsServer(
      name,
      folder,
      await freePort(),
      await freePort(),
      options.jetstream ?? true,
    );
    const lines = [...server.#settings(options), ...cluster];
    await writeFile(join(folder, 'nats.conf'), `${lines.join('\n')}\n`);
    return server;
  }

  private constructor(name: string, folder: string, port: number, monitor: number, jetstream: boolean) {
    this.#folder = folder;
    this.port = port;
    this.#monitor = monitor;
    this.#jetstream = jetstream;
    this.process = new ServerProcess(name, 'nats-server', ['-c', join(folder, 'nats.conf')]);
  }

  get name(): string {
    return this.process.name;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Starts it, also after `stop` or `kill`; resolves when all that it serves is there. */
  async start(): Promise<void> {
    await this.launch();
    await this.ready();
  }

  /** Starts it; resolves when it listens. JetStream may not be there yet. */
  launch(): Promise<void> {
    return this.process.start(/Server is ready/);
  }

  /** Waits until its JetStream serves: there is a leader, and what it has is up to date. */
  async ready(): Promise<void> {
    const check = async () => {
      expect(await this.monitor('healthz')).toMatchObject({ status: 'ok' });
      if (!this.#jetstream) return;
      const { meta_cluster: meta } = (await this.monitor('jsz')) as { meta_cluster?: { leader?: string } };
      if (meta) expect(meta.leader, `${this.name} knows of no leader`).toBeTruthy();
    };
    await vi.waitFor(check, { timeout: PATIENCE_MS, interval: 50 });
  }

  /** What its monitoring says at that path: `jsz?streams=true`, `connz`, `varz`. */
  async monitor(path: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#monitor}/${path}`, {
      signal: AbortSignal.timeout(5000),
    });
    return response.json();
  }

  stop(): Promise<void> {
    return this.process.stop();
  }

  kill(): Promise<void> {
    return this.process.kill();
  }

  lastLines(): string {
    return this.process.lastLines();
  }

  /** Ends it for good, with its data. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #settings({ users, tls, settings = [] }: NatsOptions): string[] {
    return [
      `server_name: ${this.name}`,
      `listen: 127.0.0.1:${this.port}`,
      `http: 127.0.0.1:${this.#monitor}`,
      ...(this.#jetstream ? [`jetstream { store_dir: "${join(this.#folder, 'data')}" }`] : []),
      ...(users ? [`authorization { users: ${JSON.stringify(users)} }`] : []),
      ...(tls ? [`tls { ${tlsSettings(tls)} }`] : []),
      ...settings,
    ];
  }
}

/** Ports of this machine: where a node listens for the others, which of them it tells them, and where it looks for them. */
export interface ClusterWays {
  readonly port: number;
  readonly advertise: number;
  readonly routes: readonly number[];
}

/** Servers that are one cluster, on loopback. */
export class NatsCluster {
  readonly nodes: readonly NatsServer[];

  /** Starts one that `remove` must end. Within a test: `startNatsCluster`. */
  static async start(options: NatsOptions = {}, size = 3): Promise<NatsCluster> {
    const ports = await Promise.all(Array.from({ length: size }, freePort));
    const ways = ports.map((port) => ({ port, advertise: port, routes: ports }));
    const cluster = await NatsCluster.prepare(options, ways);
    await cluster.start();
    return cluster;
  }

  /** One that does not run yet, with the ways between its nodes as they are given. */
  static async prepare(options: NatsOptions, ways: readonly ClusterWays[]): Promise<NatsCluster> {
    const address = (port: number) => `127.0.0.1:${port}`;
    const lines = ({ port, advertise, routes }: ClusterWays) => {
      const urls = JSON.stringify(routes.map((route) => `nats://${address(route)}`));
      return `cluster { name: slipway, listen: "${address(port)}", advertise: "${address(advertise)}", routes: ${urls} }`;
    };
    const nodes = ways.map((each, index) => NatsServer.prepare(`n${index + 1}`, options, [lines(each)]));
    return new NatsCluster(await Promise.all(nodes));
  }

  private constructor(nodes: readonly NatsServer[]) {
    this.nodes = nodes;
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** Starts those that do not run; resolves when JetStream serves on all. */
  async start(): Promise<void> {
    await Promise.all(this.nodes.filter(({ process }) => !process.running).map((node) => node.launch()));
    await this.ready();
  }

  async ready(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.ready()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  async kill(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  async remove(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.remove()));
  }

  lastLines(count = 60): string {
    return this.nodes.map(({ process }) => process.lastLines(count)).join('\n');
  }
}

/** Starts one that ends with the test; when that fails, what it logged is shown. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  return endWithTest(await NatsServer.start(options));
}

/** The same with a cluster. */
export async function startNatsCluster(options: NatsOptions = {}, size = 3): Promise<NatsCluster> {
  return endWithTest(await NatsCluster.start(options, size));
}

function tlsSettings({ cert, key, clientCa }: NonNullable<NatsOptions['tls']>): string {
  const client = clientCa ? `, ca_file: "${clientCa}", verify: true` : '';
  return `cert_file: "${cert}", key_file: "${key}"${client}`;
}
