/** Something to be kept under a key, or no longer. Keys are printable names, at most a few hundred bytes. */
export interface Change {
  readonly key: string;
  /** Undefined removes the key. */
  readonly value: Uint8Array | undefined;
}

/** Where a store keeps its records: a map on a disk, or one that a test can cut off at any moment. */
export interface Backend {
  /**
   * Calls `done` when all of the changes will survive a power cut. If the process ends before, all of them do or none.
   * With an error, calling it again with the same changes is safe. One call at a time.
   */
  write(changes: readonly Change[], done: (error?: unknown) => void): void;
  close(): Promise<void>;
}
