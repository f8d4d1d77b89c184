import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { SHAPES, type ShapeName } from './draw.js';
import { testMutants } from './mutation.js';
import { soak } from './pool.js';
import { describeTotals } from './totals.js';

/** Between two lines of progress, s. */
const PROGRESS_S = 5;

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly minutes?: number;
  readonly shape: ShapeName;
  readonly jobs: number;
  readonly keepGoing: boolean;
  readonly mutants: boolean;
}

const command = new Command('soak')
  .description(
    'Runs whole systems in virtual time on links that lie, and checks every promise of PROTOCOL.md §5.',
  )
  .option('--seeds <n>', 'how many systems to run', count, 1000)
  .option('--from <seed>', 'the first of them', count, 1)
  .option('--minutes <m>', 'stop after so many minutes of real time', count)
  .addOption(
    new Option('--shape <name>', 'how large and how long').choices(Object.keys(SHAPES)).default('short'),
  )
  .option('--jobs <n>', 'workers at a time', count, availableParallelism())
  .option('--keep-going', 'do not stop at the first failure', false)
  .option('--mutants', 'break the code on purpose, in many ways, and check that each is caught', false);

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return value;
}

async function main(options: Options): Promise<boolean> {
  if (options.mutants) return testMutants(options.seeds);
  let toldAt = 0;
  const { totals, seconds, failures } = await soak({
    from: options.from,
    seeds: options.seeds,
    shape: options.shape,
    jobs: options.jobs,
    limitMs: (options.minutes ?? Number.POSITIVE_INFINITY) * 60_000,
    stopAtFailure: !options.keepGoing,
    shrinking: true,
    progress: (soFar, now) => {
      if (now < toldAt + PROGRESS_S) return;
      toldAt = now;
      console.error(describeTotals(soFar, now));
    },
  });
  for (const { seed, history } of failures) {
    console.log(`\n${history}`);
    console.log(`\nto run it again: npm run soak -- --from ${seed} --seeds 1 --shape ${options.shape}`);
  }
  console.log(`\n${describeTotals(totals, seconds)}`);
  console.log(
    `most packets of a board within 10 s: ${totals.mostPackets}; most messages held for one: ${totals.mostHeld}`,
  );
  console.log(
    `wills emitted: ${totals.wills}; messages of QoS 0 held in sleep: ${totals.heldInSleep}; sessions that ended: ${totals.endings}`,
  );
  console.log(
    `frames that would have passed their CRC by chance, and were kept from it: ${totals.collisions}`,
  );
  console.log(
    `${failures.length === 0 ? 'every promise was kept' : `${failures.length} of the seeds failed`}, in ${seconds.toFixed(0)} s`,
  );
  return failures.length === 0;
}

process.exitCode = (await main(command.parse().opts<Options>())) ? 0 : 1;
