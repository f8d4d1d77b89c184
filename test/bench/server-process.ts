import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { codeOf } from '../../src/errors.js';
import { BenchFailure, NotInstalled } from './row.js';

/** How long a server may take to start, ms. */
const PATIENCE_MS = 20_000;
/** How much of what it said is told when it fails. */
const LAST_LINES = 10;
const CLOCK_TICKS_PER_SECOND = 100;

const servers = new Set<ChildProcess>();
process.on('exit', () => {
  for (const server of servers) server.kill('SIGKILL');
});

/** Something that listens on a loopback port. */
export interface Server {
  readonly port: number;
  /** Its time on a core so far, all threads, s; not a number where the system does not tell. */
  cpu(): number | Promise<number>;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly program: string;
  readonly arguments: readonly string[];
  /** Called with every line that it says; true when it is ready. */
  readonly ready: (line: string) => boolean;
  /** The command that installs it. */
  readonly remedy?: string;
}

/** A server in a process of its own, which ends with this one. */
export class ServerProcess {
  readonly #child: ChildProcess;
  /** How many it has said so far. */
  lines = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @throws NotInstalled, BenchFailure when it ends instead, or does not get ready */
  static async start({ program, arguments: given, ready, remedy }: ServerOptions): Promise<ServerProcess> {
    const child = spawn(program, given, { stdio: ['ignore', 'pipe', 'pipe'] });
    servers.add(child);
    const server = new ServerProcess(child);
    const lines: string[] = [];
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (problem: string) =>
          reject(new BenchFailure(`${program} ${problem}${['', ...lines].join('\n  ')}`));
        timer = setTimeout(() => fail(`is not ready after ${PATIENCE_MS / 1000} s`), PATIENCE_MS);
        child.once('error', (error) => {
          const missing = codeOf(error) === 'ENOENT' && remedy !== undefined;
          reject(missing ? new NotInstalled(program, remedy) : error);
        });
        child.once('exit', (code) => fail(`ended with ${code}`));
        for (const stream of [child.stdout, child.stderr])
          createInterface({ input: stream }).on('line', (line) => {
            server.lines++;
            lines.push(line);
            if (lines.length > LAST_LINES) lines.shift();
            if (ready(line)) resolve();
          });
      });
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    } finally {
      clearTimeout(timer);
      child.removeAllListeners('exit');
    }
    return server;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Resident memory, bytes. Linux. */
  get rss(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))?.[1]) * 1024;
  }

  /** Time on a core so far, all threads, s; not a number where the system does not tell. */
  get cpu(): number {
    if (process.platform !== 'linux') return Number.NaN;
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async stop(): Promise<void> {
    servers.delete(this.#child);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    const impatient = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    await ended;
    clearTimeout(impatient);
  }
}
