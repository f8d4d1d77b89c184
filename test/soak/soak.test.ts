import { expect, test } from 'vitest';
import { forSeeds } from '../support/seeds.js';
import { describeWithTools } from '../support/tools.js';
import { drawScenario, SHORT } from './draw.js';
import { tellHistory } from './history.js';
import { MUTANTS } from './mutants.js';
import { fits, tryMutant } from './mutation.js';
import { runScenario } from './run.js';
import { shrink } from './shrink.js';

const SEEDS = 2000;

describeWithTools(['clang', 'wasm-ld'], 'whole systems on links that lie (npm run soak)', () => {
  test('keep every promise', () => {
    forSeeds(SEEDS, (seed) => {
      const scenario = drawScenario(seed, SHORT);
      if (runScenario(scenario).violations.length === 0) return;
      const shrunk = shrink(scenario);
      throw new Error(tellHistory(shrunk.scenario, shrunk.result));
    });
  }, 900_000);

  // A few of them; `npm run soak -- --mutants` tries them all.
  test.each([
    'the duplicate filter is dropped',
    'packets leave before what they tell is stored',
    'the gateway goes on with the numbering of another boot',
  ])('are seen to break one when %s', { timeout: 300_000 }, async (name) => {
    const mutant = MUTANTS.find((one) => one.name === name);
    if (!mutant) throw new Error(`there is no mutant "${name}"`);
    expect(await tryMutant(mutant, SEEDS)).toMatchObject({ seed: expect.any(Number) });
  });

  test('each mutant fits the code', () => {
    expect(MUTANTS.filter((mutant) => !fits(mutant)).map(({ name }) => name)).toEqual([]);
  });
});
