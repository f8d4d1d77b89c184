import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const LIBRARY = join(ROOT, 'firmware-protocol/src');
const HERE = join(ROOT, 'test/firmware');
const BUILD = join(ROOT, 'build/firmware');

/** The C files of the library, as absolute paths. */
export function librarySources(): string[] {
  return readdirSync(LIBRARY)
    .filter((name) => name.endsWith('.c'))
    .sort()
    .map((name) => join(LIBRARY, name));
}

/** Compiles the C client and the shim with the given options (`SLIPWAY_…`) to WebAssembly. Returns the file's path. */
export function buildWasm(options: Readonly<Record<string, number>>): string {
  const defines = Object.entries(options).map(([name, value]) => `-D${name}=${value}`);
  return buildOnce('client', '.wasm', [
    'clang',
    '--target=wasm32',
    '-std=c99',
    '-O2',
    '-nostdlib',
    '-ffreestanding',
    '-fvisibility=hidden',
    '-Wl,--no-entry',
    '-Wl,--export-dynamic',
    '-Wl,-z,stack-size=8192',
    `-I${join(HERE, 'freestanding')}`,
    `-I${LIBRARY}`,
    ...defines,
    join(HERE, 'client-shim.c'),
    ...librarySources(),
  ]);
}

/** Compiles a C program of this folder with the library, by the machine's own compiler. Returns the program's path. */
export function buildNative(program: string, flags: readonly string[]): string {
  return buildOnce(program, '', ['gcc', ...flags, `-I${LIBRARY}`, join(HERE, program), ...librarySources()]);
}

/** Runs a compiler once for each command and state of the sources, also when several test files ask at a time. */
function buildOnce(name: string, extension: string, command: readonly string[]): string {
  const [compiler, ...args] = command;
  const hash = createHash('sha256').update(command.join('\0'));
  for (const folder of [LIBRARY, HERE, join(HERE, 'freestanding')]) {
    for (const file of readdirSync(folder).sort()) {
      if (/\.[ch]$/.test(file)) hash.update(file).update(readFileSync(join(folder, file)));
    }
  }
  const output = join(BUILD, `${name}-${hash.digest('hex').slice(0, 16)}${extension}`);
  if (existsSync(output)) return output;
  mkdirSync(BUILD, { recursive: true });
  const unfinished = `${output}.${process.pid}`;
  execFileSync(compiler as string, [...args, '-o', unfinished], { stdio: ['ignore', 'pipe', 'pipe'] });
  renameSync(unfinished, output);
  return output;
}
