import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Cancel, Clock } from '../../clock.js';
import type { IncomingMessage, UpstreamRecords } from '../upstream.js';
import type { Inlet } from './inlet.js';
import { PullConsumer, type StreamMessage } from './pull-consumer.js';
import { SubjectSet } from './subject-sets.js';

/** What was wanted for a while. */
interface Segment {
  /** What the bridge wanted to hear. */
  readonly wanted: readonly string[];
  /** What the server is asked for: that, or somewhat more (`filters`). */
  readonly filters: readonly string[];
  /** The last sequence for which that is so; undefined while it is. */
  until?: number;
}

interface State {
  /** When the stream was made: another one of the same name counts anew. */
  readonly created: string;
  readonly segments: readonly Segment[];
}

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
  readonly #key: string;
  readonly #isFirst: boolean;
  #created = '';
  #segments: Segment[] = [];
  /** The sequence of the last message that was taken, and of the last that was heard. */
  #position = 0;
  #heard = 0;
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
    this.#key = `${stream}/${index}`;
    const { records } = context;
    const state = records.get(`in/${this.#key}`);
    if (state === undefined) return;
    const { created, segments } = JSON.parse(Buffer.from(state).toString()) as State;
    this.#created = created;
    this.#segments = [...segments];
    this.#position = Number(Buffer.from(records.get(`at/${this.#key}`) ?? '0').toString());
    this.#heard = this.#position;
  }

  /** What was wanted last, also by an earlier process. */
  get wanted(): readonly string[] {
    return this.#segments.at(-1)?.wanted ?? [];
  }

  /** The sequence of the last message that was heard. */
  get heard(): number {
    return this.#heard;
  }

  /** From `at` on, this is wanted in place of what was. To be called at least once: before, nothing is read. */
  want(wanted: readonly string[], filters: readonly string[], at: StreamPosition): void {
    if (this.#created === '') {
      // Never heard before, as a new subscription: what comes from now on.
      this.#position = at.last;
      this.#heard = at.last;
      this.#segments = [{ wanted, filters }];
      this.#savePosition();
    } else if (!this.#reads) {
      this.#compare(at);
    }
    this.#reads = true;
    this.#created = at.created;
    this.#change(wanted, filters, at.last);
    this.#saveState();
    this.#advance();
  }

  /**
   * Where nothing is left to be read, it has come as far as the stream has: messages that it did not want do not count as missed when the
   * stream drops them later.
   */
  async catchUp(at: StreamPosition): Promise<void> {
    const consumer = this.#consumer;
    if (at.created !== this.#created) {
      this.#compare(at);
      this.#created = at.created;
      this.#saveState();
      return this.#advance();
    }
    if (consumer === undefined || !(await consumer.isAtEnd()) || this.#consumer !== consumer) return;
    if (this.#closed || at.last <= this.#heard) return;
    this.#heard = at.last;
    this.#position = at.last;
    this.#savePosition();
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
      if (this.#isFirst && this.#segments.some(({ wanted }) => wanted.length > 0)) this.#context.missed(why);
    };
    if (created !== this.#created) {
      missed(`the stream ${this.#stream} was made anew: it is read from its beginning`);
      this.#moveTo(0);
      // What was to end at a sequence of the old one ends before the new one begins.
      this.#segments = [{ ...(this.#segments.at(-1) as Segment) }];
      delete this.#segments[0]?.until;
    } else if (last < this.#position) {
      missed(
        `the stream ${this.#stream} has lost its last messages: it ends at ${last}, not ${this.#position}`,
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
    this.#position = sequence;
    this.#heard = sequence;
    this.#savePosition();
  }

  #change(wanted: readonly string[], filters: readonly string[], last: number): void {
    const current = this.#segments.at(-1) as Segment;
    if (isSame(current.wanted, wanted) && isSame(current.filters, filters)) return;
    // So many changes while old messages are still to be read: the last of them is as if it had come with the one before.
    if (this.#segments.length >= MAX_SEGMENTS) this.#segments.pop();
    else current.until = Math.max(last, this.#heard);
    this.#segments.push({ wanted, filters });
  }

  /** Reads on by the first segment. */
  #advance(): void {
    const segment = this.#segments[0];
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
    const isStale = this.#closed || this.#segments[0] !== segment || moves !== this.#moves || this.#ending;
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
    const until = this.#segments[0]?.until;
    if (until !== undefined && sequence > until) return this.#end(until);
    this.#heard = sequence;
    const moves = this.#moves;
    inlet.push(this.#set.has(message.subject) ? read(heard) : undefined, () => {
      if (moves !== this.#moves) return;
      this.#position = sequence;
      inlet.afterwards(this.#savePosition);
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
    const until = this.#segments[0]?.until;
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
      this.#position = Math.max(this.#position, until);
      this.#heard = this.#position;
      this.#segments.shift();
      inlet.afterwards(this.#savePosition);
      inlet.afterwards(this.#saveState);
      this.#advance();
    });
  }

  #later(): void {
    if (this.#closed) return;
    this.#again?.();
    this.#again = this.#context.clock.schedule(AGAIN_MS, () => this.#advance());
  }

  readonly #savePosition = (): void => {
    this.#context.records.put(`at/${this.#key}`, Buffer.from(String(this.#position)));
  };

  readonly #saveState = (): void => {
    const state: State = { created: this.#created, segments: this.#segments };
    this.#context.records.put(`in/${this.#key}`, Buffer.from(JSON.stringify(state)));
  };
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((subject, index) => subject === b[index]);
}
