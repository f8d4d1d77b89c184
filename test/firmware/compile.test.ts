import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { LIBRARY, librarySources, ROOT } from './build.js';

const STRICT = ['-std=c99', '-Wall', '-Wextra', '-Wconversion', '-Werror', '-pedantic', '-O1'];
const ARDUINO = process.env.ARDUINO_AVR ?? '/usr/share/arduino/hardware/arduino/avr';

const ARDUINO_FLAGS =
  '-mmcu=atmega328p -Os -std=gnu++11 -Wall -Wextra -Werror -DF_CPU=16000000L -DARDUINO=10819 -DARDUINO_ARCH_AVR'.split(
    ' ',
  );

const ON_ARDUINO = [
  ...ARDUINO_FLAGS,
  `-I${LIBRARY}`,
  `-I${ARDUINO}/cores/arduino`,
  `-I${ARDUINO}/variants/standard`,
];

/** Every option that changes what is compiled, once at least. */
const CONFIGURATIONS: Record<string, string[]> = {
  'everything, by default': [],
  'QoS 0 only': ['-DSLIPWAY_WITH_RELIABLE=0'],
  'QoS 0 on a serial line, nothing else': [
    '-DSLIPWAY_WITH_RELIABLE=0',
    '-DSLIPWAY_WITH_COUNTERS=0',
    '-DSLIPWAY_WITH_DATAGRAM=0',
    '-DSLIPWAY_WITH_STREAM=0',
    '-DSLIPWAY_NO_USER',
    '-DSLIPWAY_WITH_PATTERNS=0',
    '-DSLIPWAY_MAX_PACKET=255',
  ],
  'the same without all that it can do without': [
    '-DSLIPWAY_WITH_RELIABLE=0',
    '-DSLIPWAY_WITH_COUNTERS=0',
    '-DSLIPWAY_WITH_DATAGRAM=0',
    '-DSLIPWAY_WITH_STREAM=0',
    '-DSLIPWAY_NO_USER',
    '-DSLIPWAY_WITH_PATTERNS=0',
    '-DSLIPWAY_WITH_NAMES=0',
    '-DSLIPWAY_WITH_EVENTS=0',
    '-DSLIPWAY_WITH_UNSUPPORTED=0',
    '-DSLIPWAY_WITH_SLEEP=0',
    '-DSLIPWAY_WITH_WILL=0',
    '-DSLIPWAY_WITH_TIME=0',
    '-DSLIPWAY_TRUSTING=1',
    '-DSLIPWAY_MAX_PACKET=255',
  ],
  'QoS 0 on a serial line with sleep, will and time': [
    '-DSLIPWAY_WITH_RELIABLE=0',
    '-DSLIPWAY_WITH_DATAGRAM=0',
    '-DSLIPWAY_WITH_STREAM=0',
    '-DSLIPWAY_WITH_PATTERNS=0',
    '-DSLIPWAY_WITH_NAMES=0',
    '-DSLIPWAY_WITH_EVENTS=0',
    '-DSLIPWAY_TRUSTING=1',
    '-DSLIPWAY_MAX_PACKET=255',
  ],
  'a key': ['-DSLIPWAY_WITH_KEY=1'],
  'no key': ['-DSLIPWAY_WITH_KEY=0'],
  'a key, and QoS 0 on a serial line': [
    '-DSLIPWAY_WITH_KEY=1',
    '-DSLIPWAY_WITH_RELIABLE=0',
    '-DSLIPWAY_WITH_DATAGRAM=0',
    '-DSLIPWAY_WITH_STREAM=0',
    '-DSLIPWAY_WITH_PATTERNS=0',
    '-DSLIPWAY_WITH_NAMES=0',
    '-DSLIPWAY_WITH_EVENTS=0',
    '-DSLIPWAY_TRUSTING=1',
    '-DSLIPWAY_MAX_PACKET=255',
  ],
  'no sleep, will nor time': ['-DSLIPWAY_WITH_SLEEP=0', '-DSLIPWAY_WITH_WILL=0', '-DSLIPWAY_WITH_TIME=0'],
  'sleep without time, and a long keep-alive': ['-DSLIPWAY_WITH_TIME=0', '-DSLIPWAY_KEEP_ALIVE_S=200'],
  'time and a long keep-alive': ['-DSLIPWAY_WITH_SLEEP=0', '-DSLIPWAY_KEEP_ALIVE_S=200'],
  'datagrams only': ['-DSLIPWAY_WITH_SERIAL=0', '-DSLIPWAY_WITH_STREAM=0'],
  'streams only': ['-DSLIPWAY_WITH_SERIAL=0', '-DSLIPWAY_WITH_DATAGRAM=0'],
  'a ring, larger packets and slots': [
    '-DSLIPWAY_RECEIVE_RING=256',
    '-DSLIPWAY_MAX_PACKET=4096',
    '-DSLIPWAY_SLOT_BYTES=200',
  ],
};

