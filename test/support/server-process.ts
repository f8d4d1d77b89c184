import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFailed, onTestFinished } from 'vitest';
import type { KeyPair } from './certificates.js';
import { findTool } from './tools.js';

/** How long a server may take to start, or to end when it is told to, ms. */
const PATIENCE_MS = 30_000;
/** How much of what it said is kept. */
const LOG_LINES = 2000;

/** What every kind of server can be given. */
export interface ServerOptions {
  /** TLS only, with this certificate. `clientCa`: file of who must have signed those of clients. */
  readonly tls?: KeyPair & { readonly clientCa?: string };
  /** Other lines of its config, as that kind of server has them. */
  readonly settings?: readonly string[];
}

/** Ends it, for good and with its data, when the test ends; when that fails, what it logged is shown. */
export function endWithTest<Server extends { remove(): Promise<void>; lastLines(): string }>(
  server: Server,
): Server {
  onTestFailed(() => console.log(server.lastLines()));
  onTestFinished(() => server.remove());
  return server;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A server program that can end, or be ended, and start again as it was. It ends with this process, however that ends. */
export class ServerProcess {
  readonly name: string;
  /** The last lines that it said, of all its lives, with what was done to it between them. */
  readonly log: string[] = [];
  readonly #command: readonly [string, ...string[]];
  #child: ChildProcess | undefined;

  /** @throws Error when there is no such program */
  constructor(name: string, program: string, args: readonly string[]) {
    this.name = name;
    const path = findTool(program);
    if (path === undefined) throw new Error(`${program} is not installed`);
    // The kernel ends it also when this process is killed, and can run nothing any more.
    this.#command =
      process.platform === 'linux' ? ['setpriv', '--pdeathsig', 'KILL', path, ...args] : [path, ...args];
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /**
   * Starts it; resolves with the first line it says that matches `ready`.
   * @throws Error with the end of its log when it ends before, or says nothing of the kind
   */
  async start(ready: RegExp): Promise<void> {
    if (this.#child) throw new Error(`${this.name} runs already`);
    this.#note('started');
    const [command, ...args] = this.#command;
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    running.add(child);
    child.once('close', (code, signal) => {
      running.delete(child);
      if (this.#child === child) this.#child = undefined;
      this.#note(`ended: ${signal ?? code}`);
    });
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${this.name} ${why}\n${this.lastLines()}`));
      const timer = setTimeout(() => fail('does not get ready'), PATIENCE_MS);
      child.once('error', (error) => fail(error.message));
      child.once('close', () => fail('ended'));
      for (const stream of [child.stdout, child.stderr])
        createInterface({ input: stream }).on('line', (line) => {
          this.#keep(line);
          if (!ready.test(line)) return;
          clearTimeout(timer);
          resolve();
        });
    });
  }

  /** Asks it to end, and waits until it has; kills it when it does not. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), PATIENCE_MS);
    await this.#end('SIGTERM');
    clearTimeout(timer);
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Tells it something that does not end it. */
  signal(signal: NodeJS.Signals): void {
    this.#note(signal);
    this.#child?.kill(signal);
  }

  /** It stands still, its connections with it, until `thaw`. */
  freeze(): void {
    this.#note('frozen');
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#note('thawed');
    this.#child?.kill('SIGCONT');
  }

  /** What it said last, to be shown when a test fails. */
  lastLines(count = 100): string {
    return this.log
      .slice(-count)
      .map((line) => `${this.name}: ${line}`)
      .join('\n');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#note(signal);
    child.kill(signal);
    // One that stands still would not hear it.
    child.kill('SIGCONT');
    await once(child, 'close');
  }

  #note(what: string): void {
    this.#keep(`--- ${what} ---`);
  }

  #keep(line: string): void {
    this.log.push(line);
    if (this.log.length > LOG_LINES) this.log.splice(0, LOG_LINES / 2);
  }
}
