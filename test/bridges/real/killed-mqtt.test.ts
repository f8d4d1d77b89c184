import { expect, it } from 'vitest';
import { AVR_TOOLS } from '../../e2e/firmware/build.js';
import { type Mosquitto, startMosquitto } from '../../support/mosquitto.js';
import { Random } from '../../support/random.js';
import { describeWithTools } from '../../support/tools.js';
import { aWhile, breakInTurn, type Fault } from './faults.js';
import type { Promises } from './ledger.js';
import { hearAll } from './receivers.js';
import { expectNoFaults, finish, gatewayFaults, loadOf, type Rig, startRig } from './rig.js';
import { holds } from './site.js';

/** How often something is killed; `npm run soak:bridges` gives more. */
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SEED = Number(process.env.SEED ?? 1);
/** As long as that many rounds may take on a machine that is busy, ms. */
const PATIENCE_MS = 120_000 + ROUNDS * 40_000;

type FaultsOf = (rig: Rig, broker: Mosquitto, random: Random) => Fault[];

/** Breaks things under load; fails unless everything arrived as promised. */
async function expectAll(
  version: 5 | '3.1.1',
  faultsOf: FaultsOf,
  bursts: boolean,
  promises?: Promises,
): Promise<void> {
  const random = new Random(SEED);
  // By itself it lets new messages overtake those that wait beyond the 20 that are under way to a subscriber.
  const broker = await startMosquitto({ settings: ['max_inflight_messages 1000'] });
  const mqtt = { url: broker.url, version };
  const rig = await startRig(random, { mqtt }, (ledger) => hearAll(broker.url, 'site/load/#', ledger));
  const load = loadOf(rig);
  await breakInTurn(
    faultsOf(rig, broker, random),
    ROUNDS,
    random,
    bursts ? load : { ...load, burst: () => {} },
  );
  await finish(rig);
  await holds(
    () => rig.upstream.missing === 0,
    () => `${rig.upstream.missing} that were acknowledged have not arrived at the broker`,
  );
  expectNoFaults(rig, promises);
  expect(rig.upstream.arrivals).toBeGreaterThan(0);
}

const killed: FaultsOf = (rig, broker, random) => [
  ...gatewayFaults(rig, random),
  {
    name: 'mosquitto frozen, a gateway killed meanwhile',
    run: async () => {
      broker.process.freeze();
      await aWhile(random);
      await rig.far.kill();
      await rig.far.start();
      broker.process.thaw();
    },
  },
];

const restarted: FaultsOf = (rig, broker, random) => {
  const restart = async () => {
    await broker.stop();
    await aWhile(random);
    await broker.start();
  };
  return [
    { name: 'mosquitto restarted', run: restart },
    {
      name: 'mosquitto restarted, a gateway killed meanwhile',
      run: async () => {
        const gone = aWhile(random).then(() => rig.near.kill());
        await restart();
        await gone;
        await rig.near.start();
      },
    },
  ];
};

describeWithTools(['mosquitto', 'socat', ...AVR_TOOLS], 'bridges of MQTT', () => {
  it.each([5, '3.1.1'] as const)(
    `of version %s bring all that was acknowledged, in order and QoS 2 once, though gateways are killed and mosquitto stands still (SEED=${SEED})`,
    (version) => expectAll(version, killed, true),
    PATIENCE_MS,
  );

  // Mosquitto 2.0 publishes again what it had released to a subscriber (PUBREL) and was not told to be complete.
  it(
    `bring all that was acknowledged, in order, though mosquitto is restarted (SEED=${SEED})`,
    () => expectAll(5, restarted, false, { repeats: true }),
    PATIENCE_MS,
  );
});