function compile(compiler: string, flags: string[], sources: string[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-compile-'));
  try {
    const { status, stderr } = spawnSync(compiler, [...flags, '-c', ...sources], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As the Arduino IDE does. */
function compileSketch(sketch: string): void {
  compile('avr-g++', [...ON_ARDUINO, '-x', 'c++', '-include', 'Arduino.h'], [sketch]);
}

for (const [compiler, ...target] of [
  ['gcc', '-m64'],
  ['gcc', '-m32'],
  ['clang'],
  ['avr-gcc', '-mmcu=atmega328p'],
] as [string, ...string[]][]) {
  describeWithTools(
    [compiler],
    `the C client compiles without a warning: ${compiler} ${target.join(' ')}`,
    () => {
      for (const [name, options] of Object.entries(CONFIGURATIONS)) {
        it(name, () => compile(compiler, [...STRICT, ...target, ...options], librarySources()));
      }

      if (compiler === 'avr-gcc') return;
      it('the POSIX example', () => {
        const program = join(ROOT, 'firmware-protocol/examples/posix/slipway-posix.c');
        compile(compiler, [...STRICT, ...target, `-I${LIBRARY}`], [program]);
      });
    },
  );
}

describeWithTools(['gcc'], 'the C client', () => {
  it.each([
    ['16383', ''],
    // A record of so many bytes could not be told from one that is too large.
    ['16384', 'SLIPWAY_MAX_PACKET must be 16 to 16383'],
  ])('with packets of %s bytes is refused: "%s"', (bytes, complaint) => {
    const flags = [...STRICT, `-DSLIPWAY_MAX_PACKET=${bytes}`, '-fsyntax-only', '-x', 'c'];
    const { stderr } = spawnSync('gcc', [...flags, join(LIBRARY, 'slipway.h')], { encoding: 'utf8' });
    if (complaint === '') expect(stderr).toBe('');
    else expect(stderr).toContain(complaint);
  });
});

describeWithTools(['avr-gcc', 'avr-g++', 'avr-objcopy', 'avr-size'], 'the Arduino library', () => {
  const missing = !existsSync(ARDUINO) && process.env.CI !== 'true';

  it.skipIf(missing)('its wrapper compiles without a warning', () => {
    const wrapper = join(ROOT, 'test/firmware/wrapper.cpp');
    compile('avr-g++', ON_ARDUINO, [wrapper]);
    compile('avr-g++', [...ON_ARDUINO, '-DSLIPWAY_WITH_KEY=1'], [wrapper]);
  });

  it.skipIf(missing)('the sketch of a battery sensor compiles without a warning', () => {
    compileSketch(join(ROOT, 'firmware-protocol/examples/BatterySensor/BatterySensor.ino'));
  });

  it.skipIf(missing)('the sketch in the README compiles without a warning', () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-readme-'));
    try {
      const [, sketch] = /```cpp\n(.*?)```/s.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];
      if (sketch === undefined) throw new Error('the README has no sketch');
      const file = join(folder, 'readme.ino');
      writeFileSync(file, sketch);
      compileSketch(file);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.skipIf(missing)('its sketch builds to the shipped file, from any folder', { timeout: 120_000 }, () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'slipway elsewhere '));
    try {
      cpSync(join(ROOT, 'firmware-protocol'), elsewhere, { recursive: true });
      execFileSync(process.execPath, ['build-uno.mjs', '--check'], { cwd: elsewhere, stdio: 'pipe' });
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });

  it('keeps to its sizes', () => {
    execFileSync(process.execPath, ['size-report.mjs', '--check'], {
      cwd: join(ROOT, 'firmware-protocol'),
      stdio: 'pipe',
    });
  });
});
