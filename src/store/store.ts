import type { Logger } from 'pino';
import type { Cancel, Clock } from '../clock.js';
import { reasonOf } from '../errors.js';
import { Queue } from '../session/queue.js';
import type { Backend, Change, Range } from './backend.js';
import { keys, writeTime } from './records.js';
import { seal, unseal } from './seal.js';

/** What nobody waits for is written at the latest after this, ms: a value that changes ten times a second is written once. */
const LAZY_MS = 1000;
/** What a record takes in memory besides its key and value, bytes. */
const RECORD_BYTES = 64;
/** At least this often what the time is is written, ms: a crash gives back no more of what sessions have to come back. */
const KEEP_TIME_MS = 60_000;
/** After a write or read that failed, ms. */
const RETRY_MS = 1000;

/** Something whose record is made when the batch is closed, however often it changed until then. */
export interface Recorded {
  record(): void;
}

export interface StoreOptions {
  /** With so many bytes not yet written the store is `full`; never if left out. */
  readonly maxBacklog?: number | undefined;
  /** What the time was when it was written last, ms of the store's own clock; the time of day if left out. */
  readonly time?: number | undefined;
}

/**
 * Collects changes into batches and commits each as one (PROTOCOL.md §5.1). All that changes in one turn of the event
 * loop is in one batch: the records are consistent whenever the process ends. While one batch is being written, the next
 * collects: however slow the disk is, a commit serves everyone who waits.
 */
export class Store {
  readonly #backend: Backend;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #maxBacklog: number;
  /** Between the process's clock and the store's. */
  readonly #offset: number;
  #changes = new Map<string, Uint8Array | undefined>();
  /** Of what has changed, and of what is being written. */
  #bytes = 0;
  #writingBytes = 0;
  readonly #changed = new Set<Recorded>();
  readonly #waiting = new Queue<{ batch: number; task: () => void }>();
  #batch = 1;
  #committed = 0;
  #writing = false;
  #failing = false;
  #failingToRead = false;
  readonly #rereads: (() => void)[] = [];
  #reread: Cancel | undefined;
  #closed = false;
  #lazily: Cancel | undefined;
  #soon: Cancel | undefined;
  #retry: Cancel | undefined;
  #timekeeping: Cancel | undefined;

  constructor(
    backend: Backend,
    clock: Clock,
    logger: Logger,
    { maxBacklog = Number.POSITIVE_INFINITY, time = clock.wallTime() }: StoreOptions = {},
  ) {
    this.#backend = backend;
    this.#clock = clock;
    this.#logger = logger;
    this.#maxBacklog = maxBacklog;
    this.#offset = time - clock.now();
    this.#keepTime();
  }

  /**
   * The time on the store's own clock, ms, now or when the process's clock shows `at`. It stands still while the gateway does
   * not run, and nobody sets it: whatever happens to the time of day, nothing that is kept gets old by that.
   */
  time(at: number = this.#clock.now()): number {
    return at + this.#offset;
  }

  /** The number of the batch that holds what changes now; they count up. */
  get batch(): number {
    return this.#batch;
  }

  /** The last batch in which something changed until now. */
  get lastChange(): number {
    return this.#changes.size === 0 && this.#changed.size === 0 ? this.#batch - 1 : this.#batch;
  }

  /** The last batch that will survive a power cut. */
  get committed(): number {
    return this.#committed;
  }

  /** Whether the last write failed, and nothing can be committed until one succeeds. */
  get failing(): boolean {
    return this.#failing;
  }

  /**
   * Whether so much waits to be written that there should not be more. What is bounded otherwise (by windows and queues) is
   * taken all the same.
   */
  get full(): boolean {
    return this.#bytes + this.#writingBytes > this.#maxBacklog;
  }

  put(key: string, value: Uint8Array): void {
    this.#change(key, seal(key, value));
  }

  delete(key: string): void {
    this.#change(key, undefined);
  }

  /** Has `record` called before this batch is closed. */
  changed(recorded: Recorded): void {
    this.#changed.add(recorded);
    this.#commitLazily();
  }

  /** `recorded` has nothing more to record. */
  forget(recorded: Recorded): void {
    this.#changed.delete(recorded);
  }

