import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseIntelHex } from '../../src/simulator/intel-hex.js';
import { LIBRARY, librarySources, ROOT } from '../firmware/build.js';

/** Where avr-gcc's addresses of RAM begin. */
const DATA_SPACE = 0x800000;

const TARGET = ['-mmcu=atmega328p', '-std=c99', `-I${LIBRARY}`];

/** The machine code of a program, and where its functions and variables are. */
export class Program {
  readonly flash: Uint8Array;
  readonly #symbols: ReadonlyMap<string, number>;

  constructor(flash: Uint8Array, symbols: ReadonlyMap<string, number>) {
    this.flash = flash;
    this.#symbols = symbols;
  }

  /** The address of a function, in bytes of flash. */
  symbol(name: string): number {
    const address = this.#symbols.get(name);
    if (address === undefined) throw new Error(`the program has no ${name}`);
    return address;
  }

  /** The address of a variable in the chip's data space. */
  variable(name: string): number {
    return this.symbol(name) - DATA_SPACE;
  }
}

/** Compiles C files for an ATmega328P with these options of avr-gcc; without `sources` it is the probe and the library. */
export function buildProgram(
  options: readonly string[],
  sources: readonly string[] = [join(ROOT, 'test/board/probe.c'), ...librarySources()],
): Program {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-cycles-'));
  try {
    const elf = join(folder, 'program.elf');
    const hex = join(folder, 'program.hex');
    execFileSync('avr-gcc', [...TARGET, ...options, ...sources, '-o', elf]);
    execFileSync('avr-objcopy', ['-O', 'ihex', '-R', '.eeprom', elf, hex]);
    const lines = execFileSync('avr-nm', [elf], { encoding: 'utf8' }).split('\n');
    const symbols = lines.map((line): [string, number] => {
      const [address = '', , name = ''] = line.split(' ');
      // What link-time optimisation makes local gets a suffix.
      return [name.replace(/\.(lto_priv|constprop)\.\d+$/, ''), Number.parseInt(address, 16)];
    });
    return new Program(parseIntelHex(readFileSync(hex, 'utf8')), new Map(symbols));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
