import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { reasonOf } from '../../src/errors.js';
import { drawChart } from './chart.js';
import { describeMachine } from './machine.js';
import { publish } from './pages.js';
import { describeProfiles, profileArguments } from './profile.js';
import type { RowResult } from './result.js';
import type { Contender, Row } from './row.js';
import { ROWS } from './rows/index.js';
import { type Plan, runRow } from './runner.js';
import { BUILT } from './servers/gateway.js';
import { printResult } from './table.js';

const WRONG_USAGE = 2;

interface Options {
  readonly quick?: boolean;
  readonly smoke?: boolean;
  readonly only?: readonly string[];
  readonly json?: string;
  readonly svg?: string;
  readonly readme?: boolean;
  readonly from?: string;
  readonly gateway: string;
  readonly profile?: string;
}

const command = new Command('bench')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : WRONG_USAGE))
  .description(
    'Measures the built gateway, as a process of its own, beside other brokers and bare programs. Figures differ between machines and days: read the ratios.',
  )
  .option(
    '--quick',
    'fewer and shorter rounds, and only those beside ours that a target names: all in two minutes',
  )
  .option(
    '--only <names>',
    'only the row of that name, or those whose names begin so; several with commas, or the option again',
    names,
  )
  .option('--json <file>', 'write the results there, one object a row')
  .option('--svg <file>', 'draw the results there')
  .option('--readme', 'put the results into README.md and config/BRIDGES.md, and draw the chart')
  .option('--from <file>', 'measure nothing: take the results that --json wrote there')
  .option(
    '--profile <folder>',
    'measure only ours, write a CPU profile of each process of it there, and tell what took most',
  )
  .addOption(
    new Option('--gateway <file>', 'the main module of another build to measure').default(
      BUILT.gatewayMain,
      'this one',
    ),
  )
  .addOption(new Option('--smoke', 'as little as possible: sees that all rows work').hideHelp())
  .addHelpText(
    'after',
    `\nRows:\n${ROWS.map(({ name, work }) => `  ${name.padEnd(16)} ${work}`).join('\n')}`,
  );

function names(text: string, before: readonly string[] = []): string[] {
  const given = text.split(',').map((name) => name.trim());
  const unknown = given.find((name) => !ROWS.some((row) => means(name, row)));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no row ${unknown}.`);
  return [...before, ...given];
}

/** The row of that name; if there is none, all whose names begin so. */
function means(name: string, row: Row): boolean {
  return row.name === name || (row.name.startsWith(name) && !ROWS.some((other) => other.name === name));
}

function planFor({ quick = false, smoke = false, gateway, profile }: Options): Plan {
  const context = {
    smoke,
    gatewayMain: gateway,
    nodeArguments: profileArguments(profile),
    log: (text: string) => console.error(text),
  };
  const machine = describeMachine();
  const wanted = profile !== undefined ? isOurs : quick ? isJudged : () => true;
  if (smoke) return { context: { ...context, roundMs: 20 }, rounds: 1, wanted, warmUpMs: 0, machine };
  if (quick) return { context: { ...context, roundMs: 150 }, rounds: 3, wanted, warmUpMs: 200, machine };
  return { context: { ...context, roundMs: 1000 }, rounds: 7, wanted, warmUpMs: 1500, machine };
}

const isOurs = ({ role }: Contender): boolean => role === 'ours';

/** Ours, and whom a target names; where there is none, all but those that are only reported. */
function isJudged({ role, name }: Contender, { targets }: Row): boolean {
  const named = targets.flatMap((target) => ('against' in target ? [target.against] : []));
  return role === 'ours' || (named.length === 0 ? role !== 'reported' : named.includes(name));
}

/** Returns whether all went well, be it fast or slow. */
async function main(options: Options): Promise<boolean> {
  const failures: string[] = [];
  const { from, json, svg, readme, profile } = options;
  // Found out now, not after a quarter of an hour.
  for (const file of [json, svg]) if (file !== undefined) accessSync(dirname(resolve(file)), constants.W_OK);
  const results =
    from === undefined
      ? await measure(options, failures)
      : (JSON.parse(readFileSync(from, 'utf8')) as RowResult[]);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
  if (svg !== undefined) writeFileSync(svg, drawChart(results));
  if (readme) publish(results);
  if (profile !== undefined) console.log(describeProfiles(profile));
  for (const failure of failures) console.log(`FAILED ${failure}`);
  return failures.length === 0;
}

/** Measures one row after the other. One that fails does not stop the others. */
async function measure(options: Options, failures: string[]): Promise<RowResult[]> {
  const plan = planFor(options);
  const { only = [] } = options;
  const results: RowResult[] = [];
  console.log(`${plan.machine}\n`);
  for (const row of ROWS) {
    if (only.length > 0 && !only.some((name) => means(name, row))) continue;
    const result = await attempt(row, plan, failures);
    if (!result) continue;
    results.push(result);
    console.log(`${printResult(result)}\n`);
  }
  return results;
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
try {
  process.exitCode = (await main(command.parse().opts<Options>())) ? 0 : 1;
} catch (error) {
  console.error(`bench: ${reasonOf(error)}`);
  process.exitCode = WRONG_USAGE;
}
