import { BenchFailure } from '../row.js';
import type { Connection } from './connection.js';
import { type Tally, writePayload } from './payload.js';
import type { TcpLoad } from './tcp-load.js';

/** How long a server may take to answer a greeting, ms. */
const PATIENCE_MS = 10_000;

/** What a subscriber has to do with, or a publisher. */
export type Part =
  | { readonly kind: 'subscriber'; readonly number: number; readonly tally: Tally }
  | {
      readonly kind: 'publisher';
      readonly number: number;
      /** So many more messages were acknowledged. */
      readonly acknowledged: (count: number) => void;
    };

/** One end of a connection in one protocol. */
export abstract class Speaker {
  protected readonly connection: Connection;
  protected readonly load: TcpLoad;
  protected readonly part: Part;
  #heard: { matches: (answer: unknown) => boolean; resolve: () => void } | undefined;

  constructor(connection: Connection, load: TcpLoad, part: Part) {
    this.connection = connection;
    this.load = load;
    this.part = part;
  }

  /** Introduces itself, and subscribes if it is a subscriber. From then on messages may flow. */
  abstract greet(): Promise<void>;
  /** A block of messages as it is published: `payloads`, the first of which is number `first` of the cycle. */
  abstract encode(payloads: readonly Buffer[], first: number): Buffer;
  /** The same as a subscriber gets it, from a server that is `blind`; what it publishes unless overridden. */
  delivery(payloads: readonly Buffer[], first: number): Buffer {
    return this.encode(payloads, first);
  }
  /** What such a server acknowledges a block with, whose first message is number `first` of the cycle. */
  abstract acknowledgement(first: number): Buffer;
  abstract read(bytes: Buffer, view: DataView, to: number): number;

  /** All blocks of the cycle, made by `how`. */
  blocks(how: (payloads: readonly Buffer[], first: number) => Buffer): Buffer[] {
    const { block, cycle, payloadBytes } = this.load;
    return Array.from({ length: cycle }, (_, n) => {
      const first = n * block;
      const payloads = Array.from({ length: block }, (_, i) => {
        const payload = Buffer.alloc(payloadBytes);
        writePayload(payload, this.part.number, first + i);
        return payload;
      });
      return how(payloads, first);
    });
  }

  /** Waits for an answer that `matches`. */
  protected async hears<A>(matches: (answer: A) => boolean): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#heard = { matches: matches as (answer: unknown) => boolean, resolve };
      timer = setTimeout(() => reject(new BenchFailure('the server does not answer')), PATIENCE_MS);
    });
    clearTimeout(timer);
  }

  /** Something came that is no message. */
  protected heard(answer: unknown): void {
    if (!this.#heard?.matches(answer)) return;
    const { resolve } = this.#heard;
    this.#heard = undefined;
    resolve();
  }

  protected deliver(view: DataView, start: number, end: number): void {
    if (this.part.kind === 'publisher') throw new BenchFailure('a publisher was sent a message');
    this.part.tally.take(view, start, end);
  }

  protected acknowledged(count: number): void {
    if (this.part.kind === 'publisher') this.part.acknowledged(count);
  }
}
