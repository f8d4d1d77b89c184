import type { Logger } from 'pino';

/** Says what is wrong with one port once, and once when it is right again. */
export class Complaints {
  readonly #log: Logger;
  readonly #port: string;
  /** The kind of what was said last, while it stands. */
  #kind: string | undefined;
  #problem: string | undefined;

  constructor(log: Logger, port: string) {
    this.#log = log;
    this.#port = port;
  }

  /** What is wrong now, if anything. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Whether something of this kind was said and still stands. */
  stands(kind: string): boolean {
    return this.#kind === kind;
  }

  /** Says what is wrong, unless the last thing said was of the same kind. */
  complain(problem: string, kind = problem): void {
    if (this.#kind === kind) return;
    this.#kind = kind;
    this.#problem = problem;
    this.#log.warn(`port ${this.#port}: ${problem}`);
  }

  /** Nothing is wrong any more. Returns whether something was. */
  settle(): boolean {
    const stood = this.#kind !== undefined;
    this.#kind = undefined;
    this.#problem = undefined;
    return stood;
  }
}
