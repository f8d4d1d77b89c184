import { describe, expect, it } from 'vitest';
import { describeUnlessMissing } from '../support/tools.js';
import { Finding, Fuzzer } from './fuzzer.js';
import { knownInputs } from './inputs.js';
import { must, type Target } from './target.js';
import { TARGETS } from './targets/index.js';

/** Virtual systems take a millisecond each, decoders microseconds. */
const RUNS: Readonly<Record<string, number>> = { gateway: 200, peer: 200, decoders: 400, config: 200 };
const OTHER_RUNS = 2000;
const SEED = Number(process.env.SEED ?? 1);

for (const target of TARGETS) {
  describeUnlessMissing(target.missing?.(), `the fuzz target ${target.name} (SEED=${SEED})`, () => {
    it('holds for all that is known, and what comes of it', { timeout: 120_000 }, () => {
      const fuzzer = new Fuzzer(target, SEED);
      const known = [...target.seeds(), ...knownInputs(target.name)];
      // Fails with what was broken, and how to replay it.
      fuzzer.begin(known);
      const runs = known.length + (RUNS[target.name] ?? OTHER_RUNS);
      while (fuzzer.runs < runs) fuzzer.step();
      expect(fuzzer.runs).toBeGreaterThanOrEqual(runs);
    });
  });
}

describe('the fuzzer', () => {
  const target = (breaks: (input: Uint8Array) => boolean): Target => ({
    name: 'example',
    maxBytes: 40,
    dictionary: [Uint8Array.of(0xca, 0xfe)],
    seeds: () => [new Uint8Array(20)],
    run: (input) => {
      must(!breaks(input), 'never that');
      // As covered code would, this tells how near it is.
      return Array.from(input, (byte, at) => (at < 3 ? `${at}:${byte >> 4}` : ''));
    },
  });

  it('finds its way by what inputs reach, and makes what it finds small', () => {
    const fuzzer = new Fuzzer(
      target(([a = 0, b = 0, c = 0, ...rest]) => a >= 0xc0 && b >= 0xd0 && c >= 0xe0 && rest.includes(0xfe)),
      SEED,
    );
    fuzzer.begin([new Uint8Array(20)]);
    const found = () => {
      for (let i = 0; i < 2000; i++) fuzzer.step();
    };
    expect(found).toThrow(Finding);
    expect(found).toThrow(
      /never that\nreplay: npm run fuzz -- --target example --replay [c-f].[d-f].[ef].fe$/,
    );
  });

  it('goes the same way for the same seed', () => {
    const ways = [1, 1, 2].map((seed) => {
      const inputs: string[] = [];
      const fuzzer = new Fuzzer(
        target(() => false),
        seed,
      );
      fuzzer.begin([new Uint8Array(20)]);
      for (let i = 0; i < 5; i++) fuzzer.step((batch) => void inputs.push(...batch.map(String)));
      return inputs.join('\n');
    });
    expect(ways[0]).toBe(ways[1]);
    expect(ways[0]).not.toBe(ways[2]);
  });
});
