import { type Cancel, type Clock, systemClock } from '../../src/clock.js';

interface Task {
  at: number;
  cancel: Cancel;
  readonly run: () => void;
}

/** Real time, for gateways with real sockets, of which a test can skip a stretch. */
export class SkippingClock implements Clock {
  #skipped = 0;
  readonly #tasks = new Set<Task>();

  now(): number {
    return systemClock.now() + this.#skipped;
  }

  wallTime(): number {
    return systemClock.wallTime() + this.#skipped;
  }

  defer(task: () => void): void {
    systemClock.defer(task);
  }

  yield(task: () => void): Cancel {
    return systemClock.yield(task);
  }

  schedule(ms: number, run: () => void): Cancel {
    const task: Task = { at: this.now() + ms, run, cancel: () => {} };
    this.#tasks.add(task);
    this.#arm(task);
    return () => {
      this.#tasks.delete(task);
      task.cancel();
    };
  }

  /** Tasks that still wait. */
  get waiting(): number {
    return this.#tasks.size;
  }

  /** Everything scheduled comes `ms` milliseconds earlier; what is due then follows in its order, soon. */
  skip(ms: number): void {
    this.#skipped += ms;
    for (const task of this.#tasks) {
      task.cancel();
      this.#arm(task);
    }
  }

  #arm(task: Task): void {
    task.cancel = systemClock.schedule(Math.max(0, task.at - this.now()), () => {
      this.#tasks.delete(task);
      task.run();
    });
  }
}
