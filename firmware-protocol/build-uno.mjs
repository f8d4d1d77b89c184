// Builds examples/SerialSensor for the virtual Arduino Uno of the simulator and the demo, with the avr-gcc and the Arduino core that Debian ships
// (gcc-avr, avr-libc, arduino-core-avr), and writes examples/SerialSensor/SerialSensor.hex.
//
//   node build-uno.mjs           build and write the file
//   node build-uno.mjs --check   build, and exit 1 if the file in the tree is not what the source builds to
//
// Its identity is "virtual-uno", so that it does not collide with a real board that runs the same sketch.
// The same source and compiler give the same bytes, wherever the checkout is: everything is compiled by relative
// names in a fresh folder, without debug information.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const shipped = join(here, 'examples/SerialSensor/SerialSensor.hex');
const arduino = process.env.ARDUINO_AVR ?? '/usr/share/arduino/hardware/arduino/avr';

const target = [
  '-mmcu=atmega328p',
  '-DF_CPU=16000000L',
  '-DARDUINO=10819',
  '-DARDUINO_AVR_UNO',
  '-DARDUINO_ARCH_AVR',
];
const IDENTITY = '-DIDENTITY="virtual-uno"';
const folders = ['-Ilibrary', '-Icore', '-Ivariant'];
const size = ['-Os', '-ffunction-sections', '-fdata-sections', '-mcall-prologues', '-w'];
const languages = {
  c: ['-std=gnu11'],
  // avr-gcc 5's float.h hides DECIMAL_DIG from C++11, and the core wants it.
  cpp: [
    '-std=gnu++11',
    '-fno-exceptions',
    '-fno-threadsafe-statics',
    '-fpermissive',
    '-DDECIMAL_DIG=__DECIMAL_DIG__',
  ],
};

function compile(work, file, as = file) {
  const object = `${as.replace(/[^a-z0-9]/gi, '_')}.o`;
  const language = file.endsWith('.c') ? 'c' : 'cpp';
  const sketch = file.endsWith('.ino') ? [IDENTITY, '-x', 'c++', '-include', 'Arduino.h'] : [];
  const seed = `-frandom-seed=${as}`;
  run(work, 'avr-gcc', [
    ...target,
    ...size,
    ...folders,
    ...languages[language],
    seed,
    ...sketch,
    '-c',
    file,
    '-o',
    object,
  ]);
  return object;
}

function run(cwd, program, args) {
  execFileSync(program, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
}

function sources(work, folder) {
  return readdirSync(join(work, folder))
    .filter((name) => /\.(c|cpp)$/.test(name))
    .sort()
    .map((name) => `${folder}/${name}`);
}

function build() {
  const work = mkdtempSync(join(tmpdir(), 'slipway-uno-'));
  try {
    symlinkSync(join(arduino, 'cores/arduino'), join(work, 'core'));
    symlinkSync(join(arduino, 'variants/standard'), join(work, 'variant'));
    cpSync(join(here, 'src'), join(work, 'library'), { recursive: true });
    cpSync(join(here, 'examples/SerialSensor/SerialSensor.ino'), join(work, 'SerialSensor.ino'));
    const files = [...sources(work, 'core'), ...sources(work, 'library'), 'SerialSensor.ino'];
    const objects = files.map((file) => compile(work, file));
    run(work, 'avr-gcc', [
      '-mmcu=atmega328p',
      '-Os',
      '-Wl,--gc-sections',
      '-o',
      'sketch.elf',
      ...objects,
      '-lm',
    ]);
    run(work, 'avr-objcopy', ['-O', 'ihex', '-R', '.eeprom', 'sketch.elf', 'sketch.hex']);
    run(work, 'avr-size', ['sketch.elf']);
    return readFileSync(join(work, 'sketch.hex'), 'utf8');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const hex = build();
if (!process.argv.includes('--check')) {
  writeFileSync(shipped, hex);
} else if (readFileSync(shipped, 'utf8').replaceAll('\r\n', '\n') !== hex.replaceAll('\r\n', '\n')) {
  console.error(
    `${shipped} is not what the source builds to: run node firmware-protocol/build-uno.mjs and commit it`,
  );
  process.exit(1);
}
