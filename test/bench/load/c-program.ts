import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { promisify } from 'node:util';
import { codeOf, reasonOf } from '../../../src/errors.js';
import { LIBRARY, librarySources, ROOT } from '../../firmware/build.js';
import { BenchFailure, NotInstalled } from '../row.js';

const SOURCES = join(ROOT, 'test/bench/load');
/** A peer on TCP takes packets about as large as the gateway makes them. */
const PEERS = ['-DSLIPWAY_MAX_PACKET=16383', '-DSLIPWAY_KEEP_ALIVE_S=30'];
/** The load generators in C, where one in Node would be the bottleneck, and how the C client is compiled for each. */
const PROGRAMS = {
  'udp-in': PEERS,
  'udp-rtt': PEERS,
  latency: PEERS,
  emits: PEERS,
  'udp-peers': ['-DSLIPWAY_WITH_SERIAL=0', '-DSLIPWAY_WITH_STREAM=0', '-DSLIPWAY_KEEP_ALIVE_S=60'],
} as const;

export type CProgramName = keyof typeof PROGRAMS;

let folder: string | undefined;
const compiled = new Map<CProgramName, Promise<string>>();

/** Compiles a program with the C client, once. */
function compile(name: CProgramName): Promise<string> {
  const known = compiled.get(name);
  if (known) return known;
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'slipway-load-'));
    folder = made;
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  }
  const program = compileInto(join(folder, name), name);
  compiled.set(name, program);
  return program;
}

async function compileInto(program: string, name: CProgramName): Promise<string> {
  const sources = [join(SOURCES, `${name}.c`), ...librarySources()];
  const flags = ['-O2', '-std=gnu11', '-Wall', '-Wextra', '-Werror', ...PROGRAMS[name], `-I${LIBRARY}`];
  try {
    await promisify(execFile)('cc', [...flags, '-o', program, ...sources]);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw new NotInstalled('a C compiler', 'apt-get install build-essential');
    throw new BenchFailure(`${name}.c does not compile here: ${reasonOf(error)}`, { cause: error });
  }
  return program;
}

/** A load generator in C, in a process of its own: lines go in, lines of JSON come out. It ends with this process. */
export class CProgram {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #problems: string[] = [];
  readonly #ended: Promise<never>;

  private constructor(name: CProgramName, child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) =>
      this.#problems.push(line),
    );
    this.#ended = once(child, 'close').then(([code, signal]) => {
      throw new BenchFailure(`${[name, ...this.#problems].join(': ')} (ended with ${code ?? signal})`);
    });
    this.#ended.catch(() => {});
    child.stdin?.on('error', () => {}); // It has ended, which is told.
  }

  /** @throws NotInstalled without a C compiler */
  static async start(name: CProgramName, arguments_: readonly (string | number)[]): Promise<CProgram> {
    const program = await compile(name);
    return new CProgram(name, spawn(program, arguments_.map(String), { stdio: 'pipe' }));
  }

  /** The next line that it says. @throws BenchFailure with what it complained of when it ended instead */
  async hear<T>(): Promise<T> {
    const given = new AbortController();
    try {
      const line = once(this.#lines, 'line', { signal: given.signal }) as Promise<[string]>;
      const [text] = await Promise.race([line, this.#ended]);
      return JSON.parse(text) as T;
    } finally {
      given.abort();
    }
  }

  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Says a line, and returns what is answered. */
  ask<T>(line: string): Promise<T> {
    const answer = this.hear<T>();
    this.say(line);
    return answer;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended.catch(() => {});
  }
}
