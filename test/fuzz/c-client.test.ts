import { expect, it } from 'vitest';
import { describeUnlessMissing } from '../support/tools.js';
import { C_TARGETS, fuzzC, missingForLibFuzzer } from './c-target.js';
import { knownInputs } from './inputs.js';

const RUNS = 4000;
const SEED = Number(process.env.SEED ?? 1);

describeUnlessMissing(missingForLibFuzzer(), `the C client under libFuzzer (SEED=${SEED})`, () => {
  for (const target of Object.keys(C_TARGETS)) {
    it(`${target} holds for all that is known, and what comes of it`, { timeout: 240_000 }, async () => {
      const known = knownInputs(target).length;
      expect(known).toBeGreaterThan(50);
      // Fails with what was broken, and how to replay it.
      const corpus = await fuzzC(target, { runs: known + RUNS, seed: SEED });
      expect(corpus.length).toBeGreaterThanOrEqual(known);
    });
  }
});
