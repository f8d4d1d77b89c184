import type { Cancel, Clock } from '../../src/clock.js';

interface Task {
  readonly at: number;
  readonly order: number;
  /** Undefined once it is cancelled: it stays where it is until its time comes. */
  run: (() => void) | undefined;
}

/** More than this without the time moving is something that wakes itself for ever. */
const MAX_TASKS_A_MOMENT = 100_000;

/** A clock that stands still until a test moves it. Tasks of one moment run in the order they were scheduled. */
export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  /** A binary heap: the earliest first. */
  readonly #tasks: Task[] = [];
  #cancelled = 0;
  /** Tasks run since the time last moved. */
  #stalled = 0;
  readonly #epoch = 1_700_000_000_000;
  /** How far somebody set the time of day, ms. */
  skew = 0;

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#epoch + Math.floor(this.#now) + this.skew;
  }

  /** Tasks that wait for their time. */
  get pending(): number {
    return this.#tasks.length - this.#cancelled;
  }

  schedule(ms: number, run: () => void): Cancel {
    const task: Task = { at: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#push(task);
    return () => {
      if (!task.run) return;
      task.run = undefined;
      this.#cancelled++;
    };
  }

  defer(run: () => void): void {
    this.schedule(0, run);
  }

  yield(run: () => void): Cancel {
    return this.schedule(0, run);
  }

  /** Runs the next task if it is due within `limitMs`; returns whether there was one. */
  step(limitMs = Number.POSITIVE_INFINITY): boolean {
    const end = this.#now + limitMs;
    for (let task = this.#tasks[0]; task && task.at <= end; task = this.#tasks[0]) {
      this.#shift();
      const { run } = task;
      if (!run) {
        this.#cancelled--;
        continue;
      }
      this.#stalled = task.at > this.#now ? 0 : this.#stalled + 1;
      if (this.#stalled > MAX_TASKS_A_MOMENT)
        throw new Error(`time stands still at ${this.#now} ms: a livelock`);
      this.#now = Math.max(this.#now, task.at);
      // From here on there is nothing to cancel.
      task.run = undefined;
      run();
      return true;
    }
    return false;
  }

  /** Runs all that is due in the next `ms` milliseconds. */
  advance(ms: number): void {
    const end = this.#now + ms;
    while (this.step(end - this.#now)) {}
    this.#now = end;
  }

  /** Advances until `condition` holds; throws when it does not within `limitMs`. */
  until(condition: () => boolean, limitMs: number, what: string): void {
    const end = this.#now + limitMs;
    while (!condition()) {
      if (!this.step(end - this.#now)) throw new Error(`${what}: not within ${limitMs} ms of virtual time`);
    }
  }

  #push(task: Task): void {
    const tasks = this.#tasks;
    let at = tasks.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = tasks[parent] as Task;
      if (isEarlier(above, task)) break;
      tasks[at] = above;
      at = parent;
    }
    tasks[at] = task;
  }

  #shift(): void {
    const tasks = this.#tasks;
    const last = tasks.pop() as Task;
    if (tasks.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= tasks.length) break;
      const right = tasks[child + 1];
      if (right && isEarlier(right, tasks[child] as Task)) child++;
      if (isEarlier(last, tasks[child] as Task)) break;
      tasks[at] = tasks[child] as Task;
      at = child;
    }
    tasks[at] = last;
  }
}

function isEarlier(a: Task, b: Task): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
