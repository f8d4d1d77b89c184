/** Something to fuzz, in TypeScript. */
export interface Target {
  readonly name: string;
  /** What it needs and is not installed, if anything. */
  missing?(): string | undefined;
  /** The longest input, bytes. */
  readonly maxBytes: number;
  /** Inputs to begin with. */
  seeds(): Uint8Array[];
  /** What mutations put in now and then. */
  readonly dictionary: readonly Uint8Array[];
  /**
   * Runs one input, always the same way. Returns marks of what it reached, beyond the code that ran.
   * @throws when a promise is broken
   */
  run(input: Uint8Array): Iterable<string>;
}

/** @throws Error when `holds` is false: a promise is broken. */
export function must(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Error(`broken promise: ${promise}`);
}
