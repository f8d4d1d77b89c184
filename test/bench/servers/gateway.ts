import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchContext } from '../row.js';
import { ServerProcess } from '../server-process.js';
import { makeFolder, removeFolder } from '../temporary-folder.js';

/** What is measured unless another build is named: this one, with nothing special. */
export const BUILT: Pick<BenchContext, 'gatewayMain' | 'nodeArguments'> = {
  gatewayMain: fileURLToPath(new URL('../../../../../dist/cli/main.js', import.meta.url)),
  nodeArguments: [],
};

export interface BenchGateway {
  readonly tcp: number;
  readonly udp: number;
  /** 0 unless `GatewaySettings.mqtt`. */
  readonly mqtt: number;
  /** A folder of its own, for a store or the like; removed when it stops. */
  readonly folder: string;
  readonly process: ServerProcess;
  stop(): Promise<void>;
}

export interface GatewaySettings {
  /** Sections of the config beside `listen`; of a function, what it makes of the gateway's folder. */
  readonly config?:
    | Readonly<Record<string, unknown>>
    | ((folder: string) => Readonly<Record<string, unknown>>);
  /** Whether it listens for MQTT, too. */
  readonly mqtt?: boolean;
  /** More keys of `listen.udp`. */
  readonly udp?: Readonly<Record<string, unknown>>;
  readonly nodeArguments?: readonly string[];
}

/** Starts the built gateway as a process of its own, on loopback ports that the system picks. Resolves when it listens. */
export async function startGateway(
  { gatewayMain, nodeArguments: common }: Pick<BenchContext, 'gatewayMain' | 'nodeArguments'>,
  { config = {}, mqtt = false, udp = {}, nodeArguments = [] }: GatewaySettings = {},
): Promise<BenchGateway> {
  const folder = makeFolder();
  const file = join(folder, 'slipway.yaml');
  const listen = { tcp: { port: 0 }, udp: { port: 0, ...udp }, mqtt: mqtt && { port: 0 } };
  const log = { level: 'info', format: 'json' };
  const sections = typeof config === 'function' ? config(folder) : config;
  await writeFile(file, JSON.stringify({ version: 1, listen, log, ...sections }));
  const ports = { tcp: 0, udp: 0, mqtt: 0 };
  const server = await ServerProcess.start({
    program: process.execPath,
    arguments: [...common, ...nodeArguments, gatewayMain, 'run', '-c', file],
    ready: (line) => {
      if (!line.startsWith('{')) return false;
      const entry = JSON.parse(line) as { [kind in keyof typeof ports]?: { port: number } };
      for (const kind of ['tcp', 'udp', 'mqtt'] as const) ports[kind] = entry[kind]?.port ?? ports[kind];
      return ports.tcp > 0 && ports.udp > 0 && (ports.mqtt > 0 || !mqtt);
    },
  });
  return {
    ...ports,
    folder,
    process: server,
    async stop() {
      await server.stop();
      removeFolder(folder);
    },
  };
}
