import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../free-port.js';
import { RawSession } from '../load/raw-session.js';
import type { BenchContext, Contender, Outcome, Row } from '../row.js';
import { type BenchGateway, startGateway } from '../servers/gateway.js';
import { startNats } from '../servers/nats.js';
import type { Broker } from './bridge-contenders.js';
import { bridgeConfig, bridgeIsUp } from './bridge-gateway.js';
import { streamOf } from './bridge-stream.js';
import { COLLECT_GARBAGE, resident } from './memory.js';
import { MOSQUITTO, NATS } from './servers.js';
import { together } from './udp.js';

const MIB = 1_048_576;
const CHANNEL = 'bench';
const OUT = { pattern: CHANNEL, direction: 'out', qos: 1 } as const;
const MEASURE_MEMORY = ['--expose-gc', '--import', COLLECT_GARBAGE.href];
/** Messages that wait: after so many memory is measured, and then again after all of them. */
const FIRST = 100_000;
const WAITING = 300_000;

/** Something that is measured anew in each round. */
function contender(
  name: string,
  role: Contender['role'],
  measure: (context: BenchContext) => Promise<Outcome>,
): Contender {
  return { name, role, start: async (context) => ({ round: () => measure(context), stop: async () => {} }) };
}

/** What waited while the broker was away, until all of it is in the stream. */
async function drain(context: BenchContext, store: boolean): Promise<Outcome> {
  const fewer = context.smoke ? 100 : 1;
  const first = FIRST / fewer;
  const count = WAITING / fewer;
  const measured = await together(async (parts): Promise<Outcome> => {
    const port = await freePort();
    const gateway = await startGateway(context, {
      config: (folder) =>
        bridgeConfig('jetstream', port, { gateway: 'bench', rules: [OUT], ...(store && { folder }) }),
      nodeArguments: MEASURE_MEMORY,
    });
    parts.push(gateway);
    const session = await RawSession.open(gateway.tcp, 'publisher');
    parts.push({ stop: () => session.close() });
    await emit(session, first);
    const some = await resident(gateway);
    await emit(session, count - first);
    const all = await resident(gateway);
    parts.push(await startNats({ jetStream: true, port }));
    const stream = await streamOf(port, CHANNEL, parts);
    // When it notices that the broker is back is for its backoff to say.
    while ((await stream.length()) === 0) await sleep(1);
    const started = performance.now();
    const had = await stream.length();
    await stream.filled(count);
    const seconds = (performance.now() - started) / 1000;
    return {
      value: (count - had) / seconds,
      also: { 'B resident for a message that waits': (all - some) / (count - first) },
    };
  });
  await measured.stop();
  return measured;
}

function emit(session: RawSession, count: number): Promise<void> {
  const payload = Buffer.alloc(16);
  return session.reliably(count, (_, seq) => ({
    type: 'emit',
    seq,
    qos: 1,
    retain: false,
    name: CHANNEL,
    payload,
  }));
}

/** What a gateway takes more because it has a bridge that is connected, MiB. */
async function bridgeMemory(context: BenchContext, broker: Broker): Promise<Outcome> {
  const measured = await together(async (parts): Promise<Outcome> => {
    const upstream = await (broker === 'mosquitto' ? MOSQUITTO : NATS).start(context);
    parts.push(upstream);
    const start = async (config: Record<string, unknown>): Promise<BenchGateway> => {
      const gateway = await startGateway(context, { config, nodeArguments: MEASURE_MEMORY });
      parts.push(gateway);
      return gateway;
    };
    const rules = [{ ...OUT, qos: 0 }];
    const bare = await start({});
    const bridged = await start(bridgeConfig(broker, upstream.port, { gateway: 'bench', rules }));
    await bridgeIsUp(bridged);
    return { value: ((await resident(bridged)) - (await resident(bare))) / MIB };
  });
  await measured.stop();
  return measured;
}

export const BRIDGE_WAITING_ROWS: readonly Row[] = [
  {
    name: 'bridge-drain',
    unit: 'msg/s',
    work: `${WAITING.toLocaleString('en')} messages that waited in the store for JetStream, 16 B, QoS 1, once it is back`,
    contenders: [
      contender('slipway', 'ours', (context) => drain(context, true)),
      contender('slipway, no store', 'peer', (context) => drain(context, false)),
    ],
    targets: [],
    rounds: 1,
  },
  {
    name: 'bridge-memory',
    unit: 'MiB',
    work: 'resident memory that a bridge to nats-server adds to a gateway at rest, garbage collected',
    contenders: [
      contender('slipway', 'ours', (context) => bridgeMemory(context, 'nats')),
      contender('to mosquitto', 'peer', (context) => bridgeMemory(context, 'mosquitto')),
    ],
    targets: [],
    rounds: 3,
  },
];
