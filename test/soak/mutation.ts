import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../firmware/build.js';
import type { Catch } from './mutant-run.js';
import { MUTANTS, type Mutant } from './mutants.js';

const run = promisify(execFile);

/** What a copy needs in order to be compiled and run. */
const COPIED = ['package.json', 'tsconfig.json', 'src', 'firmware-protocol/src', 'test/tsconfig.json'];
const COPIED_TESTS = ['soak', 'support', 'firmware'].map((folder) => `test/${folder}`);

/**
 * Breaks a copy of the project as the mutant says, and runs seeds on it, `most` at the most. Undefined: none of them fails,
 * so the simulator is blind to it.
 * @throws Error when the mutant does not fit the code any more, or the broken copy does not compile
 */
export async function tryMutant(mutant: Mutant, most: number): Promise<Catch | undefined> {
  const folder = join(ROOT, 'build/mutants', mutant.name.replaceAll(' ', '-'));
  rmSync(folder, { recursive: true, force: true });
  try {
    for (const path of [...COPIED, ...COPIED_TESTS])
      cpSync(join(ROOT, path), join(folder, path), { recursive: true });
    breakFile(join(folder, mutant.file), mutant);
    // The same C sources have been compiled already: a file there is named after what it was made of.
    mkdirSync(join(ROOT, 'build/firmware'), { recursive: true });
    mkdirSync(join(folder, 'build'), { recursive: true });
    symlinkSync(join(ROOT, 'build/firmware'), join(folder, 'build/firmware'));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    // Types are not checked: breaking code may leave a name unused.
    await run(process.execPath, [tsc, '--project', join(folder, 'test/soak'), '--noCheck']);
    const { stdout } = await run(process.execPath, [
      join(folder, 'build/soak/test/soak/mutant-run.js'),
      `${most}`,
    ]);
    return (JSON.parse(stdout) as Catch | null) ?? undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether the project has what the mutant breaks. */
export function fits({ file, find }: Mutant): boolean {
  return piecesOf(join(ROOT, file), find).length === 2;
}

function piecesOf(path: string, find: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split(find) : [];
}

function breakFile(path: string, { name, file, find, replace }: Mutant): void {
  const pieces = piecesOf(path, find);
  if (pieces.length !== 2)
    throw new Error(`the mutant "${name}" does not fit ${file} any more: it is to find, once: ${find}`);
  writeFileSync(path, pieces.join(replace));
}

/** Tries all mutants and tells what became of each. Returns whether every one was caught. */
export async function testMutants(most: number): Promise<boolean> {
  let survivors = 0;
  for (const mutant of MUTANTS) {
    const started = Date.now();
    const caught = await tryMutant(mutant, most);
    const seconds = ((Date.now() - started) / 1000).toFixed(0);
    if (!caught) survivors++;
    const outcome = caught
      ? `caught by seed ${caught.seed}: ${caught.broken.split('\n')[0]}`
      : `SURVIVED ${most} seeds`;
    console.log(`${mutant.name}: ${outcome} (${seconds} s)`);
  }
  console.log(`\n${MUTANTS.length - survivors} of ${MUTANTS.length} mutants were caught`);
  return survivors === 0;
}
