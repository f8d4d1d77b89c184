import { writeVarint } from '../../../src/wire/varint.js';
import { BenchFailure } from '../row.js';
import { Speaker } from './speaker.js';

/** The upper half of a packet's first byte. */
const CONNECT = 0x10;
const CONNACK = 0x20;
const PUBLISH = 0x30;
const PUBACK = 0x40;
const SUBSCRIBE = 0x82;
const SUBACK = 0x90;

/** Packet ids go from 1 to this, over and over: more than are ever on their way, and a divisor of every cycle that is longer. */
const PACKET_IDS = 32_768;

/** MQTT 3.1.1. */
export class MqttSpeaker extends Speaker {
  readonly #name = text(this.load.channel);
  #acknowledgements: Buffer[] = [];

  async greet(): Promise<void> {
    if (this.load.qos === 2) throw new BenchFailure('this speaker of MQTT has no QoS 2');
    const { kind, number } = this.part;
    const id = text(`${kind}-${number}-${process.pid}`);
    // Protocol level 4, a clean session, no keep-alive.
    const header = Buffer.concat([text('MQTT'), Buffer.from([4, 2, 0, 0]), id]);
    this.connection.write(packet(CONNECT, header));
    await this.hears<number>((type) => type === CONNACK);
    if (kind === 'publisher') return;
    this.connection.write(packet(SUBSCRIBE, Buffer.from([0, 1]), this.#name, Buffer.from([this.load.qos])));
    await this.hears<number>((type) => type === SUBACK);
  }

  encode(payloads: readonly Buffer[], first: number): Buffer {
    const { qos } = this.load;
    return Buffer.concat(
      payloads.map((payload, i) =>
        qos > 0
          ? packet(PUBLISH | (qos << 1), this.#name, packetId(first + i), payload)
          : packet(PUBLISH, this.#name, payload),
      ),
    );
  }

  acknowledgement(first: number): Buffer {
    return Buffer.concat(
      Array.from({ length: this.load.block }, (_, i) => packet(PUBACK, packetId(first + i))),
    );
  }

  read(bytes: Buffer, view: DataView, to: number): number {
    let at = 0;
    let confirmed = 0;
    while (at + 2 <= to) {
      const head = bytes[at] as number;
      let start = at + 1;
      let length = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[start++] as number;
        length |= (byte & 0x7f) << shift;
        if (byte < 0x80 || start >= to) break;
      }
      const end = start + length;
      if (end > to) break;
      const type = head & 0xf0;
      if (type === PUBLISH) this.#publish(bytes, view, head, start, end);
      else if (type === PUBACK) confirmed++;
      else this.heard(type);
      at = end;
    }
    if (confirmed > 0) this.acknowledged(confirmed);
    if (this.#acknowledgements.length > 0) {
      this.connection.write(Buffer.concat(this.#acknowledgements));
      this.#acknowledgements = [];
    }
    return at;
  }

  #publish(bytes: Buffer, view: DataView, head: number, start: number, end: number): void {
    if ((head & 0x08) !== 0) throw new BenchFailure('a message was sent again on a connection that stands');
    let at = start + 2 + view.getUint16(start);
    if ((head & 0x06) !== 0) {
      this.#acknowledgements.push(packet(PUBACK, bytes.subarray(at, at + 2)));
      at += 2;
    }
    this.deliver(view, at, end);
  }
}

function packet(head: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const bytes = Buffer.alloc(5 + body.length);
  bytes[0] = head;
  const start = writeVarint(bytes, 1, body.length);
  bytes.set(body, start);
  return bytes.subarray(0, start + body.length);
}

function text(value: string): Buffer {
  return Buffer.concat([idBytes(value.length), Buffer.from(value)]);
}

/** Of the message that is number `index` of the cycle. */
function packetId(index: number): Buffer {
  return idBytes((index % PACKET_IDS) + 1);
}

function idBytes(id: number): Buffer {
  return Buffer.from([id >> 8, id & 0xff]);
}
