import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative, ROOT } from '../firmware/build.js';
import { missingTool } from '../support/tools.js';
import { corpusFile, FINDINGS, knownInputs, readFolder, toHex, writeFolder, writeInputs } from './inputs.js';

const SANITIZED = [
  '-std=c99',
  '-D_POSIX_C_SOURCE=200809L',
  '-g',
  '-O1',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-fsanitize=fuzzer,address,undefined',
  '-fno-sanitize-recover=all',
];

/** The builds of the C client that are fuzzed, and their compile-time options. */
export const C_TARGETS: Readonly<Record<string, readonly string[]>> = {
  'c-client': [],
  'c-client-narrow': ['-DSLIPWAY_MAX_PACKET=255'],
  'c-client-smallest': [
    '-DSLIPWAY_WITH_RELIABLE=0',
    '-DSLIPWAY_WITH_DATAGRAM=0',
    '-DSLIPWAY_WITH_STREAM=0',
    '-DSLIPWAY_WITH_PATTERNS=0',
    '-DSLIPWAY_WITH_NAMES=0',
    '-DSLIPWAY_WITH_EVENTS=0',
    '-DSLIPWAY_WITH_SLEEP=0',
    '-DSLIPWAY_WITH_WILL=0',
    '-DSLIPWAY_WITH_TIME=0',
    '-DSLIPWAY_WITH_KEY=1',
    '-DSLIPWAY_TRUSTING=1',
    '-DSLIPWAY_MAX_PACKET=255',
  ],
};

/** An input is a talk: longer ones only say more of the same. Bytes. */
const MAX_INPUT_BYTES = 1200;
/** Of one input, far more than any needs. */
const TIMEOUT_S = 20;

/** What is not installed of clang and its libFuzzer, if anything. */
export function missingForLibFuzzer(): string | undefined {
  const clang = missingTool('clang');
  if (clang !== undefined) return clang;
  const empty =
    'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { (void)d; (void)n; return 0; }';
  const { status } = spawnSync('clang', ['-x', 'c', '-', '-fsanitize=fuzzer,address', '-o', '/dev/null'], {
    input: empty,
  });
  return status === 0 ? undefined : "clang's libFuzzer (libclang-rt-dev)";
}

function programOf(target: string): string {
  return buildNative(target, join(ROOT, 'test/fuzz/c'), [...SANITIZED, ...(C_TARGETS[target] ?? [])]);
}

export interface CRun {
  /** What ends the run: so many inputs, or so many seconds. */
  readonly runs?: number;
  readonly seconds?: number;
  readonly seed: number;
  /** Takes libFuzzer's own progress; otherwise it is silent unless something is found. */
  readonly output?: NodeJS.WritableStream;
}

/**
 * Fuzzes one of `C_TARGETS`, beginning with what is known. Returns the corpus that it ended with.
 * @throws Error that says what was broken, and by which input
 */
export async function fuzzC(target: string, { runs, seconds, seed, output }: CRun): Promise<Uint8Array[]> {
  const program = programOf(target);
  mkdirSync(FINDINGS, { recursive: true });
  const folder = mkdtempSync(join(FINDINGS, `${target}-`));
  const corpus = join(folder, 'corpus');
  writeFolder(corpus, knownInputs(target));
  const log: string[] = [];
  const child = spawn(program, [
    corpus,
    `-seed=${seed}`,
    `-max_len=${MAX_INPUT_BYTES}`,
    `-timeout=${TIMEOUT_S}`,
    `-exact_artifact_path=${join(folder, 'found')}`,
    ...(runs === undefined ? [] : [`-runs=${runs}`]),
    ...(seconds === undefined ? [] : [`-max_total_time=${seconds}`]),
  ]);
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    // The end tells what happened; the beginning is progress.
    log.push(text);
    if (log.length > 200) log.shift();
    output?.write(text);
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(describeFinding(target, log.join(''), join(folder, 'found')));
  const inputs = readFolder(corpus);
  rmSync(folder, { recursive: true });
  return inputs;
}

function describeFinding(target: string, log: string, file: string): string {
  const what = /broken promise: .*|runtime error: .*|ERROR: (AddressSanitizer|libFuzzer): .*/.exec(log)?.[0];
  const hex = toHex(readFileSync(file));
  return `${target}: ${what ?? log}\nreplay: npm run fuzz -- --target ${target} --replay ${hex}`;
}

/** Runs one input. Returns whether it holds; libFuzzer's report goes to standard error. */
export function replayC(target: string, input: Uint8Array): boolean {
  const program = programOf(target);
  mkdirSync(FINDINGS, { recursive: true });
  const file = join(FINDINGS, `${target}-replayed`);
  writeFileSync(file, input);
  return spawnSync(program, [file], { stdio: 'inherit' }).status === 0;
}

/** Keeps of `inputs` as few as reach all that they reach, in the repository. Returns how many. */
export function keepC(target: string, inputs: readonly Uint8Array[]): number {
  const program = programOf(target);
  const [all, least] = [join(FINDINGS, `${target}-all`), join(FINDINGS, `${target}-least`)];
  writeFolder(all, inputs);
  writeFolder(least, []);
  const { status, stderr } = spawnSync(program, ['-merge=1', '-use_counters=0', least, all], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`libFuzzer could not merge: ${stderr.slice(-500)}`);
  const kept = readFolder(least);
  writeInputs(corpusFile(target), kept);
  for (const folder of [all, least]) rmSync(folder, { recursive: true });
  return kept.length;
}
