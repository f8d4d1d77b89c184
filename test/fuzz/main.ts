import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { C_TARGETS, fuzzC, keepC, missingForLibFuzzer, replayC } from './c-target.js';
import { Coverage } from './coverage.js';
import { Finding, Fuzzer } from './fuzzer.js';
import { corpusFile, FINDINGS, fromHex, knownInputs, toHex, writeInputs } from './inputs.js';
import type { Target } from './target.js';
import { TARGETS } from './targets/index.js';

const USAGE = `npm run fuzz -- [--target NAME]… [--minutes M] [--seed S] [--keep] [--replay HEX]

  --target NAME   one of ${[...TARGETS.map(({ name }) => name), ...Object.keys(C_TARGETS)].join(', ')};
                  all of them if left out
  --minutes M     in all, shared equally; 10 if left out
  --seed S        for the same mutations again (with the same corpus, and as long as it runs alone)
  --keep          put what reaches more than before into test/fuzz/corpus
  --replay HEX    run this one input of the one target, with V8's or libFuzzer's report

What breaks a promise is also written to build/fuzz/findings.txt. A fuzzer that hangs leaves its inputs in build/fuzz/running-NAME.hex.`;

const PROGRESS_MS = 10_000;

function options() {
  try {
    return parseArgs({
      options: {
        target: { type: 'string', multiple: true },
        minutes: { type: 'string', default: '10' },
        seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
        keep: { type: 'boolean', default: false },
        replay: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return fail((error as Error).message);
  }
}

function fail(problem: string): never {
  console.error(`fuzz: ${problem} (npm run fuzz -- --help shows how to use it)`);
  process.exit(2);
}

const { target: wanted, minutes, seed, keep, replay, help } = options();
if (help) {
  console.log(USAGE);
  process.exit(0);
}
const names = wanted ?? [...TARGETS.map(({ name }) => name), ...Object.keys(C_TARGETS)];
for (const name of names) {
  if (!(name in C_TARGETS) && !TARGETS.some((target) => target.name === name))
    fail(`there is no target ${name}`);
}
const seconds = (Number(minutes) * 60) / names.length;
if (!(seconds > 0)) fail(`--minutes must be a number above 0, not ${minutes}`);
if (!Number.isInteger(Number(seed))) fail(`--seed must be a whole number, not ${seed}`);

mkdirSync(FINDINGS, { recursive: true });
let found = 0;
for (const name of names) {
  const target = TARGETS.find((each) => each.name === name);
  try {
    if (replay !== undefined) replayOne(name, target, replay);
    else if (target) fuzzTypeScript(target);
    else await fuzzFirmware(name);
  } catch (error) {
    found++;
    console.error(`\n${(error as Error).message}`);
    if (error instanceof Finding) console.error((error.cause as Error).stack);
    appendFileSync(join(FINDINGS, 'findings.txt'), `${(error as Error).message}\n\n`);
  }
}
process.exit(found === 0 ? 0 : 1);

function replayOne(name: string, target: Target | undefined, hex: string): void {
  if (names.length !== 1) fail('--replay needs one --target');
  if (!/^([0-9a-f]{2})+$/i.test(hex)) fail(`--replay takes pairs of hex digits, not ${hex}`);
  if (target) console.log([...target.run(fromHex(hex))]);
  else if (!replayC(name, fromHex(hex))) throw new Error(`${name}: the input breaks it, see above`);
  console.log('the input breaks nothing');
}

async function fuzzFirmware(name: string): Promise<void> {
  const missing = missingForLibFuzzer();
  if (missing !== undefined) return console.log(`${name}: skipped, for ${missing} is not installed`);
  console.log(`${name}: ${Math.round(seconds)} s, seed ${seed}`);
  const corpus = await fuzzC(name, {
    seconds: Math.ceil(seconds),
    seed: Number(seed),
    output: process.stderr,
  });
  if (keep) console.log(`${name}: ${keepC(name, corpus)} inputs kept`);
}

function fuzzTypeScript(target: Target): void {
  const { name } = target;
  const missing = target.missing?.();
  if (missing !== undefined) return console.log(`${name}: skipped, for ${missing} is not installed`);
  const coverage = new Coverage((url) => /\/src\/[^?]*\.js$/.test(url));
  const fuzzer = new Fuzzer(target, Number(seed), coverage);
  const startedAt = performance.now();
  console.log(`${name}: ${Math.round(seconds)} s, seed ${seed}`);
  fuzzer.begin([...target.seeds(), ...knownInputs(name)]);
  const running = join(FINDINGS, `running-${name}.hex`);
  for (let toldAt = startedAt; performance.now() - startedAt < seconds * 1000; ) {
    fuzzer.step((inputs) => writeFileSync(running, inputs.map(toHex).join('\n')));
    if (performance.now() - toldAt < PROGRESS_MS) continue;
    toldAt = performance.now();
    tell(name, fuzzer, toldAt - startedAt);
  }
  tell(name, fuzzer, performance.now() - startedAt);
  coverage.stop();
  if (!keep) return;
  const judge = new Coverage((url) => /\/src\/[^?]*\.js$/.test(url));
  const least = new Fuzzer(target, 0, judge).least(fuzzer.corpus);
  judge.stop();
  writeInputs(corpusFile(name), least);
  console.log(`${name}: ${least.length} inputs kept`);
}

function tell(name: string, { runs, reached, corpus }: Fuzzer, ms: number): void {
  const rate = Math.round((runs / ms) * 1000);
  console.log(
    `${name}: ${Math.round(ms / 1000)} s, ${runs} runs, ${rate}/s, ${corpus.length} inputs reach ${reached}`,
  );
}
