import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import type { RowResult } from './result.js';
import { ROWS } from './rows/index.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BENCH = join(ROOT, 'build/bench/test/bench/cli.js');

interface Run {
  readonly code: number;
  readonly output: string;
}

function run(...command: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: ROOT, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr });
    });
  });
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-bench-test-'));
  expect(await run('node_modules/typescript/bin/tsc', '--project', 'test/bench')).toMatchObject({ code: 0 });
}, 120_000);
afterAll(() => rm(folder, { recursive: true }));

describeWithTools(['gcc', 'socat'], 'the benchmark, in miniature', () => {
  test('measures every row, and writes one object for each', { timeout: 900_000 }, async () => {
    const json = join(folder, 'results.json');
    const svg = join(folder, 'results.svg');
    const { code, output } = await run(BENCH, '--smoke', '--json', json, '--svg', svg);
    expect(output).not.toContain('FAILED');
    expect(code).toBe(0);
    const results = JSON.parse(await readFile(json, 'utf8')) as RowResult[];
    expect(results.map(({ name }) => name)).toEqual(ROWS.map(({ name }) => name));
    for (const result of results) {
      expect(result.ours, result.name).toBeGreaterThanOrEqual(0);
      expect(Object.keys(result.ratios), result.name).toEqual(Object.keys(result.peers));
      for (const [peer, ratio] of Object.entries(result.ratios))
        expect(ratio, `${result.name}: ${peer}`).toBeCloseTo(result.ours / (result.peers[peer] as number));
      expect([true, false, null], result.name).toContain(result.met);
      expect(result.target, result.name).toBe(Object.keys(result.verdicts).join('; '));
    }
    expect(await readFile(svg, 'utf8')).toContain('tcp-1-100');
  });
});

describe('the benchmark fails loudly on a gateway that', () => {
  test.each([
    ['drops messages', 'forgetful', /came where|never came whole/],
    ['changes a bit', 'careless', /FAILED tcp-1-1: slipway: /],
    ['says something twice', 'stammering', /came where/],
  ])('%s', { timeout: 120_000 }, async (_, kind, complaint) => {
    const gateway = join(ROOT, `test/bench/fixtures/${kind}-gateway.mjs`);
    const { code, output } = await run(BENCH, '--smoke', '--only', 'tcp-1-1', '--gateway', gateway);
    expect(output).toMatch(complaint);
    expect(output).toContain('FAILED tcp-1-1: slipway: ');
    expect(code).toBe(1);
  });
});
