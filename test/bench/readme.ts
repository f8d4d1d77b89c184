import type { RowResult } from './result.js';
import { BenchFailure } from './row.js';
import { short } from './table.js';

const BEGIN = '<!-- generated:bench -->';
const END = '<!-- /generated -->';

/**
 * The README with the table of these results in it.
 * @throws BenchFailure when it has no place for it
 */
export function putIntoReadme(readme: string, results: readonly RowResult[]): string {
  const start = readme.indexOf(BEGIN);
  const end = readme.indexOf(END, start);
  if (start < 0 || end < 0) throw new BenchFailure(`README.md has no place between ${BEGIN} and ${END}`);
  return `${readme.slice(0, start + BEGIN.length)}\n${markdownTable(results)}\n${readme.slice(end)}`;
}

function markdownTable(results: readonly RowResult[]): string {
  const [first] = results;
  if (!first) throw new BenchFailure('there are no results to put into the README');
  const lines = results.map(
    (result) =>
      `| \`${result.name}\` | ${result.work} | **${short(result.ours)} ${result.unit}** | ${others(result)} | ${verdict(result)} |`,
  );
  return [
    `${first.date.slice(0, 10)}, ${first.machine}; medians of ${first.rounds} rounds, ours against each:`,
    '',
    '| row | work | ours | beside | target |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

function others({ peers, ratios, roles }: RowResult): string {
  return Object.entries(peers)
    .filter(([name]) => roles[name] !== 'reported')
    .map(([name, value]) => `${name} ${short(value)} (${(ratios[name] as number).toPrecision(2)} ×)`)
    .join(', ');
}

function verdict({ target, met }: RowResult): string {
  if (target === '') return 'reported';
  return met === null ? target : `${target}: ${met ? 'met' : '**missed**'}`;
}
