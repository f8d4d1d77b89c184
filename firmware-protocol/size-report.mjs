// What the C client costs on an ATmega328P: flash and RAM of the library alone, in three configurations, what sleep, will and
// time add to the smaller two, and a key to each.
//
//   node size-report.mjs           prints the tables, and what each configuration leaves out
//   node size-report.mjs --check   leaves out the costs of the three, and exits 1 if a figure is over its limit
//   node size-report.mjs --json    the same as data, and how each configuration is compiled
//
// Flash is what a program grows by when the library is linked into it: size-probe.c, which begins, receives, polls, subscribes and
// emits, and sleeps, leaves a will and asks the time where these are compiled in, minus the same program with its calls going
// nowhere. What the program itself brings is in both: its table and names, the first values of its context, the start-up code. RAM
// is all that the program has: the context, a packet buffer of 64 bytes, a table of two channels, and the slots of the window where
// there is one. The stack comes on top of it.
//
// The compiler's options are these, which are at hand to anyone: PlatformIO takes them in build_flags (with -flto also in its link
// step), the Arduino IDE, which has -Os and -flto anyway, in platform.local.txt. Without -fno-move-loop-invariants it is some 40 bytes more.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const sources = readdirSync(join(here, 'src'))
  .filter((name) => name.endsWith('.c'))
  .map((name) => join(here, 'src', name));

// Off in these two, and what each costs is told apart.
const features = ['SLEEP', 'WILL', 'TIME'];
// Off in all three, unless asked for.
const extras = ['KEY'];

// One serial line, plain channels, no counters: what the smallest boards want.
const small = [
  '-DSLIPWAY_WITH_DATAGRAM=0',
  '-DSLIPWAY_WITH_STREAM=0',
  '-DSLIPWAY_WITH_PATTERNS=0',
  '-DSLIPWAY_WITH_COUNTERS=0',
  '-DSLIPWAY_WITH_UNSUPPORTED=0',
  ...features.map((feature) => `-DSLIPWAY_WITH_${feature}=0`),
  '-DSLIPWAY_NO_USER',
];
const configurations = [
  {
    name: 'emit and subscribe, QoS 0 only',
    options: [
      ...small,
      '-DSLIPWAY_WITH_RELIABLE=0',
      '-DSLIPWAY_WITH_EVENTS=0',
      '-DSLIPWAY_WITH_NAMES=0',
      '-DSLIPWAY_TRUSTING=1',
    ],
    limits: { flash: 2048, ram: 120 },
    without:
      'UDP and TCP, wildcards, sleep, will, time, counters, on_event, messages that come by name, REFUSE of what only a later version sends (§10), ' +
      'the limits of a gateway that was configured below its defaults, checks of fields that it does not read',
  },
  {
    name: 'with QoS 1/2, window 4 of 32 bytes',
    options: small,
    limits: { flash: 4096, ram: 350 },
    without:
      'UDP and TCP, wildcards, sleep, will, time, counters, REFUSE of what only a later version sends (§10)',
  },
  {
    name: 'everything, by default',
    options: [],
    limits: { flash: 6650, ram: 400 },
    without: 'keys',
  },
];

const tools = ['-flto', '-mrelax', '-fno-move-loop-invariants', '-ffunction-sections', '-Wl,--gc-sections'];
const target = ['-mmcu=atmega328p', '-Os', '-std=c99', `-I${join(here, 'src')}`, join(here, 'size-probe.c')];
const calls = ['begin', 'receive', 'poll', 'emit', 'sleep', 'asleep', 'will', 'ask_time', 'time'];
const nowhere = calls.map((call) => `-Wl,--defsym,slipway_${call}=0`);

function link(folder, options, library) {
  const program = join(folder, 'probe.elf');
  execFileSync('avr-gcc', [...target, ...tools, ...options, ...library, '-o', program]);
  const [text, data, bss] = execFileSync('avr-size', [program], { encoding: 'utf8' })
    .split('\n')[1]
    .trim()
    .split(/\s+/)
    .map(Number);
  return { flash: text + data, ram: data + bss };
}

function measure(folder, options) {
  const whole = link(folder, options, sources);
  const without = link(folder, options, nowhere);
  return { flash: whole.flash - without.flash, ram: whole.ram };
}

/** What each feature adds to the configurations that do not have it: flash and RAM in bytes. */
function measureFeatures(folder) {
  const all = configurations.map(({ options }) => ({ options, plain: measure(folder, options) }));
  const among = (names, some) => names.map((feature) => ({ feature, some }));
  return [...among(features, all.slice(0, 2)), ...among(extras, all)].map(({ feature, some }) => ({
    feature: feature.toLowerCase(),
    costs: some.map(({ options, plain }) => {
      const more = measure(folder, [...options, `-USLIPWAY_WITH_${feature}`, `-DSLIPWAY_WITH_${feature}=1`]);
      return { flash: more.flash - plain.flash, ram: more.ram - plain.ram };
    }),
  }));
}

function reportFeatures(folder) {
  console.log('');
  console.log('| added | to QoS 0 only | to QoS 1/2 | to everything |');
  console.log('| --- | --- | --- | --- |');
  for (const { feature, costs } of measureFeatures(folder)) {
    const cells = configurations.map((_, i) =>
      costs[i] ? `${costs[i].flash} B, RAM ${costs[i].ram} B` : 'has it',
    );
    console.log(`| ${feature} | ${cells.join(' | ')} |`);
  }
}

function report(folder, checking) {
  console.log('| on ATmega328P, -Os, library only | flash | limit | RAM | limit |');
  console.log('| --- | --- | --- | --- | --- |');
  for (const { name, options, limits } of configurations) {
    const { flash, ram } = measure(folder, options);
    console.log(`| ${name} | ${flash} B | ${limits.flash} B | ${ram} B | ${limits.ram} B |`);
    if (checking && (flash > limits.flash || ram > limits.ram)) {
      console.error(`${name}: over its limit`);
      process.exitCode = 1;
    }
  }
  if (!checking) reportFeatures(folder);
  console.log('');
  for (const { name, without } of configurations) console.log(`${name}, leaves out: ${without}`);
}

function data(folder) {
  return {
    compiler: execFileSync('avr-gcc', ['-dumpversion'], { encoding: 'utf8' }).trim(),
    configurations: configurations.map(({ name, options }) => ({
      name,
      flags: ['-Os', ...tools, ...options],
      ...measure(folder, options),
    })),
    features: measureFeatures(folder),
  };
}

const folder = mkdtempSync(join(tmpdir(), 'slipway-size-'));
try {
  if (process.argv.includes('--json')) console.log(JSON.stringify(data(folder), null, 2));
  else report(folder, process.argv.includes('--check'));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
