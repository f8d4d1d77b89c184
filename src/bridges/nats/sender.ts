import type { NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../../clock.js';
import type { OutgoingMessage, UpstreamEvents } from '../upstream.js';
import type { HeaderWriter, WrittenHeaders } from './headers.js';
import type { Spelling } from './spelling.js';

/** Bytes that may be under way to the server: more are dropped, for they would wait in memory. */
const MOST_BYTES = 4 * 1024 * 1024;
/** After so many bytes the server is asked whether it has them. */
const ASK_BYTES = 64 * 1024;

/** Sends messages of QoS 0, as long as the server keeps up. */
export class Sender {
  readonly #nc: NatsConnection;
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
    this.#clock = clock;
    this.#headers = headers;
    this.#spelling = spelling;
    this.#events = events;
  }

  /** False: there is no room, and it is dropped. */
  send(message: OutgoingMessage): boolean {
    if (this.#nc.isClosed() || this.#sent - this.#confirmed > MOST_BYTES) return false;
    const { name } = message;
    const now = this.#clock.now();
    const spelt = this.#spelling.of(name);
    const headers = this.#headers.once(message, now);
    const problem = this.#spelling.problem(spelt, headers.length + message.payload.length);
    if (problem !== undefined) {
      this.#events.sendRefused(name, ...problem);
      return true;
    }
    // It is written when the turn is over, and is only there until then.
    const payload = new Uint8Array(message.payload);
    const key = message.retain ? this.#spelling.key(spelt) : undefined;
    if (key !== undefined) this.#publish(key, payload, this.#headers.lastValue(message, now));
    this.#publish(spelt, payload, headers);
    return true;
  }

  #publish(subject: string, payload: Uint8Array, { headers, length }: WrittenHeaders): void {
    this.#nc.publish(subject, payload, { headers });
    this.#sent += subject.length + length + payload.length;
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
