import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { freePort, until } from './gateways.js';

/** The command line as it is built: `npm test` builds it first. */
export const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program that was started, its output so far, and its end. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Exit>;
  stdout = '';
  stderr = '';
  exit: Exit | undefined;

  /** `env`: on top of that of the tests. */
  constructor(command: string, args: readonly string[], cwd?: string, env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(command, args, { cwd, env: { ...process.env, ...env } });
    this.child.stdin.on('error', () => {}); // It may end before it has read everything.
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    onTestFinished(async () => {
      if (!this.exit) this.child.kill('SIGKILL');
      await this.ended;
    });
  }

  get lines(): string[] {
    return this.stdout.split('\n').slice(0, -1);
  }

  /** Waits for standard output to match; fails at once when the program ends without. */
  prints(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#match(() => this.stdout, pattern);
  }

  /** The same for standard error. */
  complains(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#match(() => this.stderr, pattern);
  }

  async #match(text: () => string, pattern: RegExp): Promise<RegExpExecArray> {
    let match: RegExpExecArray | null = null;
    await until(() => {
      match = pattern.exec(text());
      if (!match && !this.exit) throw new Error(`${pattern} does not match\n${this.stdout}\n${this.stderr}`);
    });
    if (match) return match;
    throw new Error(
      `it ended with ${JSON.stringify(this.exit)} before ${pattern}\n${this.stdout}\n${this.stderr}`,
    );
  }
}

/** Starts `slipway` with these arguments; it is killed when the test ends. */
export function slipway(args: readonly string[], cwd?: string, env: NodeJS.ProcessEnv = {}): Program {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: run "npx tsc --build" first`);
  return new Program(process.execPath, [MAIN, ...args], cwd, env);
}

/** A user without any rights, for who starts a program. */
export const NOBODY = { uid: 65_534, gid: 65_534 };

/** The same as a user without any rights, which only root can do. */
export function slipwayAsNobody(args: readonly string[]): Program {
  const user = ['--reuid', String(NOBODY.uid), '--regid', String(NOBODY.gid), '--clear-groups'];
  return new Program('setpriv', [...user, process.execPath, MAIN, ...args]);
}

/**
 * The config file of a daemon with a store, on a TCP port of its own, in a folder that goes when the test ends. `listeners`: others,
 * as `mqtt: { … }`.
 */
export async function storeConfig(
  more = '',
  listeners = 'udp: false',
): Promise<{ readonly config: string; readonly port: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const port = await freePort();
  const config = join(folder, 'slipway.yaml');
  const listen = `{ tcp: { port: ${port} }, ${listeners} }`;
  await writeFile(config, `version: 1\nlisten: ${listen}\nstore: { path: store }\n${more}`);
  return { config, port };
}
