import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

/** The machine, in a line. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() || 'unknown processor';
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} × ${model}, ${memory} GiB, ${type()} ${release()}, Node ${process.version}`;
}

/** The first line that a program says about itself; undefined when it is not there. */
export function versionOf(program: string, ...arguments_: string[]): string | undefined {
  try {
    return execFileSync(program, arguments_, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split(
      '\n',
    )[0];
  } catch (error) {
    // Some say it and fail.
    const { stdout } = error as { stdout?: string };
    return stdout?.split('\n')[0] || undefined;
  }
}
