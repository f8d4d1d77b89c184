import type { RowResult } from './result.js';
import { BenchFailure } from './row.js';
import { describeVerdicts, short } from './table.js';

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
