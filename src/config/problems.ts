import { SlipwayError } from '../errors.js';

/** One thing that is wrong with a config file. `line` and `column` count from 1; both are absent for the file as a whole. */
export interface Problem {
  readonly line?: number;
  readonly column?: number;
  /** The key as a reader would write it, `listen.tcp[1].port`; empty for the document itself. */
  readonly key: string;
  /** What is wrong and the mend, to be read after the key. */
  readonly message: string;
}

/**
 * A config that cannot be used. `message` holds every problem, one a line, in the order of the file:
 * `FILE:LINE:COLUMN: key: what is wrong`.
 */
export class ConfigError extends SlipwayError {
  readonly file: string;
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[], options?: { cause?: unknown }) {
    const sorted = problems.toSorted(byPosition);
    super('config_invalid', sorted.map((problem) => lineFor(file, problem)).join('\n'), options);
    this.name = 'ConfigError';
    this.file = file;
    this.problems = sorted;
  }
}

function byPosition(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

function lineFor(file: string, problem: Problem): string {
  return `${placed(file, problem)}: ${problem.message}`;
}

/** What a message about a key begins with: `FILE:LINE:COLUMN: key`. */
export function placed(file: string, { line, column, key }: Omit<Problem, 'message'>): string {
  const where = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
  return key === '' ? where : `${where}: ${key}`;
}
