import type { Bound, Contender, Outcome, Row, Target } from './row.js';
import { type Spread, spreadOf } from './spread.js';

/** A line of the table as it was measured; `--json` writes these. */
export interface RowResult {
  readonly name: string;
  readonly unit: string;
  readonly work: string;
  /** The median of ours. */
  readonly ours: number;
  /** The medians of all others. */
  readonly peers: Readonly<Record<string, number>>;
  /** Ours divided by theirs. */
  readonly ratios: Readonly<Record<string, number>>;
  readonly target: string;
  /** Whether all targets are met; null where there are none, or nothing to compare with. */
  readonly met: boolean | null;
  /** The same for each target. */
  readonly verdicts: Readonly<Record<string, boolean | null>>;
  /** Of all, ours included: the least and the greatest of the rounds. */
  readonly spread: Readonly<Record<string, readonly [low: number, high: number]>>;
  /** Medians of the other figures, by contender. */
  readonly also: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly roles: Readonly<Record<string, Contender['role']>>;
  /** Who was not there, and the command that brings them. */
  readonly missing: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly machine: string;
  /** ISO 8601, UTC */
  readonly date: string;
}

/** The rounds of one contender. */
export interface Measured {
  readonly contender: Contender;
  readonly outcomes: readonly Outcome[];
}

/** `row` in figures. One of `measured` is ours; each has one outcome at least. */
export function summarize(
  row: Row,
  measured: readonly Measured[],
  missing: Readonly<Record<string, string>>,
  machine: string,
): RowResult {
  const spreads = measured.map(
    ({ contender, outcomes }) => [contender, spreadOf(outcomes.map(({ value }) => value))] as const,
  );
  const also = Object.fromEntries(
    measured.map(({ contender, outcomes }) => [contender.name, mediansOf(outcomes)] as const),
  );
  const ourSpread = spreads.find(([{ role }]) => role === 'ours');
  if (!ourSpread) throw new Error(`${row.name} has measured nothing of ours`);
  const [{ name: us }, { median: ours }] = ourSpread;
  const others = spreads.filter(([{ role }]) => role !== 'ours');
  const peers = Object.fromEntries(others.map(([{ name }, { median }]) => [name, median]));

  const figure = (name: string, target: Target): number | undefined =>
    target.figure === undefined ? { ...peers, [us]: ours }[name] : also[name]?.[target.figure];
  const verdicts = row.targets.map(
    (target) => [describeTarget(target, row.unit), judge(target, us, figure)] as const,
  );
  const met = verdicts.map(([, verdict]) => verdict);
  return {
    name: row.name,
    unit: row.unit,
    work: row.work,
    ours,
    peers,
    ratios: Object.fromEntries(Object.entries(peers).map(([name, theirs]) => [name, ours / theirs])),
    target: verdicts.map(([target]) => target).join('; '),
    met: met.includes(false) ? false : met.length === 0 || met.includes(null) ? null : true,
    verdicts: Object.fromEntries(verdicts),
    spread: Object.fromEntries(
      spreads.map(([{ name }, { low, high }]: readonly [Contender, Spread]) => [name, [low, high]]),
    ),
    also: Object.fromEntries(Object.entries(also).filter(([, figures]) => Object.keys(figures).length > 0)),
    roles: Object.fromEntries(measured.map(({ contender }) => [contender.name, contender.role])),
    missing,
    rounds: measured[0]?.outcomes.length ?? 0,
    machine,
    date: new Date().toISOString(),
  };
}

function mediansOf(outcomes: readonly Outcome[]): Record<string, number> {
  const names = Object.keys(outcomes[0]?.also ?? {});
  return Object.fromEntries(
    names.map((name) => [name, spreadOf(outcomes.map(({ also }) => also?.[name] as number)).median]),
  );
}

/** Null when the other one was not measured. */
function judge(
  target: Target,
  us: string,
  figure: (name: string, target: Target) => number | undefined,
): boolean | null {
  const ours = figure(us, target) as number;
  if ('value' in target) return holds(target.value, ours);
  const theirs = figure(target.against, target);
  if (theirs === undefined) return null;
  return 'ratio' in target ? holds(target.ratio, ours / theirs) : holds(target.difference, ours - theirs);
}

function holds(bound: Bound, value: number): boolean {
  return 'atLeast' in bound ? value >= bound.atLeast : value <= bound.atMost;
}

/** A target in words, as `≥ 2 × nats-server`. */
export function describeTarget(target: Target, unit: string): string {
  const figure = target.figure === undefined ? '' : `${target.figure} `;
  if ('value' in target) return `${figure}${describeBound(target.value)}${figure ? '' : ` ${unit}`}`;
  if ('ratio' in target) return `${figure}${describeBound(target.ratio)} × ${target.against}`;
  return `${figure}${describeBound(target.difference)} ${unit} over ${target.against}`;
}

function describeBound(bound: Bound): string {
  return 'atLeast' in bound
    ? `≥ ${bound.atLeast.toLocaleString('en')}`
    : `≤ ${bound.atMost.toLocaleString('en')}`;
}
