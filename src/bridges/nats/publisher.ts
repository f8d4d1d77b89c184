import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import type { Cancel, Clock } from '../../clock.js';
import { Queue } from '../../session/queue.js';
import type { QueuedMessage, RefusalReason, UpstreamEvents } from '../upstream.js';
import { type Answer, readAnswer } from './answer.js';
import type { HeaderWriter, WrittenHeaders } from './headers.js';
import type { Spelling } from './spelling.js';
import type { SubjectSet } from './subject-sets.js';

/**
 * While the oldest message has waited for its acknowledgement so long, no other is sent: a cluster needs longer than that to elect a leader,
 * so what the old one has lost is not overtaken at the new one.
 */
const HOLD_MS = 1000;
/** After so long without its acknowledgement a message counts as lost on the way, ms; and one that is tried alone. */
const LOST_MS = 5000;
const PROBE_LOST_MS = 2000;
/** Between attempts while the stream does not take what it is sent. */
const PROBE_MS = { first: 100, longest: 2000 };
const LOOK_MS = 250;

/** What a message has to be written to: its stream, and the bucket if it is a last value. */
const STREAM = 1;
const BUCKET = 2;

interface Unsettled {
  readonly message: QueuedMessage;
  readonly subject: string;
  /** Which of STREAM and BUCKET have not acknowledged it. */
  missing: number;
  /** When it was sent in this round, on the clock in ms; undefined if it was not. */
  sentAt: number | undefined;
}

export interface PublisherContext {
  readonly nc: NatsConnection;
  readonly clock: Clock;
  readonly headers: HeaderWriter;
  readonly spelling: Spelling;
  readonly events: Pick<UpstreamEvents, 'settled' | 'refused'>;
  /** What the streams capture. */
  readonly captured: SubjectSet;
  /** A message had got through before. */
  readonly duplicate: () => void;
  /** It waits, and why; undefined: no more. */
  readonly waits: (why: string | undefined) => void;
  /** The inbox cannot be heard: the connection is of no use. */
  readonly broken: (error: Error) => void;
}

/**
 * Publishes to JetStream, many messages in flight, in order. When one fails, no more are sent until all answers are there; then the first is
 * tried alone until it is taken, and all the others follow in their order. Those that had got through are known by their ids.
 */
export class Publisher {
  readonly #context: PublisherContext;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  /** By record, in order. */
  readonly #unsettled = new Map<number, Unsettled>();
  readonly #unsent = new Queue<Unsettled>();
  #state: 'probing' | 'flowing' | 'draining' = 'probing';
  /** Counts up whenever messages are sent anew: what fails of an earlier round says nothing of this one. */
  #round = 0;
  /** Of this round, without an answer. */
  #unanswered = 0;
  #pause = PROBE_MS.first;
  /** When the last message was sent, on the clock in ms. */
  #lastSentAt = 0;
  #watch: Cancel | undefined;
  #probing: Cancel | undefined;
  #closed = false;

