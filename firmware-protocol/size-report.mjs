// What the C client costs on an ATmega328P: flash and RAM of the library alone, in two configurations.
//
//   node size-report.mjs           prints a table
//   node size-report.mjs --check   exits 1 if a figure is over its limit
//
// Flash is what a program grows by when the library is linked into it: size-probe.c, which begins, receives, polls,
// subscribes and emits, minus the same program without. RAM is the context, a packet buffer of 64 bytes, a table of two channels,
// and the slots of the window where there is one; the library has no other. The stack comes on top of it.
// The limits are what was reached, so that growth shows. The aim was 2,048 B and 4,096 B: the checks of §2 and §3, the handshake with
// its resends, and keep-alive are some 1,700 instructions with avr-gcc 5.4 however they are arranged.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const sources = readdirSync(join(here, 'src'))
  .filter((name) => name.endsWith('.c'))
  .map((name) => join(here, 'src', name));

// One serial line, plain channels, no counters: what the smallest boards want.
const small = [
  '-DSLIPWAY_WITH_DATAGRAM=0',
  '-DSLIPWAY_WITH_STREAM=0',
  '-DSLIPWAY_WITH_PATTERNS=0',
  '-DSLIPWAY_WITH_COUNTERS=0',
  '-DSLIPWAY_NO_USER',
];
const configurations = [
  {
    name: 'emit and subscribe, QoS 0 only',
    options: [...small, '-DSLIPWAY_WITH_RELIABLE=0'],
    limits: { flash: 3500, ram: 120 },
  },
  { name: 'with QoS 1/2, window 4 of 32 bytes', options: small, limits: { flash: 4550, ram: 350 } },
  { name: 'the same, with patterns, counters, UDP and TCP', options: [], limits: { flash: 5800, ram: 350 } },
];

function link(folder, options) {
  const program = join(folder, 'probe.elf');
  const flags = [
    '-mmcu=atmega328p',
    '-Os',
    '-std=c99',
    '-ffunction-sections',
    '-fdata-sections',
    '-Wl,--gc-sections',
  ];
  const smaller = ['-flto', '-mcall-prologues', '-mrelax'];
  execFileSync('avr-gcc', [
    ...flags,
    ...smaller,
    ...options,
    `-I${join(here, 'src')}`,
    join(here, 'size-probe.c'),
    ...sources,
    '-o',
    program,
  ]);
  const [text, data, bss] = execFileSync('avr-size', [program], { encoding: 'utf8' })
    .split('\n')[1]
    .trim()
    .split(/\s+/)
    .map(Number);
  return { text, data, bss };
}

function measure(folder, options) {
  const whole = link(folder, options);
  const without = link(folder, [...options, '-DWITHOUT_LIBRARY']);
  return { flash: whole.text - without.text, ram: whole.data + whole.bss - without.data - without.bss };
}

const folder = mkdtempSync(join(tmpdir(), 'slipway-size-'));
try {
  console.log('| on ATmega328P, -Os, library only | flash | limit | RAM | limit |');
  console.log('| --- | --- | --- | --- | --- |');
  for (const { name, options, limits } of configurations) {
    const { flash, ram } = measure(folder, options);
    console.log(`| ${name} | ${flash} B | ${limits.flash} B | ${ram} B | ${limits.ram} B |`);
    if (process.argv.includes('--check') && (flash > limits.flash || ram > limits.ram)) {
      console.error(`${name}: over its limit`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
