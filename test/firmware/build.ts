import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder, also for a copy of this file that was compiled to somewhere below it. */
export const ROOT = folderWith('package.json', dirname(fileURLToPath(import.meta.url)));
export const LIBRARY = join(ROOT, 'firmware-protocol/src');
const POSIX = join(ROOT, 'firmware-protocol/examples/posix');
const HERE = join(ROOT, 'test/firmware');
const BUILD = join(ROOT, 'build/firmware');

function folderWith(file: string, start: string): string {
  return existsSync(join(start, file)) ? start : folderWith(file, dirname(start));
}

/** The C files of the library, as absolute paths. */
export function librarySources(): string[] {
  return cFiles(LIBRARY);
}

function cFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.c'))
    .sort()
    .map((name) => join(folder, name));
}

/** Makes the client count the edges of its control flow, every one of them, so that it can be stopped at any. */
const COUNT_EDGES = ['-fsanitize-coverage=edge,trace-pc', '-mllvm', '-sanitizer-coverage-prune-blocks=0'];

/**
 * Compiles the C client and the shim with the given options (`SLIPWAY_…`) to WebAssembly. With `edges` it has what
 * `CClient.powerFor` needs. Returns the file's path.
 */
export function buildWasm(options: Readonly<Record<string, number>>, edges = false): string {
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
    `-DSHIM_EDGES=${edges ? 1 : 0}`,
    ...(edges ? COUNT_EDGES : []),
    ...defines,
    join(HERE, 'client-shim.c'),
    ...librarySources(),
  ]);
}

/** Compiles the C files of `folder` with the library by the machine's clang to the program `name`. Returns its path. */
export function buildNative(name: string, folder: string, flags: readonly string[]): string {
  const program = cFiles(folder);
  return buildOnce(name, '', ['clang', ...flags, `-I${LIBRARY}`, ...program, ...librarySources()], folder);
}

/** Compiles the POSIX example with the library by the machine's clang. Returns the program's path. */
export function buildPosix(): string {
  return buildNative('slipway-posix', POSIX, ['-std=c99', '-O1']);
}

/** Runs a compiler once for each command and state of the sources, also when several test files ask at a time. */
function buildOnce(name: string, extension: string, command: readonly string[], folder = HERE): string {
  const [compiler, ...args] = command;
  const hash = createHash('sha256').update(command.join('\0'));
  for (const each of [LIBRARY, folder, join(HERE, 'freestanding')]) {
    for (const file of readdirSync(each).sort()) {
      if (/\.[ch]$/.test(file)) hash.update(file).update(readFileSync(join(each, file)));
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
