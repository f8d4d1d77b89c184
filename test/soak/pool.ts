import { Worker } from 'node:worker_threads';
import type { ShapeName } from './draw.js';
import { addTotals, noTotals, type Totals } from './totals.js';
import type { Assignment, Report } from './worker.js';

export interface SoakOptions {
  readonly from: number;
  readonly seeds: number;
  readonly shape: ShapeName;
  /** Workers at a time. */
  readonly jobs: number;
  /** Stop after so long, ms. */
  readonly limitMs: number;
  /** Stop at the first failure. */
  readonly stopAtFailure: boolean;
  readonly shrinking: boolean;
  progress(totals: Totals, seconds: number): void;
}

export interface Failure {
  readonly seed: number;
  readonly broken: string;
  readonly history: string;
}

export interface SoakResult {
  readonly totals: Totals;
  readonly seconds: number;
  readonly failures: readonly Failure[];
}

/** Runs seeds on several cores. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { from, seeds, jobs, shape, shrinking } = options;
  const started = Date.now();
  const seconds = () => (Date.now() - started) / 1000;
  const totals = noTotals();
  const failures: Failure[] = [];
  const workers = Array.from({ length: Math.min(jobs, seeds) }, (_, i) => {
    const workerData: Assignment = { from: from + i, to: from + seeds - 1, stride: jobs, shape, shrinking };
    return new Worker(new URL('./worker.js', import.meta.url), { workerData });
  });
  const stop = () => Promise.all(workers.map((worker) => worker.terminate()));
  const timer = setTimeout(() => void stop(), Math.min(options.limitMs, 2 ** 31 - 1));
  try {
    await Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((resolve, reject) => {
            worker.on('message', (report: Report) => {
              if (report.what === 'totals') {
                addTotals(totals, report.totals);
                options.progress(totals, seconds());
                return;
              }
              failures.push(report);
              if (options.stopAtFailure) void stop();
            });
            worker.on('error', reject);
            worker.on('exit', () => resolve());
          }),
      ),
    );
  } finally {
    clearTimeout(timer);
    await stop();
  }
  return { totals, seconds: seconds(), failures };
}
