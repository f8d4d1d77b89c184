// How far it goes: what a fleet asks of its gateways and of the brokers between them, computed from what was measured (figures.ts), and what
// its devices make gateways ask for, simulated with the gateway's own parts. The result is in config/BRIDGES.md.
//
//   npm run --silent bench:fleet-scale [-- --readings 60 --commands 1 --changes 4 --write]
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { reasonOf } from '../../../src/errors.js';
import { type Scenario, simulate } from './interest-traffic.js';
import { assess, type Fleet } from './model.js';

const PAGE = fileURLToPath(new URL('../../../../../config/BRIDGES.md', import.meta.url));
const BEGIN = '<!-- generated:fleet -->';
const END = '<!-- /generated -->';
const SEED = 6;

const SIZES = [
  { gateways: 10, devices: 1e5 },
  { gateways: 100, devices: 1e6 },
  { gateways: 10_000, devices: 1e8 },
];

const { values: options } = parseArgs({
  options: {
    readings: { type: 'string', default: '60' },
    commands: { type: 'string', default: '1' },
    changes: { type: 'string', default: '4' },
    'keep-alive': { type: 'string', default: '60' },
    'duplicate-window': { type: 'string', default: '600' },
    outage: { type: 'string', default: '3600' },
    write: { type: 'boolean', default: false },
  },
});

function numberOf(name: Exclude<keyof typeof options, 'write'>): number {
  const value = Number(options[name]);
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0`);
  return value;
}

const fleetOf = ({ gateways, devices }: { gateways: number; devices: number }): Fleet => ({
  gateways,
  devices,
  readings: numberOf('readings'),
  commands: numberOf('commands'),
  changes: numberOf('changes'),
  keepAlive: numberOf('keep-alive'),
  duplicateWindow: numberOf('duplicate-window'),
  outage: numberOf('outage'),
});

const rule = { pattern: 'commands/#', remote: 'site1/commands/#' };
const own = (device: number) => `commands/device${device}/#`;
const LEAVES = { rule, goes: 1, away: 30_000 };
const SCENARIOS: readonly Scenario[] = [
  { ...LEAVES, name: '500 devices, a pattern of its own each', devices: 500, pattern: own },
  {
    ...LEAVES,
    name: '1,005, likewise: about as many as are asked for one by one',
    devices: 1005,
    pattern: own,
  },
  { ...LEAVES, name: '10,000, likewise', devices: 10_000, pattern: own },
  {
    ...LEAVES,
    name: '10,000 in 50 groups, a pattern a group',
    devices: 10_000,
    pattern: (device) => `commands/group${device % 50}/+`,
  },
  {
    ...LEAVES,
    name: '500 on a bad line: gone every minute, for 2 s',
    devices: 500,
    pattern: own,
    goes: 60,
    away: 2000,
  },
];

function sizes(): string[] {
  const columns = SIZES.map((size) => assess(fleetOf(size)));
  const lines = (columns[0] ?? []).map(({ what, grows }, n) =>
    row([what, grows, ...columns.map((column) => column[n]?.value ?? '')]),
  );
  const count = (value: number) => value.toLocaleString('en');
  const heads = SIZES.map(
    ({ gateways, devices }) => `${count(gateways)} gateways, ${count(devices)} devices`,
  );
  return [
    row(['', 'grows with', ...heads]),
    row(Array.from({ length: 2 + heads.length }, () => '---')),
    ...lines,
  ];
}

function interests(): string[] {
  const heads = [
    'devices of a gateway',
    'begun or ended here',
    'SUBs and UNSUBs upstream',
    'asked for at most',
    'µs of a core a change',
  ];
  const lines = SCENARIOS.map((scenario) => {
    const { local, upstream, most, cost } = simulate(scenario, SEED);
    const figures = [local, upstream, most].map((figure) => figure.toLocaleString('en'));
    return row([scenario.name, ...figures, String(Number(cost.toPrecision(2)))]);
  });
  return [row(heads), row(heads.map(() => '---')), ...lines];
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function write(text: string): void {
  const page = readFileSync(PAGE, 'utf8');
  const start = page.indexOf(BEGIN);
  const end = page.indexOf(END, start);
  if (start < 0 || end < 0) throw new Error(`${PAGE} has no place between ${BEGIN} and ${END}`);
  writeFileSync(PAGE, `${page.slice(0, start + BEGIN.length)}\n${text}\n${page.slice(end)}`);
}

try {
  const { readings, commands, changes } = fleetOf({ gateways: 1, devices: 1 });
  const text = [
    `Each device says ${readings} things an hour, is told ${commands}, and comes or goes ${changes} times a day:`,
    '',
    ...sizes(),
    '',
    `One gateway for an hour, simulated with its own parts; each device leaves once an hour for 30 s and takes its subscription with it, unless it says otherwise:`,
    '',
    ...interests(),
  ].join('\n');
  if (options.write) write(text);
  else console.log(text);
} catch (error) {
  console.error(`fleet-scale: ${reasonOf(error)}`);
  process.exitCode = 1;
}
