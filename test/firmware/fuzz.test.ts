import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { buildNative } from './build.js';

const SANITIZED = [
  '-std=c99',
  '-g',
  '-O1',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
];

const SMALLEST = [
  '-DSLIPWAY_WITH_RELIABLE=0',
  '-DSLIPWAY_WITH_DATAGRAM=0',
  '-DSLIPWAY_WITH_STREAM=0',
  '-DSLIPWAY_WITH_PATTERNS=0',
  '-DSLIPWAY_WITH_NAMES=0',
  '-DSLIPWAY_WITH_EVENTS=0',
  '-DSLIPWAY_TRUSTING=1',
  '-DSLIPWAY_MAX_PACKET=255',
];

describeWithTools(['gcc'], 'the C client under the sanitizers', () => {
  for (const [build, options] of [
    ['with everything', []],
    ['in its smallest build', SMALLEST],
  ] as const) {
    it(`takes noise, damaged packets and hostile ones, and comes back to a session, ${build}`, {
      timeout: 120_000,
    }, () => {
      const program = buildNative('fuzz.c', [...SANITIZED, ...options]);
      const seed = process.env.SLIPWAY_SEED ?? String(Date.now() % 1_000_000);
      console.log(`SLIPWAY_SEED=${seed}`);
      const output = execFileSync(program, [seed, '2000'], { encoding: 'utf8' });
      expect(output).toMatch(/^[1-9]\d* messages$/m);
    });
  }
});
