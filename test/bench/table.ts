import type { RowResult } from './result.js';

/** A row for people: one line a contender, with its spread and what ours is beside it. */
export function printResult(result: RowResult): string {
  const { name, unit, work, ours, spread, ratios, roles, missing, also, peers } = result;
  const lines = Object.entries(spread).map(([contender, [low, high]]) => {
    const ratio = ratios[contender];
    return [
      contender,
      `${short(roles[contender] === 'ours' ? ours : (peers[contender] as number))} ${unit}`,
      `${short(low)} to ${short(high)}`,
      ratio === undefined ? 'ours' : `ours is ${short(ratio)} ×`,
      ...Object.entries(also[contender] ?? {}).map(([figure, value]) => `${figure} ${short(value)}`),
    ];
  });
  const absent = Object.entries(missing).map(
    ([contender, remedy]) => `  ${contender} is not here: ${remedy}`,
  );
  const targets = describeVerdicts(result, 'NOT MET');
  return [`${name}: ${work}${targets && `; target ${targets}`}`, ...columns(lines), ...absent].join('\n');
}

/** Every target, and what became of it; empty if there is none. */
export function describeVerdicts({ verdicts }: RowResult, missed: string): string {
  return Object.entries(verdicts)
    .map(([target, met]) => (met === null ? target : `${target}: ${met ? 'met' : missed}`))
    .join('; ');
}

function columns(lines: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const line of lines)
    for (const [n, cell] of line.entries()) widths[n] = Math.max(widths[n] ?? 0, cell.length);
  return lines.map((line) =>
    `  ${line.map((cell, n) => cell.padEnd(widths[n] as number)).join('  ')}`.trimEnd(),
  );
}

/** Three digits that mean something, and what they are thousands of. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 999_500) return `${(value / 1e6).toPrecision(3)} M`;
  if (size >= 9995) return `${(value / 1e3).toPrecision(3)} k`;
  return `${Number(value.toPrecision(3))}`;
}
