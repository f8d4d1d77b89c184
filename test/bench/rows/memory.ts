import { setTimeout as sleep } from 'node:timers/promises';
import { Helper } from '../helper.js';
import { CProgram } from '../load/c-program.js';
import type { BenchContext, Contender, Outcome, Row } from '../row.js';
import { ServerProcess } from '../server-process.js';
import { type BenchGateway, startGateway } from '../servers/gateway.js';
import { type Stoppable, together } from './udp.js';

const FILLER = new URL('../load/filler.js', import.meta.url);
export const COLLECT_GARBAGE = new URL('../servers/collect-garbage.js', import.meta.url);
const ROOM = 2_000_000;
const CONFIG = {
  listen: {
    tcp: { port: 0, max_connections: 20_000 },
    udp: { port: 0 },
    mqtt: { port: 0, max_connections: 20_000 },
  },
  limits: {
    sessions: 20_000,
    subscriptions: ROOM,
    channels: ROOM,
    per_address: { links: 20_000, sessions: 20_000, connections: 20_000, hellos: 20_000 },
  },
};
/** After a collection the pages go back to the system in the background. */
const SETTLE_MS = 500;
const MIB = 1_048_576;

type Part = (gateway: BenchGateway, count: number, parts: Stoppable[]) => Promise<unknown>;

/** Something that there may be many of, and how many there are here. */
interface Crowd {
  readonly figure: string;
  readonly count: number;
  readonly fill: Part;
}

const fillWith =
  (question: 'clients' | 'subscriptions' | 'channels'): Part =>
  async ({ tcp }, count, parts) => {
    const filler = new Helper(FILLER);
    parts.push(filler);
    await filler.ask('open', tcp);
    await filler.ask(question, count);
  };

const mqttClients: Part = async ({ mqtt }, count, parts) => {
  const filler = new Helper(FILLER);
  parts.push(filler);
  await filler.ask('open', mqtt);
  await filler.ask('mqttClients', count);
};

/** The C client, each with an address of its own and two subscriptions. */
const boards: Part = async ({ udp }, count, parts) => {
  const program = await CProgram.start('udp-peers', [udp, count, 2]);
  parts.push(program);
  while ((await program.hear<{ settled: number }>()).settled < count);
};

const CROWDS: readonly Crowd[] = [
  { figure: 'B a TCP client', count: 1000, fill: fillWith('clients') },
  { figure: 'B an MQTT client', count: 10_000, fill: mqttClients },
  { figure: 'B a UDP session', count: 3000, fill: boards },
  { figure: 'B a subscription', count: 50_000, fill: fillWith('subscriptions') },
  { figure: 'B a channel', count: 50_000, fill: fillWith('channels') },
];

/** Resident memory without garbage, as far as the process has given it back. */
export async function resident(gateway: BenchGateway): Promise<number> {
  gateway.process.signal('SIGUSR2');
  await sleep(SETTLE_MS);
  return gateway.process.rss;
}

function start(context: BenchContext, nodeArguments: readonly string[]) {
  return startGateway(context, { config: CONFIG, mqtt: true, nodeArguments });
}

async function measure(context: BenchContext): Promise<Outcome> {
  // All at once: it takes mostly waiting.
  const crowds = await Promise.all(CROWDS.map((crowd) => measureCrowd(context, crowd)));
  const also = Object.fromEntries(crowds.map(({ figure, each }) => [figure, each]));
  return { value: Math.min(...crowds.map(({ atRest }) => atRest)) / MIB, also };
}

/** A gateway without, in bytes, and what each of the crowd takes besides. */
async function measureCrowd(context: BenchContext, { figure, count, fill }: Crowd) {
  const many = context.smoke ? 10 : count;
  const measured = await together(async (parts) => {
    const gateway = await start(context, ['--expose-gc', '--import', COLLECT_GARBAGE.href]);
    parts.push(gateway);
    const atRest = await resident(gateway);
    await fill(gateway, many, parts);
    return { figure, atRest, each: ((await resident(gateway)) - atRest) / many };
  });
  await measured.stop();
  return measured;
}

const slipway: Contender = {
  name: 'slipway',
  role: 'ours',
  start: async (context) => ({ round: () => measure(context), stop: async () => {} }),
};

const nodeAlone: Contender = {
  name: 'node alone',
  role: 'ceiling',
  start: () =>
    together(async (parts) => {
      const node = await ServerProcess.start({
        program: process.execPath,
        arguments: ['-e', 'console.log("up"); setInterval(() => {}, 1e6)'],
        ready: (line) => line === 'up',
      });
      parts.push(node);
      return { round: async () => ({ value: node.rss / MIB }) };
    }),
};

export const MEMORY: Row = {
  name: 'memory',
  unit: 'MiB',
  work: 'resident memory at rest; and what one takes of some thousands, garbage collected',
  contenders: [slipway, nodeAlone],
  targets: [],
  rounds: 1,
};
