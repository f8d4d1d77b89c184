import { SlipwayError } from '../../errors.js';
import { extrasBytes, type MessageExtras } from '../../router/message.js';
import { encodePublish } from '../wire/encode-publish.js';
import type { ProtocolLevel, Publish } from '../wire/packets.js';
import type { MqttConnection } from './contract.js';
import { propertiesFor } from './extras.js';
import type { PublishContent } from './outgoing-publish.js';
import { OutgoingAliases } from './topic-aliases.js';

/** What a packet has at most besides its topic, payload and properties of its message, bytes: identifiers aside. */
const HEAD_BYTES = 32;
/** A subscription identifier with its property's own, at most, bytes. */
const IDENTIFIER_BYTES = 5;
/** No packet is longer, bytes (MQTT 5, 2.1.4). */
const MAX_PACKET_BYTES = 5 + 268_435_455;

/** How PUBLISH is written for one connection. `now`: ms on the clock on which messages expire. */
export class PublishEncoder {
  readonly #level: ProtocolLevel;
  readonly #maximumSize: number;
  readonly #aliases: OutgoingAliases | undefined;

  constructor({ level, maximumPacketSize, topicAliasMaximum }: MqttConnection) {
    this.#level = level;
    this.#maximumSize = Math.min(maximumPacketSize, MAX_PACKET_BYTES);
    if (topicAliasMaximum > 0) this.#aliases = new OutgoingAliases(topicAliasMaximum);
  }

  /** At QoS 0; undefined if it is too large for the client. */
  once(content: PublishContent, now: number): Uint8Array | undefined {
    const bare =
      this.#level !== 5 || (toldOf(content.extras) ?? content.identifiers ?? this.#aliases) === undefined;
    if (!bare) return this.numbered(content, 0, false, now);
    const packet = (this.#level === 5 ? LAST_OF_5 : LAST_OF_3).encode(content);
    return this.#unlessTooLarge(packet);
  }

  /** Under packet identifier `id`, `again` if it was sent before ([MQTT-3.3.1-1]); undefined if it is too large for the client. */
  numbered(content: PublishContent, id: number, again: boolean, now: number): Uint8Array | undefined {
    const { topic, payload, qos, retain, extras, identifiers } = content;
    const naming = this.#aliases && this.#fits(content) ? this.#aliases.use(topic) : undefined;
    const packet = encoded(
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
    return this.#unlessTooLarge(packet);
  }

  #unlessTooLarge(packet: Uint8Array | undefined): Uint8Array | undefined {
    return packet !== undefined && packet.length <= this.#maximumSize ? packet : undefined;
  }

  /** What might be too large to be sent cannot tell the client of an alias. */
  #fits({ topic, payload, extras, identifiers = [] }: PublishContent): boolean {
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

  encode({ topic, payload, retain }: PublishContent): Buffer | undefined {
    if (!this.#is(topic, payload, retain)) {
      const packet = encoded(
        { type: 'publish', dup: false, qos: 0, retain, topic, id: 0, payload, properties: undefined },
        this.#level,
      );
      if (packet === undefined) return undefined;
      this.#packet = packet;
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

/** What of the extras a client is told; undefined if nothing. */
function toldOf(extras: MessageExtras | undefined): unknown {
  return extras && (extras.properties ?? extras.expiresAt);
}

/** Undefined if no packet has room for it: what was as long as can be has become longer here (MQTT 5, 2.1.4). */
function encoded(packet: Publish, level: ProtocolLevel): Buffer | undefined {
  try {
    return encodePublish(packet, level);
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'unencodable') return undefined;
    throw error;
  }
}
