import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { pino } from 'pino';
import { onTestFinished, vi } from 'vitest';
import { type Client, connect } from '../../src/client/client.js';
import type { ConnectOptions } from '../../src/client/options.js';
import { parseConfig } from '../../src/config/load.js';
import { type Address, Gateway, type GatewayOptions } from '../../src/gateway/gateway.js';

/** A gateway on ports of its own, and what it logged. */
export interface RunningGateway {
  readonly gateway: Gateway;
  readonly tcp: Address;
  readonly udp: Address;
  readonly log: { readonly level: number; readonly msg: string }[];
  /** One of its counters. */
  readonly count: (name: string) => number;
}

/** Starts a gateway on ports that the system picks, unless `config` says otherwise; it stops when the test ends. */
export async function startGateway(
  config: { readonly listen?: object; readonly [section: string]: unknown } = {},
  options: Partial<GatewayOptions> = {},
): Promise<RunningGateway> {
  const log: RunningGateway['log'] = [];
  const { listen, ...rest } = config;
  const whole = { version: 1, listen: { tcp: { port: 0 }, udp: { port: 0 }, ...listen }, ...rest };
  const gateway = await Gateway.start({
    config: parseConfig(JSON.stringify(whole), 'test', {}),
    logger: pino({ base: null }, { write: (line: string) => void log.push(JSON.parse(line)) }),
    ...options,
  });
  onTestFinished(() => gateway.stop());
  const none = { host: '', port: 0 };
  const { tcp, udp } = gateway.addresses;
  const count = (name: string): number => gateway.statistics().counters[name] ?? 0;
  return { gateway, tcp: tcp[0] ?? none, udp: udp[0] ?? none, log, count };
}

/** A client that is closed when the test ends. */
export async function connectTo(address: Address, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect({ ...address, ...options });
  onTestFinished(() => client.close());
  return client;
}

/**
 * A port of this machine on which nobody listens. Below those that systems give out by themselves: a server that is down for
 * a moment would else find its port taken.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_240, 32_768);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen({ host: '127.0.0.1', port }, () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** Waits until the check stops throwing, or fails with what it threw last. */
export async function until(check: () => void | Promise<void>): Promise<void> {
  await vi.waitFor(check, { timeout: 30_000, interval: 5 });
}
