import { type Client, connect } from '../../../src/index.js';
import type { BenchContext, Contender, Row, Running } from '../row.js';
import { startGateway } from '../servers/gateway.js';
import { bridgeConfig, bridgeIsUp, untilHeard } from './bridge-gateway.js';
import { NATS } from './servers.js';
import { type Stoppable, together } from './udp.js';

/** As many as a gateway asks for one by one, nearly. */
const PATTERNS = 900;

/** Clients of two gateways before one nats-server. */
async function openPair(
  context: BenchContext,
  parts: Stoppable[],
): Promise<[here: Client, elsewhere: Client]> {
  const broker = await NATS.start(context);
  parts.push(broker);
  const join = async (gateway: string): Promise<Client> => {
    const rules = [{ pattern: 'fleet/#', direction: 'both', qos: 0 }] as const;
    const started = await startGateway(context, {
      config: bridgeConfig('nats', broker.port, { gateway, rules }),
    });
    parts.push(started);
    await bridgeIsUp(started);
    const client = await connect({ port: started.tcp });
    parts.push({ stop: () => client.close() });
    return client;
  };
  return [await join('here'), await join('elsewhere')];
}

const oneAtATime: Contender = {
  name: 'slipway',
  role: 'ours',
  start: (context) =>
    together(async (parts): Promise<Pick<Running, 'round'>> => {
      const pair = await openPair(context, parts);
      let next = 0;
      return {
        async round(ms) {
          const samples: number[] = [];
          for (const until = performance.now() + ms; samples.length === 0 || performance.now() < until; )
            samples.push(await untilHeard(...pair, `fleet/${next++}`));
          samples.sort((a, b) => a - b);
          return {
            value: samples[samples.length >> 1] as number,
            also: { 'longest, ms': samples.at(-1) as number },
          };
        },
      };
    }),
};

const together900: Contender = {
  name: 'slipway',
  role: 'ours',
  start: async (context) => ({
    async round() {
      const count = context.smoke ? 10 : PATTERNS;
      const measured = await together(async (parts) => {
        const [here, elsewhere] = await openPair(context, parts);
        const started = performance.now();
        const others = Array.from({ length: count - 1 }, (_, n) =>
          here.subscribe(`fleet/${n}/+`, () => {}, { qos: 0 }),
        );
        // The last one is asked for when all before it are.
        await untilHeard(here, elsewhere, 'fleet/last');
        await Promise.all(others);
        return { value: count / ((performance.now() - started) / 1000) };
      });
      await measured.stop();
      return measured;
    },
    stop: async () => {},
  }),
};

export const BRIDGE_INTEREST_ROWS: readonly Row[] = [
  {
    name: 'bridge-subscribe',
    unit: 'ms',
    work: 'from SUBSCRIBE at one gateway until what is emitted at another is heard, over nats-server, p50',
    contenders: [oneAtATime],
    targets: [],
  },
  {
    name: 'bridge-interests',
    unit: 'patterns/s',
    work: `${PATTERNS} subscriptions at once at one gateway until the last is heard from another, over nats-server`,
    contenders: [together900],
    targets: [],
    rounds: 3,
  },
];
