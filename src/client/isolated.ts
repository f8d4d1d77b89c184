/**
 * Runs code of the program's own. What it throws becomes an uncaught exception of the process: it must not keep this message,
 * and the next ones, from anybody else.
 */
export function isolated(task: () => void): void {
  try {
    task();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
