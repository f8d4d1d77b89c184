import { extrasBytes } from '../../router/message.js';
import { encodePublish } from '../wire/encode-publish.js';
import type { ProtocolLevel } from '../wire/packets.js';
import type { MqttConnection } from './contract.js';
import { propertiesFor } from './extras.js';
import type { PublishContent } from './outgoing-publish.js';
import { OutgoingAliases } from './topic-aliases.js';

/** What a packet has at most besides its topic, payload and properties of its message, bytes: identifiers aside. */
const HEAD_BYTES = 32;
/** A subscription identifier with its property's own, at most, bytes. */
const IDENTIFIER_BYTES = 5;

/** How PUBLISH is written for one connection. `now`: ms on the clock on which messages expire. */
export class PublishEncoder {
  readonly #level: ProtocolLevel;
  readonly #maximumSize: number;
  readonly #aliases: OutgoingAliases | undefined;

  constructor({ level, maximumPacketSize, topicAliasMaximum }: MqttConnection) {
    this.#level = level;
    this.#maximumSize = maximumPacketSize;
    if (topicAliasMaximum > 0) this.#aliases = new OutgoingAliases(topicAliasMaximum);
  }

  /** At QoS 0; undefined if it is too large for the client. */
  once(content: PublishContent, now: number): Uint8Array | undefined {
    const bare = this.#level !== 5 || (content.extras ?? content.identifiers ?? this.#aliases) === undefined;
    if (!bare) return this.numbered(content, 0, false, now);
    const packet = (this.#level === 5 ? LAST_OF_5 : LAST_OF_3).encode(content);
    return packet.length <= this.#maximumSize ? packet : undefined;
  }

  /** Under packet identifier `id`, `again` if it was sent before ([MQTT-3.3.1-1]); undefined if it is too large for the client. */
  numbered(content: PublishContent, id: number, again: boolean, now: number): Uint8Array | undefined {
    const { topic, payload, qos, retain, extras, identifiers } = content;
    const naming = this.#fits(content) ? this.#aliases?.use(topic) : undefined;
    const packet = encodePublish(
      {
        type: 'publish',
        dup: again,
        qos,
        retain,
        topic: naming?.known ? '' : topic,
        id,
        payload,
        properties: this.#level === 5 ? propertiesFor(extras, identifiers, naming, now) : undefined,
      },
      this.#level,
    );
    return packet.length <= this.#maximumSize ? packet : undefined;
  }

  /** What might be too large to be sent cannot tell the client of an alias. */
  #fits({ topic, payload, extras, identifiers = [] }: PublishContent): boolean {
    if (this.#maximumSize === Number.POSITIVE_INFINITY) return true;
    const texts = 3 * topic.length + payload.length + 2 * extrasBytes(extras);
    return texts + HEAD_BYTES + IDENTIFIER_BYTES * identifiers.length <= this.#maximumSize;
  }
}

/**
 * The last PUBLISH of QoS 0 that was written without properties: one message goes to many clients, and is the same to all of a level. It
 * knows the message by its content, as payloads lie in buffers that are used again.
 */
class LastPublish {
  readonly #level: ProtocolLevel;
  #topic = '';
  #retain = false;
  #payload: Uint8Array | undefined;
  #packet: Buffer = Buffer.alloc(0);

  constructor(level: ProtocolLevel) {
    this.#level = level;
  }

  encode({ topic, payload, retain }: PublishContent): Buffer {
    if (!this.#is(topic, payload, retain)) {
      this.#packet = encodePublish(
        { type: 'publish', dup: false, qos: 0, retain, topic, id: 0, payload, properties: undefined },
        this.#level,
      );
      this.#topic = topic;
      this.#retain = retain;
      this.#payload = payload;
    }
    return this.#packet;
  }

  #is(topic: string, payload: Uint8Array, retain: boolean): boolean {
    if (this.#payload !== payload || this.#topic !== topic || this.#retain !== retain) return false;
    const packet = this.#packet;
    return packet.compare(payload, 0, payload.length, packet.length - payload.length) === 0;
  }
}

const LAST_OF_3 = new LastPublish(4);
const LAST_OF_5 = new LastPublish(5);
