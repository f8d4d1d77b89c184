import { drawScenario, SHORT } from './draw.js';
import { runScenario } from './run.js';

/** What became of a mutant: the first seed that fails on it, if any, and what was found. */
export interface Catch {
  readonly seed: number;
  readonly broken: string;
}

/** Runs seeds from 1 on until one fails, `process.argv[2]` at most; prints a Catch, or null. */
function find(): Catch | null {
  const most = Number(process.argv[2]);
  for (let seed = 1; seed <= most; seed++) {
    const [first] = runScenario(drawScenario(seed, SHORT)).violations;
    if (first) return { seed, broken: first.what };
  }
  return null;
}

console.log(JSON.stringify(find()));
