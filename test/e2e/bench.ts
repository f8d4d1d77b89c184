import { randomInt } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, vi } from 'vitest';
import { type Client, connect } from '../../src/client/client.js';
import type { ConnectOptions } from '../../src/client/options.js';
import type { ReceivedMessage, SubscribeOptions } from '../../src/client/subscription.js';
import { parseConfig } from '../../src/config/load.js';
import { Gateway, type GatewayOptions } from '../../src/gateway/gateway.js';
import { parseIntelHex } from '../../src/simulator/intel-hex.js';
import { openPty, type Pty } from '../../src/simulator/pty.js';
import { BenchUno } from './bench-uno.js';

const SENSOR = new URL('../../firmware-protocol/examples/SerialSensor/SerialSensor.hex', import.meta.url);

/** How long what must happen may take, ms: boards run in real time, and the machine may be busy with others. */
const PATIENCE_MS = 40_000;

/** Waits until `check`, which is made every `interval` ms, throws no more. */
export function until(check: () => void, interval = 5): Promise<void> {
  return vi.waitFor(check, { timeout: PATIENCE_MS, interval });
}

/** A folder of this test's own. */
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'slipway-e2e-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

/** A gateway and what it said. */
export interface RunningGateway {
  readonly gateway: Gateway;
  readonly port: number;
  /** The messages of its log, from `info` on. */
  readonly log: readonly string[];
  /** What it counted under `name` so far. */
  count(name: string): number;
}

/** Starts a gateway with serial ports, and rules, as a config file has them, on a TCP port that is given or any. */
export async function startGateway(
  serial: readonly object[],
  options: Partial<GatewayOptions> & { port?: number; access?: object } = {},
): Promise<RunningGateway> {
  const { port = 0, access = false, ...rest } = options;
  const log: string[] = [];
  const config = { version: 1, listen: { tcp: { port }, udp: [] }, serial, access };
  const gateway = await Gateway.start({
    config: parseConfig(JSON.stringify(config), 'test', {}),
    logger: pino({ level: 'info' }, { write: (line: string) => log.push(JSON.parse(line).msg as string) }),
    ...rest,
  });
  onTestFinished(() => gateway.stop());
  return {
    gateway,
    port: gateway.addresses.tcp[0]?.port as number,
    log,
    count: (name) => gateway.statistics().counters[name] ?? 0,
  };
}

/** A program at a gateway, and all that it received. */
export class Program {
  readonly client: Client;
  readonly received: ReceivedMessage[] = [];

  constructor(client: Client) {
    this.client = client;
  }

  static async connect(gateway: RunningGateway, options: ConnectOptions = {}): Promise<Program> {
    const client = await connect({ port: gateway.port, ...options });
    onTestFinished(() => client.close());
    return new Program(client);
  }

  async subscribe(...patterns: string[]): Promise<this> {
    for (const pattern of patterns) await this.subscribeWith(pattern, {});
    return this;
  }

  async subscribeWith(pattern: string, options: SubscribeOptions): Promise<void> {
    await this.client.subscribe(pattern, (message) => this.received.push(message), options);
  }

  on(channel: string): ReceivedMessage[] {
    return this.received.filter((message) => message.channel === channel);
  }

  texts(channel: string): string[] {
    return this.on(channel).map(({ text }) => text);
  }

  /** Waits until the last message on `channel` is `text`. */
  async untilLast(channel: string, text: string): Promise<void> {
    await until(() => expect(this.texts(channel).at(-1)).toBe(text));
  }
}

/** Waits until there are `total` subscriptions at the gateway: those of boards are made some time after they are online. */
export function untilSubscriptions({ gateway }: RunningGateway, total: number): Promise<void> {
  return until(() => expect(gateway.statistics().router.subscriptions).toBe(total));
}

const SENSOR_IDENTITY = 'virtual-uno';

/** An Uno with the shipped sensor sketch, not yet powered. Another identity, as long, is put into its flash. */
export async function sensorUno(identity = SENSOR_IDENTITY): Promise<BenchUno> {
  const flash = Buffer.from(parseIntelHex(await readFile(SENSOR, 'latin1')));
  expect(identity).toHaveLength(SENSOR_IDENTITY.length);
  flash.write(identity, flash.indexOf(SENSOR_IDENTITY), 'latin1');
  return new BenchUno(flash);
}

/** Powers `uno` until the test ends. */
export function power(uno: BenchUno): void {
  uno.start();
  onTestFinished(() => uno.stop());
}

/** Leads the UART of `uno` to a pty at `path`, which is removed when the test ends or before. */
export async function plug(uno: BenchUno, path: string): Promise<Pty> {
  const pty = await openPty(uno, path, { counters: uno.counters });
  onTestFinished(() => pty.close());
  return pty;
}

/** The seed of a random test; `SEED=…` repeats one that failed. */
export function seedOf(): number {
  const seed = Number(process.env.SEED ?? randomInt(2 ** 32));
  console.log(`seed ${seed} (replay: SEED=${seed})`);
  return seed;
}
