import { Random } from '../support/random.js';
import type { Coverage } from './coverage.js';
import { toHex } from './inputs.js';
import { minimize, mutate } from './mutate.js';
import type { Target } from './target.js';

/** Looking at what ran costs V8 milliseconds, however little it was: it is done for many inputs together. */
const BATCH = { least: 16, most: 1024 };
/** One input in so many is taken from anywhere; the others build on what was found last. */
const ANY = 3;

/** An input that breaks a promise, made as small as it gets. */
export class Finding extends Error {
  readonly input: Uint8Array;

  constructor(target: Target, input: Uint8Array, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(
      `${target.name}: ${why}\nreplay: npm run fuzz -- --target ${target.name} --replay ${toHex(input)}`,
      { cause },
    );
    this.name = 'Finding';
    this.input = input;
  }
}

/**
 * Mutates inputs, keeps those that reach something new, and goes on from them. With `coverage`, new is a block of code that
 * has not run before; without, what the target itself marks.
 */
export class Fuzzer {
  readonly corpus: Uint8Array[] = [];
  runs = 0;
  readonly #target: Target;
  readonly #random: Random;
  readonly #coverage: Coverage | undefined;
  readonly #marks = new Set<string>();
  #batch = BATCH.least;

  constructor(target: Target, seed: number, coverage?: Coverage) {
    this.#target = target;
    this.#random = new Random(seed);
    this.#coverage = coverage;
    coverage?.take();
  }

  /** Characters of code, and marks. */
  get reached(): string {
    return `${this.#coverage?.characters ?? 0} characters of code, ${this.#marks.size} marks`;
  }

  /** Runs inputs that are known, and keeps all of them. @throws Finding */
  begin(inputs: readonly Uint8Array[]): void {
    for (const input of inputs) {
      this.#keepIfNew(input);
      this.corpus.push(input);
    }
  }

  /** Runs a batch of new inputs, made of the corpus. `before` is told them. @throws Finding */
  step(before?: (inputs: readonly Uint8Array[]) => void): void {
    const inputs = Array.from({ length: this.#batch }, () => this.#variant());
    before?.(inputs);
    const { length } = this.corpus;
    this.#runTogether(inputs);
    const { least, most } = BATCH;
    this.#batch =
      this.corpus.length > length ? Math.max(least, this.#batch >> 1) : Math.min(most, this.#batch * 2);
  }

  /** Where all together reach new code, each half of them is looked at. */
  #runTogether(inputs: readonly Uint8Array[]): void {
    const marked = inputs.filter((input) => this.#marksAnew(this.#run(input)));
    const ran = this.#coverage?.take();
    const hasNew = ran !== undefined && this.#coverage?.hasNew(ran) === true;
    if (!hasNew) this.corpus.push(...marked);
    else if (inputs.length > 1) {
      const middle = inputs.length >> 1;
      this.#runTogether(inputs.slice(0, middle));
      this.#runTogether(inputs.slice(middle));
      this.corpus.push(...marked.filter((input) => !this.corpus.includes(input)));
    } else {
      this.#coverage?.note(ran);
      this.corpus.push(...inputs);
    }
  }

  /** Few of `inputs` that reach all that all of them reach, short ones first. @throws Finding */
  least(inputs: readonly Uint8Array[]): Uint8Array[] {
    return [...inputs].sort((a, b) => a.length - b.length).filter((input) => this.#keepIfNew(input));
  }

  #variant(): Uint8Array {
    const { corpus } = this;
    const { maxBytes, dictionary } = this.#target;
    const recent = Math.max(1, Math.ceil(corpus.length / 4));
    const at =
      this.#random.below(ANY) === 0
        ? this.#random.below(corpus.length)
        : corpus.length - 1 - this.#random.below(recent);
    const input = corpus[at] ?? new Uint8Array();
    return mutate(input, { random: this.#random, corpus, dictionary, maxBytes });
  }

  /** Whether it reached what nothing before it did. */
  #keepIfNew(input: Uint8Array): boolean {
    const marked = this.#marksAnew(this.#run(input));
    return this.#coverage?.note(this.#coverage.take()) === true || marked;
  }

  #marksAnew(marks: readonly string[]): boolean {
    const before = this.#marks.size;
    for (const mark of marks) this.#marks.add(mark);
    return this.#marks.size > before;
  }

  #run(input: Uint8Array): string[] {
    this.runs++;
    try {
      return [...this.#target.run(input)];
    } catch (error) {
      const smallest = minimize(input, (candidate) => this.#fault(candidate) !== undefined);
      throw new Finding(this.#target, smallest, this.#fault(smallest) ?? error);
    }
  }

  #fault(input: Uint8Array): unknown {
    try {
      this.#target.run(input);
      return undefined;
    } catch (error) {
      return error;
    }
  }
}
