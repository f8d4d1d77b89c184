/** Something to be kept under a key, or no longer. Keys are printable names, at most a few hundred bytes. */
export interface Change {
  readonly key: string;
  /** Undefined removes the key. */
  readonly value: Uint8Array | undefined;
}

/** A record: its key, and what is kept under that. */
export type Entry = readonly [key: string, value: Uint8Array];

/** A part of the records: all whose keys are `first`, `last` or between, at most so many records, and hardly more than so many bytes. */
export interface Range {
  readonly first: string;
  readonly last: string;
  readonly records: number;
  readonly bytes: number;
}

/** Where a store keeps its records: a map on a disk, or one that a test can cut off at any moment. */
export interface Backend {
  /**
   * Calls `done` when all of the changes will survive a power cut. If the process ends before, all of them do or none.
   * With an error, calling it again with the same changes is safe. One call at a time.
   */
  write(changes: readonly Change[], done: (error?: unknown) => void): void;
  /**
   * Calls `done` with what is there of a range, in order of key: at least one record if there is one. What a write holds that is not
   * done yet may be among it or not.
   */
  read(range: Range, done: (error: unknown, records: readonly Entry[]) => void): void;
  close(): Promise<void>;
}