  /** Runs `task` as soon as `batch` is committed, after those that were given before; at once if it is. */
  after(batch: number, task: () => void): void {
    if (batch <= this.#committed) return task();
    this.#waiting.push({ batch, task });
    this.#commitSoon();
  }

  /** Runs `task` as soon as all that has changed until now is committed; at once if it is. */
  settled(task: () => void): void {
    this.after(this.lastChange, task);
  }

  /**
   * Reads records that are committed, in order of key: at least one if the range holds any. What changed since may be among them as it
   * was or as it is. The value of one that is damaged is undefined. While the disk cannot be read it is tried again; after `close`
   * nobody is told any more.
   */
  read(
    range: Range,
    done: (records: readonly (readonly [key: string, value: Uint8Array | undefined])[]) => void,
  ): void {
    this.#backend.read(range, (error, sealed) => {
      if (this.#closed) return;
      if (error !== undefined) return this.#readFailed(error, () => this.read(range, done));
      this.#failingToRead = false;
      done(sealed.map(([key, value]) => [key, unsealed(key, value)]));
    });
  }

  /** Writes no more, and closes the backend. What is not committed by then is lost: see `settled`. */
  close(): Promise<void> {
    for (const cancel of [this.#lazily, this.#soon, this.#retry, this.#reread, this.#timekeeping]) cancel?.();
    this.#closed = true;
    return this.#backend.close();
  }

  #change(key: string, value: Uint8Array | undefined): void {
    const before = this.#changes.get(key);
    const known = this.#changes.size;
    this.#changes.set(key, value);
    this.#bytes += (value?.length ?? 0) - (before?.length ?? 0);
    if (this.#changes.size > known) this.#bytes += key.length + RECORD_BYTES;
    this.#commitLazily();
  }

  #commitLazily(): void {
    this.#lazily ??= this.#clock.schedule(LAZY_MS, () => this.#commitSoon());
  }

  #keepTime(): void {
    this.#timekeeping = this.#clock.schedule(KEEP_TIME_MS, () => {
      this.#commitSoon();
      this.#keepTime();
    });
  }

  /** At the end of this turn, so that what belongs together is together; or when the write under way is done. */
  #commitSoon(): void {
    if (this.#writing || this.#soon || this.#closed) return;
    this.#soon = this.#clock.yield(() => {
      this.#soon = undefined;
      this.#commit();
    });
  }

  #commit(): void {
    for (const recorded of this.#changed) recorded.record();
    this.#changed.clear();
    this.#changes.set(keys.time, seal(keys.time, writeTime(this.time())));
    // Only now: what was recorded just now needs no commit of its own.
    this.#lazily?.();
    this.#lazily = undefined;
    const changes = Array.from(this.#changes, ([key, value]) => ({ key, value }));
    this.#changes = new Map();
    this.#writingBytes = this.#bytes;
    this.#bytes = 0;
    this.#write(changes, this.#batch++);
  }

  #write(changes: readonly Change[], batch: number): void {
    this.#writing = true;
    this.#backend.write(changes, (error) => {
      // Whether or not it was written: nobody is there to be told, and there is nothing to try again.
      if (this.#closed) return;
      if (error !== undefined) return this.#failed(error, changes, batch);
      if (this.#failing) this.#logger.info('the store can be written again');
      this.#failing = false;
      this.#writing = false;
      this.#writingBytes = 0;
      this.#committed = batch;
      for (let next = this.#waiting.at(0); next && next.batch <= batch; next = this.#waiting.at(0)) {
        this.#waiting.shift();
        next.task();
      }
      if (this.#waiting.length > 0) this.#commitSoon();
    });
  }

  #readFailed(error: unknown, again: () => void): void {
    const reason = reasonOf(error instanceof Error && error.cause ? error.cause : error);
    if (!this.#failingToRead)
      this.#logger.error({ reason }, `the store cannot be read: ${reason}; it is tried again until it can`);
    this.#failingToRead = true;
    this.#rereads.push(again);
    this.#reread ??= this.#clock.schedule(RETRY_MS, () => {
      this.#reread = undefined;
      for (const read of this.#rereads.splice(0)) read();
    });
  }

  #failed(error: unknown, changes: readonly Change[], batch: number): void {
    const reason = reasonOf(error instanceof Error && error.cause ? error.cause : error);
    if (!this.#failing)
      this.#logger.error(
        { reason },
        `the store cannot be written: ${reason}; nothing reliable is acknowledged until it can (is the disk full?)`,
      );
    this.#failing = true;
    this.#retry = this.#clock.schedule(RETRY_MS, () => this.#write(changes, batch));
  }
}

function unsealed(key: string, value: Uint8Array): Uint8Array | undefined {
  try {
    return unseal(key, value);
  } catch {
    return undefined;
  }
}
