import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../firmware/build.js';
import { CYCLES_PER_US } from './counting-chip.js';
import { type Cycles, countCycles, SIZES } from './cycles.js';
import { buildProgram } from './program.js';

/** Bytes. */
interface Size {
  readonly flash: number;
  readonly ram: number;
}

/** What size-report.mjs says with --json. */
interface Sizes {
  /** The version of avr-gcc. */
  readonly compiler: string;
  readonly configurations: readonly (Size & { readonly name: string; readonly flags: readonly string[] })[];
  /** What each adds to the first two. */
  readonly features: readonly { readonly feature: string; readonly costs: readonly Size[] }[];
}

export interface Report {
  readonly sizes: Sizes;
  /** Of each configuration. */
  readonly cycles: readonly Cycles[];
}

/** Weighs and runs the library in the three configurations of size-report.mjs; some seconds. */
export function measureBoard(): Report {
  const script = join(ROOT, 'firmware-protocol/size-report.mjs');
  const sizes = JSON.parse(execFileSync(process.execPath, [script, '--json'], { encoding: 'utf8' })) as Sizes;
  const cycles = sizes.configurations.map(({ flags }) =>
    countCycles(buildProgram(flags), flags.includes('-DSLIPWAY_WITH_RELIABLE=0') ? 0 : 2),
  );
  return { sizes, cycles };
}

/** The report as a table in Markdown, without what its columns are. */
export function boardTable({ sizes, cycles }: Report): string {
  const row = (title: string, cells: readonly string[]) => `| ${title} | ${cells.join(' | ')} |`;
  const times = (title: string, cyclesOf: (each: Cycles) => number | undefined) =>
    row(title, cycles.map(cyclesOf).map(inBoth));
  const forEachSize = (title: string, kind: 'emit' | 'receive', qos: 0 | 1) =>
    SIZES.map((size, at) =>
      times(`${title}, ${size} bytes, ${QUALITIES[qos]}`, (each) => each[kind][qos]?.[at]),
    );
  const bytes = (value: number) => `${grouped(value)} B`;
  return [
    row(
      `ATmega328P, 16 MHz, avr-gcc ${sizes.compiler} -Os`,
      sizes.configurations.map(({ name }) => name),
    ),
    row(
      '---',
      sizes.configurations.map(() => '---'),
    ),
    row(
      'flash',
      sizes.configurations.map(({ flash }) => bytes(flash)),
    ),
    row(
      'RAM: context, packet of 64 bytes, two channels, window',
      sizes.configurations.map(({ ram }) => bytes(ram)),
    ),
    row(
      'stack',
      cycles.map(({ stack, interrupt }) => `${stack} + ${interrupt.stack} B`),
    ),
    ...forEachSize('an emit', 'emit', 0),
    ...forEachSize('an emit', 'emit', 1),
    ...forEachSize('a message comes', 'receive', 0),
    ...forEachSize('a message comes', 'receive', 1),
    times('the poll that acknowledges it', ({ acknowledge }) => acknowledge),
    times('a poll with nothing to do', ({ idlePoll }) => idlePoll),
    times('the longest poll', ({ longest }) => longest.poll),
    times('the longest emit', ({ longest }) => longest.emit),
    times('the longest `slipway_receive` of one byte', ({ longest }) => longest.receive),
    ...sizes.features.map(({ feature, costs }) =>
      row(
        `${feature} adds`,
        sizes.configurations.map((_, i) => {
          const cost = costs[i];
          return cost ? `${bytes(cost.flash)}, RAM ${cost.ram} B` : 'has it';
        }),
      ),
    ),
  ].join('\n');
}

const QUALITIES = ['QoS 0', 'QoS 1 or 2'] as const;

function inBoth(cycles: number | undefined): string {
  return cycles === undefined ? '–' : `${grouped(cycles)} (${Math.round(cycles / CYCLES_PER_US)} µs)`;
}

function grouped(value: number): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ',');
}
