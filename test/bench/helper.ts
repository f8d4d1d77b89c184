import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { reasonOf } from '../../src/errors.js';
import { BenchFailure } from './row.js';

/** How long a helper may take to end, ms. */
const PATIENCE_MS = 10_000;

type Answer = { readonly result: unknown } | { readonly failure: string };

/** A module of the benchmark that runs in a process of its own and answers questions; the other side of `serve`. */
export class Helper {
  readonly #child: ChildProcess;
  readonly #name: string;

  /** `module`: the compiled module that calls `serve`. */
  constructor(module: URL, nodeArguments: readonly string[] = []) {
    this.#name = module.pathname.split('/').at(-1) as string;
    this.#child = fork(module, { execArgv: [...nodeArguments] });
  }

  /** @throws BenchFailure what the helper threw, or that it ended */
  async ask<T>(question: string, argument?: unknown): Promise<T> {
    if (!this.#child.connected) throw new BenchFailure(`${this.#name} has ended`);
    const given = new AbortController();
    try {
      const { signal } = given;
      const answered = once(this.#child, 'message', { signal }) as Promise<[Answer]>;
      const ended = once(this.#child, 'exit', { signal }).then(([code, killedBy]) => {
        throw new BenchFailure(`${this.#name} ended with ${code ?? killedBy}`);
      });
      this.#child.send([question, argument]);
      const [answer] = (await Promise.race([answered, ended])) as [Answer];
      if ('failure' in answer) throw new BenchFailure(answer.failure);
      return answer.result as T;
    } finally {
      given.abort();
    }
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Its time on a core so far, s. */
  cpu(): Promise<number> {
    return this.ask('cpu');
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    // It ends by itself then, and may write a profile first.
    this.#child.disconnect();
    const impatient = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    await ended;
    clearTimeout(impatient);
  }
}

/** Answers the questions of the process that started this one, one at a time, and ends with it. */
export function serve(answers: Readonly<Record<string, (argument: never) => unknown>>): void {
  process.on('disconnect', () => process.exit());
  process.on('message', ([question, argument]: [string, never]) => {
    void Promise.resolve()
      .then(() => (question === 'cpu' ? cpuSeconds() : answers[question]?.(argument)))
      .then(
        (result): Answer => ({ result }),
        (error): Answer => ({ failure: reasonOf(error) }),
      )
      .then((answer) => process.send?.(answer));
  });
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
