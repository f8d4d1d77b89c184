import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Cancel, Clock } from '../../clock.js';
import type { IncomingMessage, UpstreamRecords } from '../upstream.js';
import type { Inlet } from './inlet.js';
import { LaneRecord, type Segment } from './lane-record.js';
import { PullConsumer, type StreamMessage } from './pull-consumer.js';
import { SubjectSet } from './subject-sets.js';

/** What the server says of a stream. */
export interface StreamPosition {
  readonly created: string;
  readonly first: number;
  readonly last: number;
}

export interface LaneContext {
  readonly nc: NatsConnection;
  readonly manager: JetStreamManager;
  readonly clock: Clock;
  readonly records: UpstreamRecords;
  readonly inlet: Inlet;
  /** Undefined: nothing for the bridge. */
  readonly read: (message: StreamMessage) => IncomingMessage | undefined;
  /** Messages were lost upstream before they could be heard. */
  readonly missed: (why: string) => void;
  /** The consumer could not be made: it is tried again, unless that closes the lane. */
  readonly failed: (error: unknown) => void;
}

/** Changes that wait, each for its place, until what came before is read. */
const MAX_SEGMENTS = 8;
/** How soon what failed, or was not at its end, is tried again, ms. */
const AGAIN_MS = 500;

/**
 * Reads a stream once and in order, over all connections and restarts: it writes down how far it has come, in the turn in which the
 * router takes the message. What is wanted may change at any time: what came before that is still read by what was wanted then,
 * what comes later by what is wanted now, so that nothing is missed, comes twice, or comes from before it was wanted.
 */
export class Lane {
  readonly #context: LaneContext;
  readonly #stream: string;
  readonly #record: LaneRecord;
  readonly #isFirst: boolean;
  /** The sequence of the last message that was heard. */
  #heard: number;
  /** Counts how often it was moved elsewhere: what was heard before that says nothing of where it is. */
  #moves = 0;
  #set = new SubjectSet([]);
  #consumer: PullConsumer | undefined;
  #opening = false;
  /** It has been told where the stream is. */
  #reads = false;
  /** The end of the first segment has been put in its place in the inlet. */
  #ending = false;
  #again: Cancel | undefined;
  #closed = false;

  /** `index`: which one of the stream it is. */
  constructor(context: LaneContext, stream: string, index: number) {
    this.#context = context;
    this.#stream = stream;
    this.#isFirst = index === 0;
    this.#record = new LaneRecord(context.records, `${stream}/${index}`);
    this.#heard = this.#record.position;
  }

  /** What was wanted last, also by an earlier process. */
  get wanted(): readonly string[] {
    return this.#record.segments.at(-1)?.wanted ?? [];
  }

  /** The sequence of the last message that was heard. */
  get heard(): number {
    return this.#heard;
  }

  /** From `at` on, this is wanted in place of what was. To be called at least once: before, nothing is read. */
  want(wanted: readonly string[], filters: readonly string[], at: StreamPosition): void {
    if (this.#record.created === '') {
      // Never heard before, as a new subscription: what comes from now on.
      this.#record.position = at.last;
      this.#heard = at.last;
      this.#record.segments = [{ wanted, filters }];
      this.#record.savePosition();
    } else if (!this.#reads) {
      this.#compare(at);
    }
    this.#reads = true;
    this.#record.created = at.created;
    this.#change(wanted, filters, at.last);
    this.#record.saveState();
    this.#advance();
  }

