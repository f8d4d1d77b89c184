import { reasonOf } from '../../src/errors.js';
import { type Measured, type RowResult, summarize } from './result.js';
import {
  type BenchContext,
  type Contender,
  NotInstalled,
  type Outcome,
  type Row,
  type Running,
} from './row.js';

export interface Plan {
  readonly context: BenchContext;
  /** Of each contender, unless the row says otherwise; a third of them for those that are only reported. */
  readonly rounds: number;
  /** Who is measured. */
  readonly wanted: (contender: Contender, row: Row) => boolean;
  /** 0 for none. */
  readonly warmUpMs: number;
  readonly machine: string;
}

/**
 * Measures a row: starts its contenders, warms each up, and lets them work in turn.
 * @throws BenchFailure when a message was lost, repeated or changed, whoever did it
 */
export async function runRow(row: Row, plan: Plan): Promise<RowResult> {
  const { context, warmUpMs } = plan;
  const rounds = context.smoke ? 1 : (row.rounds ?? plan.rounds);
  const missing: Record<string, string> = {};
  const running: { contender: Contender; running: Running; outcomes: Outcome[] }[] = [];
  const { log } = context;
  try {
    for (const contender of row.contenders) {
      if (!plan.wanted(contender, row)) continue;
      log(`${row.name}: ${contender.name} starts`);
      const started = await startUnlessMissing(contender, context, missing);
      if (!started) continue;
      running.push({ contender, running: started, outcomes: [] });
      if (warmUpMs > 0) await named(contender, started.round(warmUpMs));
    }
    for (let n = 1; n <= rounds; n++) {
      for (const one of running) {
        if (one.contender.role === 'reported' && n > Math.ceil(rounds / 3)) continue;
        const outcome = await named(one.contender, one.running.round(context.roundMs));
        one.outcomes.push(outcome);
        log(
          `${row.name}: round ${n} of ${rounds}: ${one.contender.name} ${outcome.value.toPrecision(4)} ${row.unit}`,
        );
      }
    }
  } finally {
    await Promise.allSettled(running.map((one) => one.running.stop()));
  }
  const measured: Measured[] = running;
  return summarize(row, measured, missing, plan.machine);
}

async function startUnlessMissing(
  contender: Contender,
  context: BenchContext,
  missing: Record<string, string>,
): Promise<Running | undefined> {
  try {
    return await named(contender, contender.start(context));
  } catch (error) {
    const { cause } = error as Error;
    if (!(cause instanceof NotInstalled)) throw error;
    missing[contender.name] = cause.remedy;
    context.log(cause.message);
    return undefined;
  }
}

/** What goes wrong is told with who did it. */
async function named<T>(contender: Contender, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new Error(`${contender.name}: ${reasonOf(error)}`, { cause: error });
  }
}
