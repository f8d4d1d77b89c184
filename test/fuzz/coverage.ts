import { type Profiler, Session } from 'node:inspector';

/** What ran of the code under test between two looks: for each function its character ranges, outer before inner. */
export type Ran = ReadonlyMap<string, readonly Profiler.CoverageRange[]>;

/** Which code has run so far, by V8's own block coverage. */
export class Coverage {
  readonly #session = new Session();
  readonly #isUnderTest: (url: string) => boolean;
  /** For each function, which of its characters have run. */
  readonly #seen = new Map<string, Uint8Array>();
  /** Characters of source code that have run. */
  characters = 0;

  /** `isUnderTest`: whether a script, by its URL, is looked at. */
  constructor(isUnderTest: (url: string) => boolean) {
    this.#isUnderTest = isUnderTest;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** What ran since the last call. Takes V8 milliseconds, however little it was. */
  take(): Ran {
    const ran = new Map<string, readonly Profiler.CoverageRange[]>();
    // In the same thread the answer comes before `post` returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error;
      for (const { url, scriptId, functions } of answer.result) {
        if (!this.#isUnderTest(url)) continue;
        for (const { ranges } of functions) {
          const whole = ranges[0];
          if (whole && whole.count > 0)
            ran.set(`${scriptId}:${whole.startOffset}:${whole.endOffset}`, ranges);
        }
      }
    });
    return ran;
  }

  /** Whether something ran that had not been noted before. */
  hasNew(ran: Ran): boolean {
    for (const [name, ranges] of ran) {
      const seen = this.#seen.get(name);
      if (!seen || painted(ranges).some((hit, at) => hit === 1 && seen[at] === 0)) return true;
    }
    return false;
  }

  /** Remembers what ran. Returns whether some of it is new. */
  note(ran: Ran): boolean {
    const before = this.characters;
    for (const [name, ranges] of ran) {
      const hits = painted(ranges);
      const seen = this.#seen.get(name) ?? new Uint8Array(hits.length);
      this.#seen.set(name, seen);
      for (let at = 0; at < hits.length; at++) {
        if (hits[at] === 0 || seen[at] === 1) continue;
        seen[at] = 1;
        this.characters++;
      }
    }
    return this.characters > before;
  }

  stop(): void {
    this.#session.disconnect();
  }
}

/**
 * The characters of a function that ran. The ranges themselves do not compare: V8 leaves out those that ran as often as the
 * one around them.
 */
function painted(ranges: readonly Profiler.CoverageRange[]): Uint8Array {
  const { startOffset: origin, endOffset } = ranges[0] as Profiler.CoverageRange;
  const hits = new Uint8Array(endOffset - origin);
  for (const range of ranges)
    hits.fill(range.count > 0 ? 1 : 0, range.startOffset - origin, range.endOffset - origin);
  return hits;
}
