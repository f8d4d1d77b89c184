import type { Clock } from '../../src/clock.js';
import type { Backend, Change, Entry, Range } from '../../src/store/backend.js';
import { type Contents, ContentsReader } from '../../src/store/contents.js';
import { FORMAT } from '../../src/store/records.js';
import { seal } from '../../src/store/seal.js';
import type { Random } from './random.js';

/** How soon a disk that was stuck is found to be well, ms. */
const STUCK_MS = 10;

/** A disk: what survives the process. */
export class Disk {
  readonly records = new Map<string, Uint8Array>([[FORMAT.key, seal(FORMAT.key, FORMAT.value)]]);

  /** It does not answer. */
  stuck = false;
  /** Hears of every write as it begins: when its records were made. */
  begun: (changes: readonly Change[]) => void = () => undefined;

  apply(changes: readonly Change[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.records.delete(key);
      else this.records.set(key, value);
    }
  }

  range({ first, last, records, bytes }: Range): Entry[] {
    const found = [...this.records].filter(([key]) => key >= first && key <= last);
    found.sort(([a], [b]) => (a < b ? -1 : 1));
    let read = 0;
    const wanted: Entry[] = [];
    for (const entry of found) {
      if (wanted.length === records || read > bytes) break;
      wanted.push(entry);
      read += entry[1].length;
    }
    return wanted;
  }

  read(): Contents {
    const reader = new ContentsReader();
    for (const [key, value] of [...this.records].sort(([a], [b]) => (a < b ? -1 : 1))) reader.add(key, value);
    return reader.contents();
  }
}

/** A store's backend in virtual time: each write takes 0 to `maxCommitMs`, and the process can end in the middle of it. */
export class MemoryBackend implements Backend {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #maxCommitMs: number;
  #writing: readonly Change[] | undefined;
  #killed = false;
  writes = 0;

  constructor(disk: Disk, clock: Clock, random: Random, maxCommitMs: number) {
    this.#disk = disk;
    this.#clock = clock;
    this.#random = random;
    this.#maxCommitMs = maxCommitMs;
  }

  write(changes: readonly Change[], done: (error?: unknown) => void): void {
    if (this.#killed) return;
    this.writes++;
    this.#disk.begun(changes);
    this.#writing = changes;
    const finish = (): void => {
      if (this.#killed) return;
      if (this.#disk.stuck) return void this.#clock.schedule(STUCK_MS, finish);
      this.#disk.apply(changes);
      this.#writing = undefined;
      done();
    };
    this.#clock.schedule(this.#random.next() * this.#maxCommitMs, finish);
  }

  read(range: Range, done: (error: unknown, records: readonly Entry[]) => void): void {
    this.#clock.schedule(this.#random.next() * this.#maxCommitMs, () => {
      if (!this.#killed) done(undefined, this.#disk.range(range));
    });
  }

  /** The process ends: a write under way is on the disk, or not at all. */
  kill(): void {
    if (this.#killed) return;
    if (this.#writing && this.#random.chance(0.5)) this.#disk.apply(this.#writing);
    this.#killed = true;
  }

  async close(): Promise<void> {
    this.kill();
  }
}
