/** Cancels what was scheduled; calling it late or twice does nothing. */
export type Cancel = () => void;

/** Time, injected: the real one, or one that a test moves by hand. */
export interface Clock {
  /** Milliseconds on a clock that never jumps. */
  now(): number;
  /** Whole milliseconds since 1970-01-01 UTC. */
  wallTime(): number;
  /** Runs `task` once, `ms` milliseconds from now. */
  schedule(ms: number, task: () => void): Cancel;
  /** Runs `task` as soon as the current turn is over. */
  defer(task: () => void): void;
  /** Runs `task` once all that is ready now has had its turn, input included. */
  yield(task: () => void): Cancel;
}

/** The longest that `setTimeout` waits; it runs what is meant for later at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  schedule(ms, task) {
    let timer: NodeJS.Timeout;
    const wait = (left: number) => {
      const step = Math.min(left, LONGEST_TIMEOUT_MS);
      timer = setTimeout(() => (left > step ? wait(left - step) : task()), step);
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
  defer: (task) => queueMicrotask(task),
  yield(task) {
    const immediate = setImmediate(task);
    return () => clearImmediate(immediate);
  },
};