  constructor(context: PublisherContext) {
    this.#context = context;
    this.#inbox = createInbox();
    this.#subscription = context.nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (this.#closed) return;
        if (error) context.broken(error);
        else this.#answered(message);
      },
    });
  }

  publish(message: QueuedMessage): void {
    const { spelling } = this.#context;
    const subject = spelling.of(message.name);
    const bucket = message.retain && spelling.bucketPrefix !== undefined ? BUCKET : 0;
    const unsettled: Unsettled = { message, subject, missing: STREAM | bucket, sentAt: undefined };
    this.#unsettled.set(message.record, unsettled);
    this.#unsent.push(unsettled);
    this.#pump();
  }

  /** The server lets nobody publish on that subject: the oldest message under way there is meant, since it answers in order. */
  forbidden(subject: string, why: string): boolean {
    for (const unsettled of this.#unsettled.values()) {
      const { sentAt, subject: own } = unsettled;
      if (sentAt === undefined || (own !== subject && this.#context.spelling.key(own) !== subject)) continue;
      // There will be no other answer.
      this.#unanswered -= 1;
      this.#refuse(unsettled, 'forbidden', why);
      this.#goOn();
      return true;
    }
    return false;
  }

  close(): void {
    this.#closed = true;
    this.#watch?.();
    this.#probing?.();
    if (!this.#context.nc.isClosed()) this.#subscription.unsubscribe();
  }

  /** Whether a message was sent that was not answered. */
  get someUnanswered(): boolean {
    for (const { sentAt } of this.#unsettled.values()) if (sentAt !== undefined) return true;
    return false;
  }

  #pump(): void {
    const { clock, nc } = this.#context;
    while (this.#state !== 'draining' && !this.#closed && !nc.isClosed()) {
      const next = this.#unsent.at(0);
      if (next === undefined) return;
      if (this.#state === 'probing' && this.#unanswered > 0) return;
      const now = clock.now();
      const oldest = this.#oldest();
      if (oldest?.sentAt !== undefined && now - oldest.sentAt > HOLD_MS) return;
      this.#unsent.shift();
      // It was settled by a late answer.
      if (this.#unsettled.has(next.message.record)) this.#send(next, now);
    }
  }

  #oldest(): Unsettled | undefined {
    for (const unsettled of this.#unsettled.values()) return unsettled;
    return undefined;
  }

  #send(unsettled: Unsettled, now: number): void {
    const { headers, spelling } = this.#context;
    const { message, subject, missing } = unsettled;
    const written = headers.numbered(message, now);
    const problem = spelling.problem(subject, written.length + message.payload.length);
    if (problem !== undefined) return this.#refuse(unsettled, ...problem);
    unsettled.sentAt = now;
    this.#lastSentAt = now;
    // The bucket first: whoever hears of the message finds its value there.
    const key = missing & BUCKET ? spelling.key(subject) : undefined;
    if (key !== undefined) this.#write(key, headers.lastValue(message, now), message, BUCKET);
    if (missing & STREAM) this.#write(subject, written, message, STREAM);
    this.#watch ??= this.#context.clock.schedule(LOOK_MS, () => this.#look());
  }

  #write(
    subject: string,
    { headers }: WrittenHeaders,
    { payload, record }: QueuedMessage,
    part: number,
  ): void {
    const reply = `${this.#inbox}.${record.toString(36)}_${part}_${this.#round.toString(36)}`;
    this.#unanswered += 1;
    this.#context.nc.publish(subject, payload, { headers, reply });
  }

  #answered(message: Msg): void {
    const [record = '', part = '', round = ''] = message.subject.slice(this.#inbox.length + 1).split('_');
    const isOfThisRound = Number.parseInt(round, 36) === this.#round;
    if (isOfThisRound) this.#unanswered -= 1;
    const unsettled = this.#unsettled.get(Number.parseInt(record, 36));
    if (unsettled !== undefined) this.#apply(readAnswer(message), unsettled, Number(part), isOfThisRound);
    this.#goOn();
  }

  #goOn(): void {
    if (this.#state === 'draining' && this.#unanswered <= 0) this.#probeLater();
    else this.#pump();
  }

  #apply(answer: Answer, unsettled: Unsettled, part: number, isOfThisRound: boolean): void {
    if (answer.kind === 'refused') return this.#refuse(unsettled, answer.reason, answer.why);
    if (answer.kind === 'nobody' && part === STREAM && !this.#context.captured.has(unsettled.subject))
      return this.#refuse(
        unsettled,
        'no_stream',
        'no stream captures it, and no rule of QoS 1 or 2 is for it now',
      );
    if (answer.kind !== 'taken') {
      if (isOfThisRound) this.#fail(answer.why);
      return;
    }
    if (answer.duplicate) this.#context.duplicate();
    unsettled.missing &= ~part;
    if (isOfThisRound && this.#state === 'probing' && unsettled.missing === 0) this.#flow();
    if (unsettled.missing > 0) return;
    this.#unsettled.delete(unsettled.message.record);
    this.#context.events.settled(unsettled.message.record);
  }

  #refuse({ message }: Unsettled, reason: RefusalReason, why: string): void {
    this.#unsettled.delete(message.record);
    this.#context.events.refused(message.record, reason, why);
  }

  #flow(): void {
    this.#state = 'flowing';
    this.#pause = PROBE_MS.first;
    this.#context.waits(undefined);
  }

  /** Nothing more is sent for now. */
  #fail(why: string): void {
    if (this.#state === 'draining') return;
    this.#state = 'draining';
    this.#context.waits(why);
  }

  #probeLater(): void {
    if (this.#probing !== undefined) return;
    this.#probing = this.#context.clock.schedule(this.#pause, () => this.#probe());
    this.#pause = Math.min(2 * this.#pause, PROBE_MS.longest);
  }

  /** Begins anew with all that is unsettled: the first of them alone. */
  #probe(): void {
    this.#probing = undefined;
    this.#state = 'probing';
    this.#round += 1;
    this.#unanswered = 0;
    this.#unsent.drain();
    for (const unsettled of this.#unsettled.values()) {
      unsettled.sentAt = undefined;
      this.#unsent.push(unsettled);
    }
    this.#pump();
  }

  /** Finds what was lost on the way, and lets go on what was held. */
  #look(): void {
    const { clock } = this.#context;
    this.#watch = undefined;
    const oldest = this.#oldest();
    if (oldest === undefined && this.#state !== 'draining') return;
    this.#watch = clock.schedule(LOOK_MS, () => this.#look());
    const patience = this.#state === 'probing' ? PROBE_LOST_MS : LOST_MS;
    const now = clock.now();
    if (oldest?.sentAt !== undefined && now - oldest.sentAt >= patience)
      this.#fail('it does not acknowledge what it is sent');
    if (this.#state === 'draining' && (oldest === undefined || now - this.#lastSentAt >= patience))
      this.#probeLater();
    else this.#pump();
  }
}
