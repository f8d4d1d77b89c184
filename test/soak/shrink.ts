import type { PacketFault } from './fault-plan.js';
import { type RunResult, runScenario } from './run.js';
import type { Scenario, Step } from './scenario.js';

/** More runs than this, and more time (ms, real), are not spent on making a history shorter. */
const MAX_RUNS = 3000;
const MAX_MS = 120_000;

/** The least of a failing scenario that still fails, and how it does. */
export interface Shrunk {
  readonly scenario: Scenario;
  readonly result: RunResult;
  readonly runs: number;
}

/**
 * Leaves out of a failing scenario what it can do without: boards, steps, packet faults, wishes; by halves, then by less
 * (delta debugging). A run counts as the same failure when its first violation is of the same kind.
 */
export function shrink(scenario: Scenario): Shrunk {
  const first = runScenario(scenario);
  const kind = kindOf(first);
  let best: { scenario: Scenario; result: RunResult } = {
    scenario: { ...scenario, packetFaults: first.packetFaults },
    result: first,
  };
  let runs = 0;
  const endsAt = Date.now() + MAX_MS;
  const attempt = (candidate: Scenario): boolean => {
    if (runs >= MAX_RUNS || Date.now() > endsAt) return false;
    runs++;
    const result = runScenario(candidate);
    if (result.violations.length === 0 || kindOf(result) !== kind) return false;
    best = { scenario: candidate, result };
    return true;
  };
  // The faults are written down as they were drawn: with them the failure is the same, or it cannot be made shorter.
  if (!attempt(best.scenario)) return { scenario, result: first, runs };
  let size: number;
  do {
    size = sizeOf(best.scenario);
    reduce(
      () => best.scenario.boards,
      (boards) => attempt(withBoards(best.scenario, new Set(boards.map(({ name }) => name)))),
    );
    reduce<Step>(
      () => best.scenario.steps,
      (steps) => attempt({ ...best.scenario, steps }),
    );
    reduce<PacketFault>(
      () => best.scenario.packetFaults ?? [],
      (packetFaults) => attempt({ ...best.scenario, packetFaults }),
    );
    for (const step of best.scenario.steps) {
      if (step.what === 'emit' && step.count > 1)
        reduce(
          () => Array.from({ length: countOf(best.scenario, step) }, (_, i) => i),
          (kept) => kept.length > 0 && attempt(withCount(best.scenario, step, kept.length)),
        );
    }
    for (const { name } of best.scenario.boards) {
      reduce(
        () => best.scenario.boards.find((board) => board.name === name)?.wishes ?? [],
        (wishes) =>
          attempt({
            ...best.scenario,
            boards: best.scenario.boards.map((board) => (board.name === name ? { ...board, wishes } : board)),
          }),
      );
    }
  } while (sizeOf(best.scenario) < size && runs < MAX_RUNS);
  attempt({ ...best.scenario, endsAt: best.scenario.steps.at(-1)?.at ?? 0 });
  return { ...best, result: runScenario(best.scenario, true), runs };
}

/** What went wrong, without the names of who and what. */
function kindOf({ violations }: RunResult): string {
  return (violations[0]?.what ?? '').replace(/\b[bv]\d+(\.\w+)*\b|\d+|x+/g, '').slice(0, 60);
}

function sizeOf({ boards, steps, packetFaults = [] }: Scenario): number {
  const wishes = boards.reduce((sum, board) => sum + board.wishes.length, 0);
  return boards.length + steps.length + packetFaults.length + wishes;
}

function withBoards(scenario: Scenario, names: ReadonlySet<string>): Scenario {
  return {
    ...scenario,
    boards: scenario.boards.filter(({ name }) => names.has(name)),
    steps: scenario.steps.filter((step) => !('board' in step) || names.has(step.board)),
  };
}

function countOf({ steps }: Scenario, step: Step): number {
  const now = steps.find((one) => one.at === step.at && one.what === 'emit');
  return now?.what === 'emit' ? now.count : 0;
}

function withCount(scenario: Scenario, step: Step, count: number): Scenario {
  const steps = scenario.steps.map((one) =>
    one.what === 'emit' && one.at === step.at ? { ...one, count } : one,
  );
  return { ...scenario, steps };
}

/** Tries to leave out parts of a list, large ones first. `attempt` says whether the rest still fails. */
function reduce<T>(current: () => readonly T[], attempt: (rest: readonly T[]) => boolean): void {
  for (let part = Math.ceil(current().length / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
    for (let at = 0; at < current().length; ) {
      const items = current();
      const rest = [...items.slice(0, at), ...items.slice(at + part)];
      if (!attempt(rest)) at += part;
    }
  }
}
