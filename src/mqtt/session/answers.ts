import type { Counters } from '../../counters.js';
import { encode } from '../wire/encode.js';
import type { Acknowledgement, AnswerProperties, ProtocolLevel, ServerPacket } from '../wire/packets.js';
import { REASON } from '../wire/reason-codes.js';
import type { MqttConnection } from './contract.js';

const NOTHING: AnswerProperties = Object.freeze({});
const PINGRESP: ServerPacket = { type: 'pingresp' };

/** First bytes of acknowledgements (MQTT 5, 2.1.3). */
const HEADS = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const;

/** What one connection is answered. */
export class Answers {
  readonly #connection: MqttConnection;
  readonly #counters: Counters;

  constructor(connection: MqttConnection, counters: Counters) {
    this.#connection = connection;
    this.#counters = counters;
  }

  get level(): ProtocolLevel {
    return this.#connection.level;
  }

  ping(): void {
    this.#send(PINGRESP);
  }

  /** `problem` is for people. Clients of 3.1.1 hear neither that nor the code. */
  acknowledge(
    type: Acknowledgement['type'],
    id: number,
    code: number = REASON.success,
    problem?: string,
  ): void {
    if (code === REASON.success || this.#connection.level !== 5)
      return this.#connection.send(acknowledgement(HEADS[type], id));
    this.#send({ type, id, code, properties: this.#properties(problem) });
  }

  /** SUBACK or UNSUBACK, with a code for each request, in order ([MQTT-3.9.3-1], [MQTT-3.11.3-1]). */
  subscribed(type: 'suback' | 'unsuback', id: number, codes: readonly number[], problem?: string): void {
    this.#send({ type, id, codes, properties: this.#properties(problem) });
  }

  /** Not to those who asked to be spared ([MQTT-3.1.2-29]). */
  #properties(reasonString: string | undefined): AnswerProperties {
    if (reasonString === undefined || !this.#connection.problemInformation) return NOTHING;
    return { reasonString };
  }

  #send(packet: ServerPacket): void {
    const { level, maximumPacketSize } = this.#connection;
    const bytes = encode(packet, level, maximumPacketSize);
    // [MQTT-3.1.2-25]
    if (bytes === undefined) return this.#counters.add('mqtt.drop.too_large_for_receiver');
    this.#connection.send(bytes);
  }
}

/** Success needs no reason code (MQTT 5, 3.4.2.1): the same four bytes at every level. */
function acknowledgement(head: number, id: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  bytes[0] = head;
  bytes[1] = 2;
  bytes[2] = id >>> 8;
  bytes[3] = id & 0xff;
  return bytes;
}