  /**
   * Where nothing is left to be read, it has come as far as the stream has: messages that it did not want do not count as missed when the
   * stream drops them later.
   */
  async catchUp(at: StreamPosition): Promise<void> {
    const consumer = this.#consumer;
    if (at.created !== this.#record.created) {
      this.#compare(at);
      this.#record.created = at.created;
      this.#record.saveState();
      return this.#advance();
    }
    if (consumer === undefined || !(await consumer.isAtEnd()) || this.#consumer !== consumer) return;
    if (this.#closed || at.last <= this.#heard) return;
    this.#heard = at.last;
    this.#record.position = at.last;
    this.#record.savePosition();
  }

  close(): void {
    this.#closed = true;
    this.#again?.();
    this.#consumer?.close();
  }

  /** Whether the stream is the one that was read before, and still has what was not. */
  #compare({ created, first, last }: StreamPosition): void {
    const missed = (why: string) => {
      // One that is the second of its stream has little to read: what it may have missed, the first one has, too.
      if (this.#isFirst && this.#record.segments.some(({ wanted }) => wanted.length > 0))
        this.#context.missed(why);
    };
    if (created !== this.#record.created) {
      missed(`the stream ${this.#stream} was made anew: it is read from its beginning`);
      this.#moveTo(0);
      // What was to end at a sequence of the old one ends before the new one begins.
      this.#record.segments = [{ ...(this.#record.segments.at(-1) as Segment) }];
      delete this.#record.segments[0]?.until;
    } else if (last < this.#record.position) {
      missed(
        `the stream ${this.#stream} has lost its last messages: it ends at ${last}, not ${this.#record.position}`,
      );
      this.#moveTo(last);
    } else if (first > this.#heard + 1) {
      missed(
        `the stream ${this.#stream} has dropped messages ${this.#heard + 1} to ${first - 1} by its limits, perhaps before this gateway heard them: raise its max_age and max_bytes if gateways are away for so long`,
      );
      this.#moveTo(first - 1);
    }
  }

  #moveTo(sequence: number): void {
    this.#consumer?.close();
    this.#consumer = undefined;
    this.#ending = false;
    this.#moves += 1;
    this.#record.position = sequence;
    this.#heard = sequence;
    this.#record.savePosition();
  }

  #change(wanted: readonly string[], filters: readonly string[], last: number): void {
    const current = this.#record.segments.at(-1) as Segment;
    if (isSame(current.wanted, wanted) && isSame(current.filters, filters)) return;
    // So many changes while old messages are still to be read: the last of them is as if it had come with the one before.
    if (this.#record.segments.length >= MAX_SEGMENTS) this.#record.segments.pop();
    else current.until = Math.max(last, this.#heard);
    this.#record.segments.push({ wanted, filters });
  }

  /** Reads on by the first segment. */
  #advance(): void {
    const segment = this.#record.segments[0];
    if (this.#closed || this.#ending || segment === undefined) return;
    const { until } = segment;
    if (until !== undefined && (until <= this.#heard || segment.filters.length === 0))
      return this.#end(until);
    if (segment.filters.length === 0) return;
    if (this.#consumer === undefined) void this.#open(segment);
    else if (until !== undefined) void this.#lookForEnd(this.#consumer);
  }

  async #open(segment: Segment): Promise<void> {
    if (this.#opening) return;
    this.#opening = true;
    const moves = this.#moves;
    const { nc, manager, clock } = this.#context;
    let opened: Awaited<ReturnType<typeof PullConsumer.open>> | undefined;
    try {
      const open: { consumer?: PullConsumer } = {};
      opened = await PullConsumer.open(nc, manager, clock, {
        stream: this.#stream,
        filters: segment.filters,
        from: this.#heard + 1,
        heard: (message) => this.#hear(message, open.consumer as PullConsumer),
        broken: () => {
          this.#consumer = undefined;
          this.#later();
        },
      });
      open.consumer = opened.consumer;
    } catch (error) {
      if (!this.#closed) this.#context.failed(error);
    }
    this.#opening = false;
    if (opened === undefined) return this.#later();
    // The segment may have ended, or begun anew elsewhere, meanwhile.
    const isStale =
      this.#closed || this.#record.segments[0] !== segment || moves !== this.#moves || this.#ending;
    if (isStale) {
      opened.consumer.close();
      return this.#advance();
    }
    this.#consumer = opened.consumer;
    this.#set = new SubjectSet(segment.wanted);
    opened.consumer.start();
    this.#advance();
  }

  #hear(heard: StreamMessage, consumer: PullConsumer): void {
    const { inlet, read } = this.#context;
    const { sequence, message } = heard;
    const until = this.#record.segments[0]?.until;
    if (until !== undefined && sequence > until) return this.#end(until);
    this.#heard = sequence;
    const moves = this.#moves;
    inlet.push(this.#set.has(message.subject) ? read(heard) : undefined, () => {
      if (moves !== this.#moves) return;
      this.#record.position = sequence;
      inlet.afterwards(this.#record.savePosition);
      if (!this.#closed) consumer.taken();
    });
  }

  /** Whether nothing is left to be read by the first segment: else it is when the next message tells so. */
  async #lookForEnd(consumer: PullConsumer): Promise<void> {
    let atEnd = false;
    try {
      atEnd = await consumer.isAtEnd();
    } catch (error) {
      if (!this.#closed) this.#context.failed(error);
    }
    const until = this.#record.segments[0]?.until;
    if (this.#closed || this.#consumer !== consumer || until === undefined) return;
    if (atEnd) this.#end(until);
    else this.#later();
  }

  /** The first segment ends in its place, behind all that was heard. */
  #end(until: number): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#consumer?.close();
    this.#consumer = undefined;
    const { inlet } = this.#context;
    const moves = this.#moves;
    inlet.push(undefined, () => {
      if (moves !== this.#moves) return;
      this.#ending = false;
      this.#record.position = Math.max(this.#record.position, until);
      this.#heard = this.#record.position;
      this.#record.segments.shift();
      inlet.afterwards(this.#record.savePosition);
      inlet.afterwards(this.#record.saveState);
      this.#advance();
    });
  }

  #later(): void {
    if (this.#closed) return;
    this.#again?.();
    this.#again = this.#context.clock.schedule(AGAIN_MS, () => this.#advance());
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((subject, index) => subject === b[index]);
}
