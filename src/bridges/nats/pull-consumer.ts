import type { JetStreamManager } from '@nats-io/jetstream';
import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import {
  createInbox,
  type Msg,
  type NatsConnection,
  nanos,
  nuid,
  type Subscription,
} from '@nats-io/transport-node';
import type { Cancel, Clock } from '../../clock.js';
import { headersOf } from './headers.js';

/** Messages that are asked for at once; the next ones when half of them have been taken. */
const BATCH = 512;
/** Bytes that are asked for at once, unless one message may have more than half of that. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** How long a request stands, and how often the server says meanwhile that it does, ms. */
const EXPIRES_MS = 60_000;
const HEARTBEAT_MS = 5000;
/** After so long without a word, ms, the consumer is taken for gone. */
const SILENCE_MS = 11_000;
/** When the server may forget a consumer that nobody asks any more, ms. */
const FORGOTTEN_AFTER_MS = 30_000;
/** As the server answers a request that has ended: expired, full, or after the messages that were there. */
const ENDS = new Set([404, 408, 409]);

/** A message of a stream. */
export interface StreamMessage {
  readonly message: Msg;
  readonly sequence: number;
  /** When the stream took it, ms since 1970. */
  readonly time: number;
  /** How many more there were for this consumer when it was sent. */
  readonly pending: number;
}

export interface PullConsumerOptions {
  readonly stream: string;
  readonly filters: readonly string[];
  /** The sequence to begin with; undefined: with the last message of each subject. */
  readonly from: number | undefined;
  /** One more message, in order. `take` must be called when it has been dealt with. */
  readonly heard: (message: StreamMessage) => void;
  /** It is of no use any more, and what was not heard until now has to be asked for anew. Called once, not after `close`. */
  readonly broken: (why: string) => void;
}

/**
 * A consumer of its own for one reader, in memory, without acknowledgements: who reads knows how far it has come. As it asks for what
 * it has room for, no more than a few MiB wait here, and the stream keeps the rest.
 */
export class PullConsumer {
  readonly #nc: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #clock: Clock;
  readonly #options: PullConsumerOptions;
  readonly #name = nuid.next();
  readonly #inbox: string;
  #subscription: Subscription | undefined;
  /** Messages that were asked for and did not come yet, and those that came and are not dealt with. */
  #asked = 0;
  #waiting = 0;
  /** The consumer's own number of its last message: one that is missing was lost on the way. */
  #delivered = 0;
  #silence: Cancel | undefined;
  #heardAt = 0;
  #closed = false;

  private constructor(
    nc: NatsConnection,
    manager: JetStreamManager,
    clock: Clock,
    options: PullConsumerOptions,
  ) {
    this.#nc = nc;
    this.#manager = manager;
    this.#clock = clock;
    this.#options = options;
    this.#inbox = createInbox();
  }

  /**
   * Makes one; it has `pending` messages to give so far, and gives the first ones after `start`.
   * @throws what the library throws when the server refuses, or does not answer
   */
  static async open(
    nc: NatsConnection,
    manager: JetStreamManager,
    clock: Clock,
    options: PullConsumerOptions,
  ): Promise<{ readonly consumer: PullConsumer; readonly pending: number }> {
    const consumer = new PullConsumer(nc, manager, clock, options);
    const { stream, filters, from } = options;
    const info = await manager.consumers.add(stream, {
      name: consumer.#name,
      ack_policy: AckPolicy.None,
      ...(from === undefined
        ? { deliver_policy: DeliverPolicy.LastPerSubject }
        : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from }),
      ...(filters.length === 1
        ? { filter_subject: filters[0] as string }
        : { filter_subjects: [...filters] }),
      inactive_threshold: nanos(FORGOTTEN_AFTER_MS),
      mem_storage: true,
      num_replicas: 1,
    });
    return { consumer, pending: info.num_pending };
  }

  start(): void {
    this.#subscription = this.#nc.subscribe(this.#inbox, {
      callback: (error, message) => {
        if (this.#closed) return;
        if (error) this.#break(error.message);
        else this.#take(message);
      },
    });
    this.#heardAt = this.#clock.now();
    this.#watch();
    this.#ask();
  }

  /** A message that was heard has been dealt with. */
  taken(): void {
    this.#waiting -= 1;
    this.#ask();
  }

  /**
   * Whether it has given all there is, as far as the server knows.
   * @throws what the library throws when the server does not answer
   */
  async isAtEnd(): Promise<boolean> {
    const info = await this.#manager.consumers.info(this.#options.stream, this.#name);
    return info.num_pending === 0 && info.delivered.consumer_seq === this.#delivered && this.#waiting === 0;
  }

  /** Nothing is heard of it any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#silence?.();
    if (this.#nc.isClosed()) return;
    this.#subscription?.unsubscribe();
    // If that fails, the server forgets it by itself.
    void this.#manager.consumers.delete(this.#options.stream, this.#name).catch(() => {});
  }

  #take(message: Msg): void {
    this.#heardAt = this.#clock.now();
    if (message.subject === this.#inbox) return this.#status(message);
    const info = parseReply(message.reply ?? '');
    if (info.delivered !== this.#delivered + 1) return this.#break('messages were lost on the way');
    this.#delivered = info.delivered;
    this.#asked -= 1;
    this.#waiting += 1;
    this.#options.heard({ message, sequence: info.sequence, time: info.time, pending: info.pending });
  }

  #status(message: Msg): void {
    const headers = headersOf(message);
    const code = headers?.code ?? 0;
    const text = headers?.description ?? '';
    // Whoever is the leader now knows nothing of it, or nobody does.
    if (code === 503 || /deleted|leadership/i.test(text)) return this.#break(text || 'it is gone');
    if (!ENDS.has(code)) return;
    const left = Number(headers?.get('Nats-Pending-Messages') || Number.NaN);
    if (Number.isNaN(left)) return this.#break(text || String(code));
    this.#asked = Math.max(0, this.#asked - left);
    this.#ask();
  }

  #ask(): void {
    if (this.#closed || this.#asked + this.#waiting > BATCH / 2) return;
    const { stream } = this.#options;
    const mostBytes = Math.max(BATCH_BYTES, 2 * (this.#nc.info?.max_payload ?? 0));
    const request = {
      batch: BATCH,
      max_bytes: mostBytes,
      expires: nanos(EXPIRES_MS),
      idle_heartbeat: nanos(HEARTBEAT_MS),
    };
    this.#asked += BATCH;
    this.#nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${this.#name}`, JSON.stringify(request), {
      reply: this.#inbox,
    });
  }

  #watch(): void {
    const left = this.#heardAt + SILENCE_MS - this.#clock.now();
    this.#silence = this.#clock.schedule(left, () => {
      // While it is not asked for more, it has no reason to say anything.
      if (this.#asked === 0) this.#heardAt = this.#clock.now();
      if (this.#clock.now() - this.#heardAt >= SILENCE_MS) this.#break('it is silent');
      else this.#watch();
    });
  }

  #break(why: string): void {
    if (this.#closed) return;
    this.close();
    this.#options.broken(why);
  }
}

/** `$JS.ACK.<stream>.<consumer>.<times>.<sequence>.<delivered>.<time>.<pending>`, newer ones with domain and account before the stream. */
function parseReply(reply: string): { sequence: number; delivered: number; time: number; pending: number } {
  const tokens = reply.split('.');
  const at = tokens.length === 9 ? 5 : 7;
  return {
    sequence: Number(tokens[at]),
    delivered: Number(tokens[at + 1]),
    time: Number(tokens[at + 2]) / 1e6,
    pending: Number(tokens[at + 3]),
  };
}
