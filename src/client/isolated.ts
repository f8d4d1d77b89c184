/**
 * Runs code of the program's own. What it throws becomes an uncaught exception of the process: it must not keep this message,
 * and the next ones, from anybody else.
 */
export function isolated<A>(task: (argument: A) => void, argument: A): void {
  try {
    task(argument);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
