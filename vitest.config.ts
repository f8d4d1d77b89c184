import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const CI = process.env.CI === 'true';

/** What takes longest. Whoever of these began late would end alone, with every other core idle. */
const LONGEST = [
  'bench/bench',
  'cli/doctor',
  'e2e/killed',
  'bridges/nats/cluster',
  'soak/soak',
  'bridges/real/killed-mqtt',
  'firmware/compile',
  'bridges/real/killed-nats',
  'board/board',
].map((name) => `/test/${name}.test.ts`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return index < 0 ? LONGEST.length : index;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Whole systems run in these tests, on machines that may be busy with others.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A third of the time passes in waiting, for processes, brokers and deadlines: others use it.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    reporters: CI ? ['default', 'json'] : ['default'],
    outputFile: { json: 'build/test-report.json' },
  },
});
