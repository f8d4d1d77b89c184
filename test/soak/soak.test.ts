import { test } from 'vitest';
import { forSeeds } from '../support/seeds.js';
import { describeWithTools } from '../support/tools.js';
import { drawScenario, SHORT } from './draw.js';
import { tellHistory } from './history.js';
import { runScenario } from './run.js';
import { shrink } from './shrink.js';

describeWithTools(['clang', 'wasm-ld'], 'whole systems on links that lie', () => {
  test('keep every promise', () => {
    forSeeds(2000, (seed) => {
      const scenario = drawScenario(seed, SHORT);
      if (runScenario(scenario).violations.length === 0) return;
      const shrunk = shrink(scenario);
      throw new Error(tellHistory(shrunk.scenario, shrunk.result));
    });
  }, 600_000);
});
