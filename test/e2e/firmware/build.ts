import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseIntelHex } from '../../../src/simulator/intel-hex.js';
import { LIBRARY, librarySources, ROOT } from '../../firmware/build.js';

const HERE = join(ROOT, 'test/e2e/firmware');

/** The programs that `build` runs. */
export const AVR_TOOLS = ['avr-gcc', 'avr-objcopy'];

/** Compiles a C program of this folder, with the C client, for an Uno. `defines` are `NAME=value`. Returns its flash. */
export async function build(program: string, ...defines: string[]): Promise<Uint8Array> {
  const run = promisify(execFile);
  const folder = await mkdtemp(join(tmpdir(), 'slipway-avr-'));
  try {
    const [elf, hex] = [join(folder, 'main.elf'), join(folder, 'main.hex')];
    await run('avr-gcc', [
      '-mmcu=atmega328p',
      '-DF_CPU=16000000UL',
      '-Os',
      '-Wall',
      '-Werror',
      '-std=gnu11',
      '-DSLIPWAY_WITH_DATAGRAM=0',
      '-DSLIPWAY_WITH_STREAM=0',
      '-DSLIPWAY_WITH_COUNTERS=1',
      ...defines.map((define) => `-D${define}`),
      `-I${LIBRARY}`,
      '-o',
      elf,
      join(HERE, program),
      ...librarySources(),
    ]);
    await run('avr-objcopy', ['-O', 'ihex', '-R', '.eeprom', elf, hex]);
    return parseIntelHex(await readFile(hex, 'latin1'));
  } finally {
    await rm(folder, { recursive: true });
  }
}
