import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, until } from './gateways.js';
import { endWithTest, type ServerOptions, ServerProcess } from './server-process.js';
import { findTool } from './tools.js';

/** `settings` are lines before `listener`: `max_inflight_messages 1`. */
export interface MosquittoOptions extends ServerOptions {
  /** Who may log in, and with which password; without, everyone may. */
  readonly users?: Readonly<Record<string, string>>;
  /** Lines of an ACL file: `user ada`, `topic write site1/#`. */
  readonly acl?: readonly string[];
  /** A second listener, for WebSocket: `webSocketUrl`. */
  readonly webSocket?: boolean;
}

/**
 * A mosquitto on a port of its own that keeps it, and its data, from one life to the next. It writes down what it has when it is
 * stopped; on `kill` what came since it last did is lost: `autosave_interval` and `autosave_on_changes` of `settings` say how often.
 */
export class Mosquitto {
  readonly port: number;
  readonly process: ServerProcess;
  readonly #folder: string;
  readonly #webSocketPort: number;
  readonly #secure: string;

  /** Starts one that `remove` must end: for `beforeAll` and `afterAll`. Within a test: `startMosquitto`. */
  static async start(options: MosquittoOptions = {}): Promise<Mosquitto> {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-mosquitto-'));
    const [port, webSocketPort] = [await freePort(), options.webSocket ? await freePort() : 0];
    const lines = settings(folder, [port, webSocketPort], options);
    await writeFile(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`);
    if (options.acl) await writeFile(join(folder, 'acl'), `${options.acl.join('\n')}\n`);
    if (options.users) makePasswordFile(join(folder, 'passwords'), options.users);
    const broker = new Mosquitto(folder, port, webSocketPort, options.tls ? 's' : '');
    await broker.start();
    return broker;
  }

  private constructor(folder: string, port: number, webSocketPort: number, secure: string) {
    this.#folder = folder;
    this.port = port;
    this.#webSocketPort = webSocketPort;
    this.#secure = secure;
    this.process = new ServerProcess('mosquitto', 'mosquitto', ['-c', join(folder, 'mosquitto.conf')]);
  }

  get #database(): string {
    return join(this.#folder, 'mosquitto.db');
  }

  get url(): string {
    return `mqtt${this.#secure}://127.0.0.1:${this.port}`;
  }

  get webSocketUrl(): string {
    return `ws${this.#secure}://127.0.0.1:${this.#webSocketPort}/mqtt`;
  }

  /** Starts it again, after `stop` or `kill`; resolves when it listens. */
  start(): Promise<void> {
    return this.process.start(/mosquitto version \S+ running$/);
  }

  /** SIGTERM: it writes down what it has, and ends. */
  stop(): Promise<void> {
    return this.process.stop();
  }

  kill(): Promise<void> {
    return this.process.kill();
  }

  lastLines(): string {
    return this.process.lastLines();
  }

  /** It writes down what it has, and goes on. Resolves when it has. */
  async save(): Promise<void> {
    const saved = () =>
      stat(this.#database).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      );
    const before = await saved();
    this.process.signal('SIGUSR1');
    // It writes another file first, which then takes the place of that.
    await until(async () => {
      if ((await saved()) === before) throw new Error('mosquitto does not save');
    });
  }

  /** Ends it for good, with its data. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Starts one that ends with the test; when that fails, what it logged is shown. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  return endWithTest(await Mosquitto.start(options));
}

function settings(
  folder: string,
  [port, webSocketPort]: readonly [number, number],
  options: MosquittoOptions,
): string[] {
  const { users, acl, tls, webSocket = false, settings: others = [] } = options;
  const listener = (at: number) => [
    `listener ${at} 127.0.0.1`,
    ...(tls ? [`certfile ${tls.cert}`, `keyfile ${tls.key}`] : []),
    ...(tls?.clientCa ? [`cafile ${tls.clientCa}`, 'require_certificate true'] : []),
  ];
  return [
    'user root', // Who is not root stays who it is.
    'persistence true',
    `persistence_location ${folder}/`,
    'log_dest stderr',
    ...['error', 'warning', 'notice', 'information', 'subscribe', 'unsubscribe'].map(
      (type) => `log_type ${type}`,
    ),
    'set_tcp_nodelay true',
    'max_queued_messages 0', // None of what waits for a subscriber is dropped.
    `allow_anonymous ${users === undefined}`,
    ...(users ? [`password_file ${join(folder, 'passwords')}`] : []),
    ...(acl ? [`acl_file ${join(folder, 'acl')}`] : []),
    ...others,
    ...listener(port),
    ...(webSocket ? [...listener(webSocketPort), 'protocol websockets'] : []),
  ];
}

function makePasswordFile(file: string, users: Readonly<Record<string, string>>): void {
  const program = findTool('mosquitto_passwd') ?? 'mosquitto_passwd';
  Object.entries(users).forEach(([user, password], index) => {
    execFileSync(program, [...(index === 0 ? ['-c'] : []), '-b', file, user, password], { stdio: 'pipe' });
  });
}
