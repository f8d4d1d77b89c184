import { join } from 'node:path';
import { type Client, connect } from '../../../src/index.js';
import { BenchFailure } from '../row.js';
import type { BenchGateway } from '../servers/gateway.js';
import type { Broker } from './bridge-contenders.js';

/** How long a bridge may take to connect, ms. */
const PATIENCE_MS = 30_000;

interface Bridged {
  /** The gateway's name among all. */
  readonly gateway: string;
  readonly rules: readonly {
    readonly pattern: string;
    readonly direction: 'out' | 'in' | 'both';
    readonly qos: number;
    readonly remote?: string;
  }[];
  /** For a store. None: it keeps nothing. */
  readonly folder?: string;
}

/** Sections of a gateway's config: one bridge, called `bench`, to the broker at that port of the loopback address. */
export function bridgeConfig(
  broker: Broker,
  port: number,
  { gateway, rules, folder }: Bridged,
): Record<string, unknown> {
  const upstream =
    broker === 'mosquitto'
      ? { mqtt: { url: `mqtt://127.0.0.1:${port}` } }
      : { nats: { servers: [`nats://127.0.0.1:${port}`] } };
  return {
    gateway,
    bridges: [{ name: 'bench', ...upstream, rules }],
    ...(folder !== undefined && { store: { path: join(folder, 'store') } }),
  };
}

/** Resolves when the bridge is connected. @throws BenchFailure when it does not come to that */
export async function bridgeIsUp({ tcp }: Pick<BenchGateway, 'tcp'>): Promise<void> {
  const client = await connect({ port: tcp });
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new BenchFailure('the bridge does not connect')), PATIENCE_MS);
      client
        .subscribe('$slipway/bridges/bench/state', ({ payload }) => {
          if (Buffer.from(payload).toString() === 'up') resolve();
        })
        .catch(reject);
    });
  } finally {
    clearTimeout(timer);
    await client.close();
  }
}

/** Between what is said on a channel that a peer elsewhere has only just asked for, ms. */
const EVERY_MS = 1;

/** Subscribes `here`, and returns how long it takes until what is emitted `elsewhere` is heard, ms. */
export async function untilHeard(here: Client, elsewhere: Client, channel: string): Promise<number> {
  const talk = setInterval(() => void elsewhere.emit(channel, '', { qos: 0 }), EVERY_MS);
  try {
    const started = performance.now();
    let heard!: () => void;
    const hearing = new Promise<void>((resolve) => {
      heard = resolve;
    });
    const subscription = await here.subscribe(channel, () => heard(), { qos: 0 });
    await hearing;
    const took = performance.now() - started;
    subscription.unsubscribe();
    return took;
  } finally {
    clearInterval(talk);
  }
}
