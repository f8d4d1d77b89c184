import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '../client/client.js';
import type { ReceivedMessage } from '../client/subscription.js';
import { parseConfig } from '../config/load.js';
import { type Address, Gateway } from '../gateway/gateway.js';
import type { VirtualPorts } from '../simulator/port-binding.js';
import { printMessages, startLedSwitch } from './demo-client.js';
import { FleetServers } from './fleet-servers.js';
import { createLogger } from './logger.js';
import { ownCommand, print } from './process.js';

const CONFIG = fileURLToPath(new URL('../../config/fleet.example.yaml', import.meta.url));
const SITES = ['site1', 'site2', 'site3'] as const;
/** Where the board is, and where the person who watches it. */
const [BOARD_AT, , WATCHED_FROM] = SITES;
const ORDER_CHANNEL = `orders/${BOARD_AT}/greenhouse/led`;
const WATCHED = ['sites/#', 'orders/#', '$slipway/fleet/#', '$slipway/bridges/+/state'];
const LOOK_MS = 100;

export interface FleetOptions {
  /** Servers of a cluster with JetStream that runs already; three are started unless given. */
  readonly servers?: readonly string[] | undefined;
  readonly ports: VirtualPorts;
  /** On which of them a board is plugged in. */
  readonly port: string;
  /** End after so many messages. */
  readonly limit: number;
  /** Resolves when it is to end. */
  readonly stop: Promise<void>;
}

/**
 * Three gateways of config/fleet.example.yaml, joined by a cluster of NATS servers: a board at the first, somebody who watches and
 * switches it at the third.
 * @throws SlipwayError `no_nats_server` when there is none to start
 */
export async function runFleet({ servers, ports, port, limit, stop }: FleetOptions): Promise<void> {
  const cluster = servers ? undefined : await FleetServers.start();
  const folder = await mkdtemp(join(tmpdir(), 'slipway-fleet-'));
  const gateways: Gateway[] = [];
  try {
    for (const site of SITES) gateways.push(await startSite(site));
    const addresses = gateways.map(({ addresses: { tcp } }) => tcp[0] as Address);
    const client = await connect(addresses[2] as Address);
    say(addresses, servers ?? cluster?.urls ?? []);
    await allUp(gateways, stop);
    const orders = startLedSwitch(client, ORDER_CHANNEL);
    try {
      await Promise.race([stop, printMessages(client, WATCHED, limit, asText)]);
    } finally {
      clearInterval(orders);
      await client.close();
    }
  } finally {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  }

  async function startSite(site: string): Promise<Gateway> {
    const [first = '', second = first, third = first] = servers ?? cluster?.urls ?? [];
    const STORE = join(folder, site);
    const env = { GATEWAY: site, PORT: '0', STORE, NATS_1: first, NATS_2: second, NATS_3: third };
    const serial = site === BOARD_AT ? `\nserial:\n  - name: uno\n    path: ${port}\n` : '';
    const config = parseConfig((await readFile(CONFIG, 'utf8')) + serial, CONFIG, env);
    const logger = (await createLogger({ level: 'warn', format: 'auto' })).child({ gateway: site });
    const openPort = (options: Parameters<VirtualPorts['serialPort']>[0]) => ports.serialPort(options);
    return Gateway.start({ config, logger, openPort, listPorts: () => ports.list() });
  }
}

/** Resolves when all are connected to the cluster, or it is to end: orders given before would have to wait. */
async function allUp(gateways: readonly Gateway[], stop: Promise<void>): Promise<void> {
  let ended = false;
  void stop.then(() => {
    ended = true;
  });
  const isUp = (gateway: Gateway) =>
    Object.values(gateway.statistics().bridges ?? {}).every(({ state }) => state === 'up');
  while (!ended && !gateways.every(isUp)) await setTimeout(LOOK_MS);
}

function say(addresses: readonly Address[], servers: readonly string[]): void {
  print(`A cluster of NATS servers: ${servers.join(', ')}.`);
  const at = SITES.map((site, i) => `${site} on port ${addresses[i]?.port}`).join(', ');
  print(`Three gateways of config/fleet.example.yaml on 127.0.0.1: ${at}.`);
  print(`A virtual Arduino Uno is at ${BOARD_AT}. This program is connected to ${WATCHED_FROM} only,`);
  print(`hears the board from there, and switches its LED now and then. Ctrl-C ends it.`);
  const port = addresses[1]?.port;
  const slipway = ownCommand();
  print(`From another terminal, at the gateway between: ${slipway} sub 'sites/#' --port ${port}`);
  print(`or ${slipway} devices --fleet --port ${port}`);
  print(`or ${slipway} sub '$slipway/fleet/#' '$slipway/bridges/#' --port ${port}\n`);
}

function asText({ channel, text }: ReceivedMessage): string {
  return `${WATCHED_FROM}  ${channel.padEnd(44)}  ${text}`;
}
