import type { Cancel, Clock } from '../../src/clock.js';

interface Task {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** More than this without the time moving is something that wakes itself for ever. */
const MAX_TASKS_A_MOMENT = 100_000;

/** A clock that stands still until a test moves it. Tasks of one moment run in the order they were scheduled. */
export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  #tasks: Task[] = [];
  /** Tasks run since the time last moved. */
  #stalled = 0;
  readonly #epoch = 1_700_000_000_000;

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#epoch + Math.floor(this.#now);
  }

  schedule(ms: number, run: () => void): Cancel {
    const task = { at: this.#now + Math.max(0, ms), order: this.#order++, run };
    // A sorted insert from the end: most tasks are later than the rest.
    let index = this.#tasks.length;
    while (index > 0 && (this.#tasks[index - 1] as Task).at > task.at) index--;
    this.#tasks.splice(index, 0, task);
    return () => {
      const found = this.#tasks.indexOf(task);
      if (found >= 0) this.#tasks.splice(found, 1);
    };
  }

  defer(run: () => void): void {
    this.schedule(0, run);
  }

  yield(run: () => void): Cancel {
    return this.schedule(0, run);
  }

  /** Runs all that is due in the next `ms` milliseconds. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let task = this.#tasks[0]; task && task.at <= end; task = this.#tasks[0]) {
      this.#tasks.shift();
      this.#stalled = task.at > this.#now ? 0 : this.#stalled + 1;
      if (this.#stalled > MAX_TASKS_A_MOMENT)
        throw new Error(`time stands still at ${this.#now} ms: a livelock`);
      this.#now = Math.max(this.#now, task.at);
      task.run();
    }
    this.#now = end;
  }

  /** Advances until `condition` holds; throws when it does not within `limitMs`. */
  until(condition: () => boolean, limitMs: number, what: string): void {
    const end = this.#now + limitMs;
    while (!condition()) {
      const next = this.#tasks[0];
      if (!next || next.at > end) throw new Error(`${what}: not within ${limitMs} ms of virtual time`);
      this.advance(next.at - this.#now);
    }
  }
}
