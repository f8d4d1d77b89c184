import type { Subscription } from '@nats-io/transport-node';
import type { Cancel } from '../../clock.js';
import type { Interest, UpstreamEvents } from '../upstream.js';
import { type ReaderContext, readLive, readStored } from './incoming.js';
import { Lane, type LaneContext, type StreamPosition } from './lane.js';
import type { LastValues } from './last-values.js';
import type { Stream } from './streams.js';
import { collide, covers, filters } from './subject-sets.js';
import { toSubjects } from './subjects.js';

export interface HearingContext extends Omit<LaneContext, 'read'> {
  readonly events: UpstreamEvents;
  readonly reader: ReaderContext;
  /** The streams of what comes in at QoS 1 and 2. */
  readonly streams: readonly Stream[];
  readonly severalFilters: boolean;
  /** Undefined where last values do not cross. */
  readonly lastValues: LastValues | undefined;
}

/** How soon a stream is asked again that did not answer, ms. */
const AGAIN_MS = 1000;
/** How often it is written down how far idle streams have come, ms. */
const CATCH_UP_MS = 300_000;
/** A server before 2.10 takes one filter a consumer: there are at most so many of a stream (`filters`). */
const LANES = 2;

interface LanesOfStream {
  readonly stream: Stream;
  readonly lanes: readonly Lane[];
}

/** What is heard of upstream: at QoS 0 by plain subscriptions, at QoS 1 and 2 from the streams. */
export class Hearing {
  readonly #context: HearingContext;
  readonly #live = new Map<string, Subscription>();
  readonly #lanes: readonly LanesOfStream[];
  /** What the streams are to give, and what they have been told to. */
  #wanted: readonly string[] = [];
  #told: readonly string[] | undefined;
  #telling = false;
  #again: Cancel | undefined;
  #catchUp: Cancel | undefined;
  #closed = false;

  constructor(context: HearingContext) {
    this.#context = context;
    const { reader, lastValues, streams } = context;
    const read: LaneContext['read'] = (stored) => {
      const message = readStored(stored, reader);
      if (message?.retain) lastValues?.heard(message.name);
      return message;
    };
    const lanes = (stream: Stream) =>
      Array.from({ length: LANES }, (_, index) => new Lane({ ...context, read }, stream.name, index));
    this.#lanes = streams.map((stream) => ({ stream, lanes: lanes(stream) }));
    if (streams.length > 0) this.#catchUpLater();
  }

  want(interests: readonly Interest[]): void {
    const subjects = (some: readonly Interest[]) => some.flatMap(({ pattern }) => toSubjects(pattern));
    this.#wantLive(interests.filter(({ qos }) => qos === 0));
    this.#wanted = subjects(interests.filter(({ qos }) => qos > 0));
    void this.#tell();
  }

  close(): void {
    this.#closed = true;
    this.#again?.();
    this.#catchUp?.();
    for (const { lanes } of this.#lanes) for (const lane of lanes) lane.close();
  }

  #wantLive(interests: readonly Interest[]): void {
    const { lastValues } = this.#context;
    const wanted = new Map(
      interests.flatMap(({ pattern }) => toSubjects(pattern).map((subject) => [subject, pattern] as const)),
    );
    for (const [subject, subscription] of this.#live)
      if (!wanted.has(subject)) {
        subscription.unsubscribe();
        this.#live.delete(subject);
      }
    const added = [...wanted].filter(([subject]) => !this.#live.has(subject));
    for (const [subject, pattern] of added) this.#live.set(subject, this.#subscribe(subject, pattern));
    if (added.length > 0) lastValues?.bring(added.map(([subject]) => subject));
  }

  #subscribe(subject: string, pattern: string): Subscription {
    const { nc, events, reader, lastValues } = this.#context;
    return nc.subscribe(subject, {
      callback: (error, message) => {
        if (this.#closed) return;
        if (error) {
          // It is tried again with the next connection.
          return events.interestRefused(pattern, error.message);
        }
        const read = readLive(message, reader);
        if (read === undefined) return;
        if (read.retain) lastValues?.heard(read.name);
        events.incoming(read, () => {});
      },
    });
  }

  /** Tells the lanes of each stream what is wanted, each change from where the stream is at that time. */
  async #tell(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
    while (!this.#closed && this.#told !== this.#wanted) {
      const wanted = this.#wanted;
      try {
        for (const each of this.#lanes) this.#tellStream(each, wanted, await this.#positionOf(each.stream));
        this.#told = wanted;
      } catch (error) {
        if (this.#closed) break;
        this.#context.failed(error);
        this.#again = this.#context.clock.schedule(AGAIN_MS, () => void this.#tell());
        break;
      }
    }
    this.#telling = false;
  }

  #tellStream({ stream, lanes }: LanesOfStream, wanted: readonly string[], position: StreamPosition): void {
    if (this.#closed) return;
    const ofStream = wanted.filter((subject) => stream.subjects.some((each) => collide(each, subject)));
    const before = lanes.flatMap((lane) => lane.wanted);
    const each = filters(ofStream, this.#context.severalFilters);
    // What has been heard since the server said where it is belongs to what was wanted before, for all of them.
    const last = Math.max(position.last, ...lanes.map(({ heard }) => heard));
    const from = this.#told === undefined ? position : { ...position, last };
    lanes.forEach((lane, index) => {
      const own = each[index] ?? [];
      const ownWanted = ofStream.filter((subject) => own.some((filter) => covers(filter, subject)));
      lane.want(ownWanted, own, from);
    });
    const added = ofStream.filter((subject) => !before.some((known) => covers(known, subject)));
    if (added.length > 0) this.#context.lastValues?.bring(added);
  }

  async #positionOf({ name }: Stream): Promise<StreamPosition> {
    const { created, state } = await this.#context.manager.streams.info(name);
    return { created, first: state.first_seq, last: state.last_seq };
  }

  #catchUpLater(): void {
    this.#catchUp = this.#context.clock.schedule(CATCH_UP_MS, () => void this.#catchUpNow());
  }

  async #catchUpNow(): Promise<void> {
    try {
      for (const { stream, lanes } of this.#lanes) {
        const position = await this.#positionOf(stream);
        if (!this.#telling) for (const lane of lanes) await lane.catchUp(position);
      }
    } catch (error) {
      if (!this.#closed) this.#context.failed(error);
    }
    if (!this.#closed) this.#catchUpLater();
  }
}
