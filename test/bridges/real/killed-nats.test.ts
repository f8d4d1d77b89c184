import { jetstreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { AVR_TOOLS } from '../../e2e/firmware/build.js';
import { startNatsCluster } from '../../support/nats-server.js';
import { Random } from '../../support/random.js';
import { describeWithTools } from '../../support/tools.js';
import { aWhile, breakInTurn, type Fault } from './faults.js';
import { natsClient, patiently, readStream } from './receivers.js';
import { expectNoFaults, finish, gatewayFaults, loadOf, startRig } from './rig.js';

/** How often something is killed; `npm run soak:bridges` gives more. */
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SEED = Number(process.env.SEED ?? 1);
/** As long as that many rounds may take on a machine that is busy, ms. */
const PATIENCE_MS = 120_000 + ROUNDS * 40_000;

describeWithTools(['nats-server', 'socat', ...AVR_TOOLS], 'bridges of NATS', () => {
  it(
    `bring all that was acknowledged, in order and once, though nodes, the whole cluster and the gateways are killed (SEED=${SEED})`,
    async () => {
      const random = new Random(SEED);
      const cluster = await startNatsCluster();
      const rig = await startRig(random, { nats: { servers: cluster.urls, replicas: cluster.nodes.length } });
      const load = loadOf(rig);
      const faults: Fault[] = [
        ...gatewayFaults(rig, random),
        ...cluster.nodes.map((node, index) => ({
          name: `node ${node.name} killed, a gateway too`,
          run: async () => {
            await node.kill();
            if (index > 0) {
              await aWhile(random);
              await rig.near.kill();
              await rig.near.start();
            }
            await load.flows();
            await node.start();
          },
        })),
        {
          name: 'all nodes killed',
          run: async () => {
            await cluster.kill();
            await aWhile(random);
            await cluster.start();
          },
        },
        {
          name: 'all nodes killed, and the gateways',
          run: async () => {
            await Promise.all([cluster.kill(), rig.near.kill(), rig.far.kill()]);
            await rig.near.start();
            await aWhile(random);
            await cluster.start();
            await rig.far.start();
          },
        },
      ];
      await breakInTurn(faults, ROUNDS, random, load);
      await finish(rig);
      const connection = await natsClient(cluster.urls);
      const manager = await patiently(() => jetstreamManager(connection));
      expect(await patiently(() => manager.streams.find('site.load.x'))).toBe('slipway');
      await readStream(connection, 'slipway', 'site.load.>', rig.upstream);
      expectNoFaults(rig, { once: true });
    },
    PATIENCE_MS,
  );
});
