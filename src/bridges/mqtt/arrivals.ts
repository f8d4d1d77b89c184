import { encode } from '../../mqtt/wire/encode.js';
import type { Acknowledgement, Publish } from '../../mqtt/wire/packets.js';
import { REASON } from '../../mqtt/wire/reason-codes.js';
import { Queue } from '../../session/queue.js';
import { matches } from '../../wire/patterns.js';
import type { IncomingMessage, UpstreamEvents } from '../upstream.js';
import { whatIsSaid } from './message-properties.js';
import type { BrokerSession } from './session.js';

/** Messages that wait for the router have no more bytes than this, and one more message. */
const MAX_WAITING_BYTES = 1_048_576;
/** What a message takes besides its payload, about. */
const MESSAGE_BYTES = 256;
/** Of so many names it is known whether their last value was heard, and of so many characters in them. */
const MAX_NAMES_HEARD = 100_000;
const MAX_HEARD_LENGTH = 8 * 1_048_576;

export interface ArrivalsContext {
  readonly level: 4 | 5;
  readonly session: BrokerSession;
  readonly incoming: UpstreamEvents['incoming'];
  /** Sends bytes once all that is remembered now will survive a power cut. */
  sendSafely(bytes: Uint8Array): void;
  /** Nothing more is to be read until `resume`. */
  pause(): void;
  resume(): void;
}

interface Arrival {
  readonly message: IncomingMessage;
  readonly id: number;
  readonly bytes: number;
}

/**
 * Messages from the broker (MQTT 5, 4.3). The router gets them when they come; of QoS 1 and 2 one after the other, and those that wait for it
 * are bounded. An acknowledgement leaves when what the router took is safe. Of QoS 2 only the identifier is kept until the broker releases it.
 */
export class Arrivals {
  readonly #context: ArrivalsContext;
  readonly #epoch: number;
  readonly #waiting = new Queue<Arrival>();
  #waitingBytes = 0;
  /** The router has one, and has not taken it. */
  #busy = false;
  #handing = false;
  #over = false;
  /** Names of which a message came that is to be kept: one of them is the last value that was there. */
  readonly #heard = new Set<string>();
  #heardLength = 0;

  constructor(context: ArrivalsContext) {
    this.#context = context;
    this.#epoch = context.session.epoch;
  }

  /** A message came. Its payload is a part of what was read, and stays as it is. */
  publish(packet: Publish): void {
    // What was not acknowledged comes again in the next connection.
    if (this.#over) return;
    const { qos, id, dup } = packet;
    if (qos === 2 && this.#context.session.hasReceived(id)) {
      if (dup) return this.#acknowledge('pubrec', id);
      // Only a broker that has forgotten its session sends another message by an identifier that it has not released.
      this.#context.session.forget(id);
    }
    const message = this.#read(packet);
    if (qos === 0) return this.#context.incoming(message, () => {});
    const arrival = { message, id, bytes: message.payload.length + MESSAGE_BYTES };
    if (this.#busy || this.#waiting.length > 0) this.#wait(arrival);
    else this.#hand(arrival);
  }

  /** A message came that is too large to be taken: the broker is not to send it again. */
  drop({ qos, id }: Pick<Publish, 'qos' | 'id'>): void {
    if (qos > 0) this.#acknowledge(qos === 1 ? 'puback' : 'pubrec', id);
  }

  /** The broker will not send that message again: its identifier is free for others. */
  released(id: number): void {
    this.#context.session.forget(id);
    this.#acknowledge('pubcomp', id);
  }

  /** The last values of what the pattern matches are asked for. */
  asked(pattern: string): void {
    const levels = pattern.split('/');
    for (const name of this.#heard) {
      if (!matches(levels, name.split('/'))) continue;
      this.#heard.delete(name);
      this.#heardLength -= name.length;
    }
  }

  /** The connection is over: the broker will send again what waits. */
  close(): void {
    this.#over = true;
    this.#waiting.drain();
  }

  #wait(arrival: Arrival): void {
    // What was read lies in a larger buffer, which would be held.
    const message = { ...arrival.message, payload: Uint8Array.from(arrival.message.payload) };
    this.#waiting.push({ ...arrival, message });
    this.#waitingBytes += arrival.bytes;
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#context.pause();
  }

  #hand({ message, id }: Arrival): void {
    this.#busy = true;
    let taken = false;
    this.#context.incoming(message, () => {
      if (taken) return;
      taken = true;
      this.#taken(message.qos === 2 ? 'pubrec' : 'puback', id);
    });
  }

  #taken(answer: 'puback' | 'pubrec', id: number): void {
    const { session } = this.#context;
    // Also when the connection is gone: the broker will send it again, in this session.
    if (answer === 'pubrec' && session.epoch === this.#epoch) session.receive(id);
    this.#busy = false;
    if (this.#over) return;
    this.#acknowledge(answer, id);
    this.#handWaiting();
  }

  #handWaiting(): void {
    // The router may take one before `incoming` returns: then whoever gave it to the router goes on.
    if (this.#handing) return;
    this.#handing = true;
    for (
      let next = this.#waiting.shift();
      next !== undefined;
      next = this.#busy ? undefined : this.#waiting.shift()
    ) {
      this.#waitingBytes -= next.bytes;
      this.#hand(next);
    }
    this.#handing = false;
    if (this.#waitingBytes <= MAX_WAITING_BYTES / 2) this.#context.resume();
  }

  #acknowledge(type: Acknowledgement['type'], id: number): void {
    this.#context.sendSafely(encode({ type, id, code: REASON.success, properties: {} }, this.#context.level));
  }

  #read({ topic, payload, qos, retain, properties }: Publish): IncomingMessage {
    return {
      name: topic,
      payload,
      qos,
      retain,
      stored: retain && this.#isFirst(topic),
      ...whatIsSaid(properties),
    };
  }

  /**
   * Neither version tells a last value that was asked for from one that is set now, if both shall say that they are to be kept. The one that
   * was asked for comes first.
   */
  #isFirst(name: string): boolean {
    if (this.#heard.has(name) || this.#heard.size >= MAX_NAMES_HEARD) return false;
    if (this.#heardLength + name.length > MAX_HEARD_LENGTH) return false;
    this.#heard.add(name);
    this.#heardLength += name.length;
    return true;
  }
}
