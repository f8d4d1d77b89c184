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

describeWithTools(['gcc'], 'the C client under the sanitizers', () => {
  it('takes noise, damaged packets and hostile ones, and comes back to a session', {
    timeout: 120_000,
  }, () => {
    const program = buildNative('fuzz.c', SANITIZED);
    const seed = process.env.SLIPWAY_SEED ?? String(Date.now() % 1_000_000);
    console.log(`SLIPWAY_SEED=${seed}`);
    const output = execFileSync(program, [seed, '2000'], { encoding: 'utf8' });
    expect(output).toMatch(/^[1-9]\d* messages$/m);
  });
});
