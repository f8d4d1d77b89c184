import type { RowResult } from './result.js';

/** A row for people: one line a contender, with its spread and what ours is beside it. */
export function printResult(result: RowResult): string {
  const { name, unit, work, ours, target, met, spread, ratios, roles, missing, also } = result;
  const verdict = met === null ? '' : met ? ': met' : ': NOT MET';
  const lines = [`${name}: ${work}${target && `; target ${target}${verdict}`}`];
  for (const [contender, [low, high]] of Object.entries(spread)) {
    const ratio = ratios[contender];
    const figures = [
      `${short(roles[contender] === 'ours' ? ours : (result.peers[contender] as number))} ${unit}`,
      `${short(low)} to ${short(high)}`,
      ratio === undefined ? 'ours' : `ours is ${ratio.toPrecision(3)} ×`,
      ...Object.entries(also[contender] ?? {}).map(([figure, value]) => `${figure} ${short(value)}`),
    ];
    lines.push(`  ${contender.padEnd(34)} ${figures.map((text) => text.padEnd(22)).join(' ')}`.trimEnd());
  }
  for (const [contender, remedy] of Object.entries(missing))
    lines.push(`  ${contender.padEnd(34)} not here: ${remedy}`);
  return lines.join('\n');
}

/** Three digits that mean something, and what they are thousands of. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 999_500) return `${(value / 1e6).toPrecision(3)} M`;
  if (size >= 9995) return `${(value / 1e3).toPrecision(3)} k`;
  return `${Number(value.toPrecision(3))}`;
}
