import type { RefusalReason } from '../upstream.js';
import { MAX_SUBJECT_BYTES, toKey, toSubject } from './subjects.js';

/** Names whose subjects are remembered. */
const REMEMBERED = 10_000;

/** Subjects of so many characters, and the keys for them, are not too long: a character takes 12 bytes at most. */
const SURELY_SHORT = MAX_SUBJECT_BYTES / 16;

/** How names are spelt for the server that is connected. */
export class Spelling {
  /** Of the subjects of the bucket for last values; undefined where there is none. */
  readonly bucketPrefix: string | undefined;
  readonly #mostBytes: () => number;
  readonly #subjects = new Map<string, string>();

  /** `bucket`: for last values, if there is one; `mostBytes`: what the server takes in a message, which it may change at any time. */
  constructor(bucket: string | undefined, mostBytes: () => number) {
    this.bucketPrefix = bucket === undefined ? undefined : `$KV.${bucket}.`;
    this.#mostBytes = mostBytes;
  }

  of(name: string): string {
    let subject = this.#subjects.get(name);
    if (subject === undefined) {
      subject = toSubject(name);
      // It is not sent, and there may be many as long.
      if (subject.length > MAX_SUBJECT_BYTES) return subject;
      if (this.#subjects.size >= REMEMBERED) this.#subjects.clear();
      this.#subjects.set(name, subject);
    }
    return subject;
  }

  /** Where the last value of a subject is kept, if it is. */
  key(subject: string): string | undefined {
    return this.bucketPrefix === undefined ? undefined : this.bucketPrefix + toKey(subject);
  }

  /** Why the server would not take so many bytes, headers included, on that subject. */
  problem(subject: string, bytes: number): readonly [RefusalReason, string] | undefined {
    if (subject.length > SURELY_SHORT) {
      const length = Buffer.byteLength(this.key(subject) ?? subject);
      if (length > MAX_SUBJECT_BYTES)
        return [
          'bad_name',
          `its subject has ${length} bytes, and ${MAX_SUBJECT_BYTES} are the most that pass`,
        ];
    }
    const most = this.#mostBytes();
    if (bytes <= most) return undefined;
    return [
      'too_large',
      `it has ${bytes} bytes with its headers, and the server takes ${most} (max_payload)`,
    ];
  }
}
