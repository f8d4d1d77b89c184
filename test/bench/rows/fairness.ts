import { Helper } from '../helper.js';
import type { Waits } from '../load/polite-peer.js';
import type { LoadReport, TcpLoad } from '../load/tcp-load.js';
import type { BenchContext, Contender, Row, Running } from '../row.js';
import { gateway, MOSQUITTO, NATS, type ServerKind } from './servers.js';

const POLITE = new URL('../load/polite-peer.js', import.meta.url);
const FLOOD = new URL('../load/tcp-generator.js', import.meta.url);

type Shape = Omit<TcpLoad, 'dialect'>;
const ONE_BY_ONE: Shape = {
  channel: 'polite',
  publishers: 1,
  subscribers: 1,
  payloadBytes: 16,
  qos: 0,
  block: 1,
  window: 1,
  cycle: 4096,
  perPacket: 1,
};
/** Enough on its way that the server always has some before it. */
const AS_FAST_AS_CAN_BE: Shape = {
  ...ONE_BY_ONE,
  channel: 'flood',
  block: 1024,
  window: 64,
  cycle: 16,
  perPacket: 1024,
};

async function start(server: ServerKind, flooded: boolean, context: BenchContext): Promise<Running> {
  const started = await server.start(context);
  const polite = new Helper(POLITE);
  const flood = flooded ? new Helper(FLOOD) : undefined;
  const stop = async (): Promise<void> => {
    await Promise.all([polite.stop(), flood?.stop()]);
    await started.stop();
  };
  const { dialect } = server;
  const target = { port: started.port, blind: false };
  try {
    await polite.ask('open', { load: { ...ONE_BY_ONE, dialect }, target });
    await flood?.ask('open', { load: { ...AS_FAST_AS_CAN_BE, dialect }, target });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    async round(ms) {
      const [waits, report] = await Promise.all([
        polite.ask<Waits>('round', ms),
        flood?.ask<LoadReport>('round', ms),
      ]);
      const { p50, p99, longest } = waits;
      return {
        value: p99,
        also: { p50, longest, ...(report && { 'flood, msg/s': report.received / report.seconds }) },
      };
    },
    stop,
  };
}

function contender(name: string, role: Contender['role'], server: ServerKind, flooded: boolean): Contender {
  return { name, role, start: (context) => start(server, flooded, context) };
}

export const FAIRNESS: Row = {
  name: 'fairness',
  unit: 'ms',
  work: 'a message every 2 ms beside a peer that floods: 99 % are there within',
  contenders: [
    contender('slipway', 'ours', gateway(), true),
    contender('slipway, no flood', 'peer', gateway(), false),
    contender('nats-server', 'peer', NATS, true),
    contender('mosquitto', 'peer', MOSQUITTO, true),
  ],
  targets: [],
};
