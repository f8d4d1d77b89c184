import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const CI = process.env.CI === 'true';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Whole systems run in these tests, on machines that may be busy with others.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Else one core is left to others: of two, which is what CI has, that is half.
    ...(CI && { maxWorkers: availableParallelism() }),
    reporters: CI ? ['default', 'json'] : ['default'],
    outputFile: { json: 'build/test-report.json' },
  },
});
