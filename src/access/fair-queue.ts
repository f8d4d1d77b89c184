import { Queue } from '../session/queue.js';

export interface FairQueueLimits {
  /** How many tasks run at once. */
  readonly atOnce: number;
  /** How many may wait, in all and of one party. */
  readonly waiting: number;
  readonly waitingPerParty: number;
}

type Task = () => Promise<void>;

/** Runs what takes long, a few at a time; the parties that wait take turns, so that none keeps the others from theirs. */
export class FairQueue {
  readonly #limits: FairQueueLimits;
  readonly #waiting = new Map<string, Queue<Task>>();
  #waitingCount = 0;
  #running = 0;

  constructor(limits: FairQueueLimits) {
    this.#limits = limits;
  }

  /** Runs `task` in its turn, perhaps at once. Undefined if too many wait already. */
  run<T>(party: string, task: () => Promise<T>): Promise<T> | undefined {
    const own = this.#waiting.get(party) ?? new Queue<Task>();
    const { waiting, waitingPerParty } = this.#limits;
    if (this.#waitingCount >= waiting || own.length >= waitingPerParty) return undefined;
    return new Promise((resolve, reject) => {
      own.push(() => task().then(resolve, reject));
      this.#waiting.set(party, own);
      this.#waitingCount += 1;
      this.#next();
    });
  }

  #next(): void {
    if (this.#running >= this.#limits.atOnce) return;
    for (const [party, tasks] of this.#waiting) {
      // To the end of the line, if it has more.
      this.#waiting.delete(party);
      const task = tasks.shift();
      if (tasks.length > 0) this.#waiting.set(party, tasks);
      if (!task) continue;
      this.#waitingCount -= 1;
      this.#running += 1;
      void task().finally(() => {
        this.#running -= 1;
        this.#next();
      });
      return;
    }
  }
}
