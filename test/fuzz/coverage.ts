import { type Profiler, Session } from 'node:inspector';

/** Which blocks of the code under test have run so far, by V8's own block coverage. */
export class Coverage {
  readonly #session = new Session();
  readonly #isUnderTest: (url: string) => boolean;
  readonly #seen = new Set<string>();

  /** `isUnderTest`: whether a script, by its URL, is looked at. */
  constructor(isUnderTest: (url: string) => boolean) {
    this.#isUnderTest = isUnderTest;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** How many blocks have run at all. */
  get blocks(): number {
    return this.#seen.size;
  }

  /** The blocks that ran since the last call. */
  take(): string[] {
    const blocks: string[] = [];
    // In the same thread the answer comes before `post` returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error;
      for (const script of answer.result) if (this.#isUnderTest(script.url)) blocksOf(script, blocks);
    });
    return blocks;
  }

  /** Notes blocks as seen; returns how many were new. */
  note(blocks: readonly string[]): number {
    const before = this.#seen.size;
    for (const block of blocks) this.#seen.add(block);
    return this.#seen.size - before;
  }

  stop(): void {
    this.#session.disconnect();
  }
}

function blocksOf({ scriptId, functions }: Profiler.ScriptCoverage, into: string[]): void {
  for (const { ranges } of functions) {
    for (const { startOffset, endOffset, count } of ranges) {
      if (count > 0) into.push(`${scriptId}:${startOffset}:${endOffset}`);
    }
  }
}
