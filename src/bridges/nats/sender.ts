import type { NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../../clock.js';
import type { Run } from '../../router/subscriber.js';
import type { OutgoingMessage, UpstreamEvents } from '../upstream.js';
import type { HeaderWriter, WrittenHeaders } from './headers.js';
import { LineWriter } from './line-writer.js';
import type { Spelling } from './spelling.js';

/** Bytes that may be under way to the server: more are dropped, for they would wait in memory. */
const MOST_BYTES = 4 * 1024 * 1024;
/** After so many bytes the server is asked whether it has them. */
const ASK_BYTES = 64 * 1024;

/** What a message in a run is. */
const PLAIN = { qos: 0, retain: false, expiresAt: undefined, properties: undefined } as const;

/** Sends messages of QoS 0, as long as the server keeps up. */
export class Sender {
  readonly #nc: NatsConnection;
  readonly #lines: LineWriter;
  readonly #clock: Clock;
  readonly #headers: HeaderWriter;
  readonly #spelling: Spelling;
  readonly #events: Pick<UpstreamEvents, 'sendRefused'>;
  /** Bytes that were sent, that the server was asked about, and that it has. */
  #sent = 0;
  #askedAt = 0;
  #confirmed = 0;
  #asking = false;

  constructor(
    nc: NatsConnection,
    clock: Clock,
    headers: HeaderWriter,
    spelling: Spelling,
    events: Pick<UpstreamEvents, 'sendRefused'>,
  ) {
    this.#nc = nc;
    this.#lines = new LineWriter(nc);
    this.#clock = clock;
    this.#headers = headers;
    this.#spelling = spelling;
    this.#events = events;
  }

  /** False: there is no room, and it is dropped. */
  send(message: OutgoingMessage): boolean {
    if (!this.#hasRoom) return false;
    const { name, payload } = message;
    const now = this.#clock.now();
    const subject = this.#spelling.of(name);
    const headers = this.#headers.once(message, now);
    const problem = this.#spelling.problem(subject, headers.length + payload.length);
    if (problem !== undefined) {
      this.#events.sendRefused(name, ...problem);
      return true;
    }
    const key = message.retain ? this.#spelling.key(subject) : undefined;
    if (key !== undefined) this.#write(key, this.#headers.lastValue(message, now), [payload]);
    this.#write(subject, headers, [payload]);
    return true;
  }

  /** See `UpstreamConnection.sendRun`. */
  sendRun(name: string, via: readonly string[], run: Run): number {
    if (!this.#hasRoom) return 0;
    const subject = this.#spelling.of(name);
    const headers = this.#headers.once({ via, ...PLAIN }, 0);
    const payloads: Uint8Array[] = [];
    for (const payload of run) {
      const problem = this.#spelling.problem(subject, headers.length + payload.length);
      if (problem === undefined) payloads.push(payload);
      else this.#events.sendRefused(name, ...problem);
    }
    if (payloads.length > 0) this.#write(subject, headers, payloads);
    return run.count;
  }

  get #hasRoom(): boolean {
    return !this.#nc.isClosed() && this.#sent - this.#confirmed <= MOST_BYTES;
  }

  #write(subject: string, { bytes }: WrittenHeaders, payloads: readonly Uint8Array[]): void {
    this.#sent += this.#lines.write(subject, bytes, payloads);
    if (this.#sent - this.#askedAt >= ASK_BYTES && !this.#asking) this.#ask();
  }

  #ask(): void {
    const sent = this.#sent;
    this.#askedAt = sent;
    this.#asking = true;
    const answered = () => {
      this.#asking = false;
      this.#confirmed = sent;
      // What was sent since may be all there is for now, and would count for ever.
      if (this.#sent - this.#askedAt >= ASK_BYTES) this.#ask();
    };
    // Without an answer the connection is lost, which is told elsewhere.
    this.#nc.flush().then(answered, () => {});
  }
}
