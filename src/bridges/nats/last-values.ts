import type { IncomingMessage } from '../upstream.js';
import type { LaneContext } from './lane.js';
import { PullConsumer, type StreamMessage } from './pull-consumer.js';
import { filters, SubjectSet } from './subject-sets.js';
import { toKey } from './subjects.js';

export interface LastValuesContext extends Pick<LaneContext, 'nc' | 'manager' | 'clock' | 'inlet'> {
  readonly bucket: string;
  /** What the subjects of the bucket begin with. */
  readonly prefix: string;
  /** Whether the server takes several filters for one consumer. */
  readonly severalFilters: boolean;
  readonly read: (message: StreamMessage) => IncomingMessage | undefined;
  /** The last values that match these could not be had. */
  readonly failed: (error: unknown) => void;
}

/** How often it is tried again to read values, and how soon, ms. */
const ATTEMPTS = 10;
const AGAIN_MS = 1000;

/** Brings the last values that there are when something is wanted anew. Those that come later come as messages do. */
export class LastValues {
  readonly #context: LastValuesContext;
  /** Of each reading that goes on: the names that had a newer value meanwhile. */
  readonly #readings = new Set<Set<string>>();
  readonly #consumers = new Set<PullConsumer>();
  #closed = false;

  constructor(context: LastValuesContext) {
    this.#context = context;
  }

  bring(subjects: readonly string[]): void {
    const { prefix, severalFilters } = this.#context;
    const wanted = subjects.map((subject) => prefix + toKey(subject));
    for (const some of filters(wanted, severalFilters)) void this.#bring(some, new SubjectSet(wanted));
  }

  /** A message that sets a last value came: it is newer than what is being read. */
  heard(name: string): void {
    for (const newer of this.#readings) newer.add(name);
  }

  close(): void {
    this.#closed = true;
    for (const consumer of this.#consumers) consumer.close();
  }

  async #bring(some: readonly string[], wanted: SubjectSet): Promise<void> {
    const { clock, failed } = this.#context;
    const newer = new Set<string>();
    this.#readings.add(newer);
    for (let attempt = 1; !this.#closed; attempt++) {
      try {
        await this.#read(some, wanted, newer);
        break;
      } catch (error) {
        if (this.#closed) break;
        if (attempt === ATTEMPTS) {
          failed(error);
          break;
        }
        await new Promise<void>((resolve) => {
          clock.schedule(AGAIN_MS, resolve);
        });
      }
    }
    this.#readings.delete(newer);
  }

  /** Resolves when all have been given. */
  async #read(some: readonly string[], wanted: SubjectSet, newer: ReadonlySet<string>): Promise<void> {
    const { nc, manager, clock, bucket, inlet, read } = this.#context;
    let consumer: PullConsumer | undefined;
    let end = (_error?: Error): void => {};
    const ended = new Promise<void>((resolve, reject) => {
      end = (error) => (error ? reject(error) : resolve());
    });
    const opened = await PullConsumer.open(nc, manager, clock, {
      stream: `KV_${bucket}`,
      filters: some,
      from: undefined,
      heard: (message) => {
        const value = wanted.has(message.message.subject) ? read(message) : undefined;
        const taken = () => {
          consumer?.taken();
          if (message.pending === 0) end();
        };
        inlet.push(value, taken, () => value !== undefined && newer.has(value.name));
      },
      broken: (why) => end(new Error(why)),
    });
    consumer = opened.consumer;
    if (this.#closed || opened.pending === 0) return consumer.close();
    this.#consumers.add(consumer);
    consumer.start();
    try {
      await ended;
    } finally {
      this.#consumers.delete(consumer);
      consumer.close();
    }
  }
}
