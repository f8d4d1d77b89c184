import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { reasonOf } from '../../src/errors.js';
import { describeMachine } from './machine.js';
import { describeProfiles, profileArguments } from './profile.js';
import type { RowResult } from './result.js';
import { ROLES, type Row } from './row.js';
import { ROWS } from './rows/index.js';
import { type Plan, runRow } from './runner.js';
import { printResult } from './table.js';

const BUILT_GATEWAY = fileURLToPath(new URL('../../../../dist/cli/main.js', import.meta.url));

interface Options {
  readonly quick: boolean;
  readonly smoke: boolean;
  readonly only: readonly string[];
  readonly json?: string;
  readonly gateway: string;
  readonly profile?: string;
}

const command = new Command('bench')
  .description(
    'Measures the built gateway, as a process of its own, beside other brokers and bare programs. Figures differ between machines and days: read the ratios.',
  )
  .option('--quick', 'fewer and shorter rounds: all rows in two minutes', false)
  .option(
    '--only <names>',
    'only the row of that name, or those whose names begin so; several with commas, or the option again',
    names,
    [],
  )
  .option('--json <file>', 'write the results there')
  .option(
    '--profile <folder>',
    'measure only ours, write a CPU profile of each process of it there, and tell what took most',
  )
  .option('--gateway <file>', 'the main module of another build to measure', BUILT_GATEWAY)
  .addOption(
    new Option('--smoke', 'as little as possible: sees that all rows work').default(false).hideHelp(),
  )
  .addHelpText(
    'after',
    `\nRows:\n${ROWS.map(({ name, work }) => `  ${name.padEnd(16)} ${work}`).join('\n')}`,
  );

function names(text: string, before: readonly string[]): string[] {
  const given = text.split(',').map((name) => name.trim());
  const unknown = given.find((name) => !ROWS.some((row) => means(name, row)));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no row ${unknown}.`);
  return [...before, ...given];
}

/** The row of that name; if there is none, all whose names begin so. */
function means(name: string, row: Row): boolean {
  return row.name === name || (row.name.startsWith(name) && !ROWS.some((other) => other.name === name));
}

function planFor({ quick, smoke, gateway, profile }: Options): Plan {
  const contenders = profile === undefined ? ROLES : (['ours'] as const);
  const context = {
    smoke,
    gatewayMain: gateway,
    nodeArguments: profileArguments(profile),
    log: (text: string) => console.error(text),
  };
  const machine = describeMachine();
  if (smoke) return { context: { ...context, roundMs: 20 }, rounds: 1, contenders, warmUpMs: 0, machine };
  if (quick)
    return {
      context: { ...context, roundMs: 200 },
      rounds: 3,
      contenders: contenders.filter((role) => role !== 'reported'),
      warmUpMs: 300,
      machine,
    };
  return { context: { ...context, roundMs: 1000 }, rounds: 7, contenders, warmUpMs: 1500, machine };
}

/** Measures one after the other. A row that fails does not stop the others. */
async function main(options: Options): Promise<boolean> {
  const plan = planFor(options);
  const chosen = ROWS.filter(
    (row) => options.only.length === 0 || options.only.some((name) => means(name, row)),
  );
  const results: RowResult[] = [];
  const failures: string[] = [];
  console.log(`${plan.machine}\n`);
  for (const row of chosen) {
    const result = await attempt(row, plan, failures);
    if (!result) continue;
    results.push(result);
    console.log(`${printResult(result)}\n`);
  }
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  if (options.profile !== undefined) console.log(describeProfiles(options.profile));
  for (const failure of failures) console.log(`FAILED ${failure}`);
  return failures.length === 0;
}

async function attempt(row: Row, plan: Plan, failures: string[]): Promise<RowResult | undefined> {
  try {
    return await runRow(row, plan);
  } catch (error) {
    failures.push(`${row.name}: ${reasonOf(error)}`);
    console.error(`FAILED ${failures.at(-1)}`);
    return undefined;
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
process.exitCode = (await main(command.parse().opts<Options>())) ? 0 : 1;
