import type { SerialLink } from '../links/serial/serial-link.js';
import type { Channel } from '../router/channel.js';
import type { DeliveryRefusal, Subscriber } from '../router/subscriber.js';

/** Writes the messages of a channel as lines to a board that knows no packets. */
export class LineWriter implements Subscriber {
  readonly #link: SerialLink;
  readonly #maxBacklog: number;

  /** `maxBacklog`: bytes that may wait to be written. */
  constructor(link: SerialLink, maxBacklog: number) {
    this.#link = link;
    this.#maxBacklog = maxBacklog;
  }

  hasRoom(_channel: Channel, payloadLength: number): boolean {
    return this.#link.backlog() + payloadLength + 1 <= this.#maxBacklog;
  }

  deliver(channel: Channel, payload: Uint8Array): DeliveryRefusal | undefined {
    if (!this.hasRoom(channel, payload.length)) return 'queue_full';
    this.#link.writeLine(Buffer.from(payload).toString());
    return undefined;
  }
}
