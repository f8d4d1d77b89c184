import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { drawScenario, SHAPES, type ShapeName } from './draw.js';
import { tellHistory } from './history.js';
import { runScenario } from './run.js';
import { shrink } from './shrink.js';
import { addRun, noTotals, type Totals } from './totals.js';

/** What a worker is to do: so many seeds from `from` on, each `stride` after the one before. */
export interface Assignment {
  readonly from: number;
  readonly to: number;
  readonly stride: number;
  readonly shape: ShapeName;
  /** Tell how little it takes to fail, instead of only that it does. */
  readonly shrinking: boolean;
}

export type Report =
  | { readonly what: 'totals'; readonly totals: Totals }
  | { readonly what: 'failed'; readonly seed: number; readonly broken: string; readonly history: string };

/** Seeds between two reports. */
const REPORT_EVERY_MS = 1000;

async function work({ from, to, stride, shape, shrinking }: Assignment): Promise<void> {
  const report = (message: Report) => parentPort?.postMessage(message);
  let totals = noTotals();
  let reportedAt = Date.now();
  for (let seed = from; seed <= to; seed += stride) {
    const scenario = drawScenario(seed, SHAPES[shape]);
    const run = runScenario(scenario);
    addRun(totals, run);
    const [first] = run.violations;
    if (first) {
      const shrunk = shrinking ? shrink(scenario) : undefined;
      const history = shrunk ? tellHistory(shrunk.scenario, shrunk.result) : '';
      report({ what: 'failed', seed, broken: first.what, history });
    }
    // What a WebAssembly instance held is given back by the event loop only: without this the memory of each run stays.
    await setImmediate();
    if (Date.now() - reportedAt < REPORT_EVERY_MS && !first) continue;
    report({ what: 'totals', totals });
    totals = noTotals();
    reportedAt = Date.now();
  }
  report({ what: 'totals', totals });
}

await work(workerData as Assignment);
