import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { drawChart } from './chart.js';
import type { RowResult } from './result.js';
import { BenchFailure } from './row.js';
import { describeVerdicts, short } from './table.js';

const BEGIN = '<!-- generated:bench -->';
const END = '<!-- /generated -->';

const ROOT = new URL('../../../../', import.meta.url);
const README = fileURLToPath(new URL('README.md', ROOT));
/** The README has a link to it. */
const CHART = fileURLToPath(new URL('test/bench/results.svg', ROOT));
/** Where the rows of bridges are. */
const BRIDGES = fileURLToPath(new URL('config/BRIDGES.md', ROOT));

/**
 * Puts the tables of these results where they are read, and draws the chart. A page of which nothing was measured stays as it is.
 * @throws BenchFailure when there are none, or a page has no place for its table
 */
export function publish(results: readonly RowResult[]): void {
  if (results.length === 0) throw new BenchFailure('there are no results');
  const isOfBridge = ({ name }: RowResult) => name.startsWith('bridge-');
  const bridges = results.filter(isOfBridge);
  const others = results.filter((result) => !isOfBridge(result));
  if (bridges.length > 0) putInto(BRIDGES, bridges);
  if (others.length === 0) return;
  putInto(README, others);
  writeFileSync(CHART, drawChart(others));
}

function putInto(file: string, results: readonly RowResult[]): void {
  writeFileSync(file, putIntoPage(readFileSync(file, 'utf8'), results));
}

/**
 * The page with the table of these results in it.
 * @throws BenchFailure when it has no place for it
 */
export function putIntoPage(page: string, results: readonly RowResult[]): string {
  const start = page.indexOf(BEGIN);
  const end = page.indexOf(END, start);
  if (start < 0 || end < 0) throw new BenchFailure(`a page has no place between ${BEGIN} and ${END}`);
  return `${page.slice(0, start + BEGIN.length)}\n${markdownTable(results)}\n${page.slice(end)}`;
}

function markdownTable(results: readonly RowResult[]): string {
  const first = results[0] as RowResult;
  const lines = results.map(
    (result) =>
      `| \`${result.name}\` | ${result.work} | **${short(result.ours)} ${result.unit}** | ${others(result)} | ${describeVerdicts(result, '**missed**') || 'reported'} |`,
  );
  return [
    `${first.date.slice(0, 10)}, ${first.machine}; medians of ${first.rounds} rounds, ours against each:`,
    '',
    '| row | work | ours | beside | target |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

/** Who does the same work; and of a row without a target what else it reports. */
function others({ peers, ratios, roles, also, verdicts }: RowResult): string {
  const beside = Object.entries(peers)
    .filter(([peer]) => roles[peer] !== 'reported')
    .map(([peer, value]) => `${peer} ${short(value)} (${short(ratios[peer] as number)} ×)`);
  const judged = beside.length > 0 && Object.keys(verdicts).length > 0;
  const reported = Object.entries(also)
    .filter(([contender]) => !judged && roles[contender] === 'ours')
    .flatMap(([, figures]) => Object.entries(figures))
    .map(([figure, value]) => `${figure}: ${short(value)}`);
  return [...beside, ...reported].join(', ');
}
