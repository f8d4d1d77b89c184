import type { Qos } from '../wire/messages.js';
import { isolated } from './isolated.js';

/** A message as a program gets it. */
export class ReceivedMessage {
  readonly channel: string;
  /**
   * The program's to keep, and to change. A small one lies among others in a buffer of 2 KB: of very many that are kept for
   * long, `payload.slice()` takes less memory.
   */
  readonly payload: Uint8Array;
  readonly qos: Qos;
  /** It is the channel's last value, sent because of the subscription, not a live message. */
  readonly retained: boolean;

  constructor(channel: string, payload: Uint8Array, qos: Qos, retained: boolean) {
    this.channel = channel;
    this.payload = payload;
    this.qos = qos;
    this.retained = retained;
  }

  /** The payload as UTF-8 text. */
  get text(): string {
    return Buffer.from(this.payload.buffer, this.payload.byteOffset, this.payload.length).toString();
  }
}

/** What it throws becomes an uncaught exception of the process. */
export type MessageHandler = (message: ReceivedMessage) => void;

export interface SubscribeOptions {
  /** The highest QoS to receive with; 2 unless given. */
  readonly qos?: Qos;
  /** Not what this client emits itself. */
  readonly noLocal?: boolean;
  /** Not the last values of matching channels. */
  readonly noLastValue?: boolean;
}

/** Messages that wait for an iterator to take them; beyond these the newest is dropped and counted. */
const MAX_WAITING = 10_000;

/** A subscription: give it a handler, or iterate over it. */
export class Subscription implements AsyncIterable<ReceivedMessage> {
  readonly pattern: string;
  readonly options: Required<SubscribeOptions>;
  readonly #handler: MessageHandler | undefined;
  readonly #end: (subscription: Subscription) => void;
  readonly #waiting: ReceivedMessage[] = [];
  #takers: ((result: IteratorResult<ReceivedMessage>) => void)[] = [];
  #ended = false;
  #dropped = 0;

  constructor(
    pattern: string,
    options: SubscribeOptions,
    handler: MessageHandler | undefined,
    end: (subscription: Subscription) => void,
  ) {
    this.pattern = pattern;
    this.options = { qos: 2, noLocal: false, noLastValue: false, ...options };
    this.#handler = handler;
    this.#end = end;
  }

  /** Messages lost because nobody took them from the iterator in time. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Ends it: no more messages, and iterators finish after what already waits. */
  unsubscribe(): void {
    this.#end(this);
  }

  [Symbol.asyncIterator](): AsyncIterator<ReceivedMessage> {
    return {
      next: () => this.#next(),
      return: async () => {
        this.unsubscribe();
        return { done: true, value: undefined };
      },
    };
  }

  /** The client's: a message arrived. Returns false when it was dropped. */
  take(message: ReceivedMessage): boolean {
    const handler = this.#handler;
    if (handler) {
      isolated(handler, message);
      return true;
    }
    const taker = this.#takers.shift();
    if (taker) taker({ done: false, value: message });
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(message);
    else {
      this.#dropped++;
      return false;
    }
    return true;
  }

  /** The client's: no more messages will come. */
  finish(): void {
    this.#ended = true;
    for (const taker of this.#takers) taker({ done: true, value: undefined });
    this.#takers = [];
  }

  #next(): Promise<IteratorResult<ReceivedMessage>> {
    const message = this.#waiting.shift();
    if (message) return Promise.resolve({ done: false, value: message });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#takers.push(resolve));
  }
}
