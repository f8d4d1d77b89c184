import {
  generate,
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type Packet,
  parser,
} from 'mqtt-packet';
import type { ByteLink, ByteLinkEvents } from '../../../src/links/byte-link.js';
import type { Simulation } from '../../support/simulation.js';

let links = 0;

/** A client of MQTT on a connection that is there at once, with a codec that is not ours. */
export class SimulatedClient {
  /** What it was sent. */
  readonly got: Packet[] = [];
  /** Why its connection ended. */
  ended: string | undefined;
  /** Bytes that the system has not taken, as it says. */
  unsent = 0;
  paused = false;
  readonly #events: ByteLinkEvents;
  readonly #level: 4 | 5;
  readonly #unread: Buffer[] = [];

  constructor({ mqttHub }: Simulation, level: 4 | 5 = 5, party = '192.0.2.1') {
    this.#level = level;
    const decoder = parser({ protocolVersion: level });
    decoder.on('packet', (packet) => this.got.push(packet));
    decoder.on('error', (error) => {
      throw error;
    });
    const link: ByteLink = {
      kind: 'mqtt',
      name: `mqtt:simulated:${++links}`,
      party,
      secure: undefined,
      send: (bytes) => void (this.ended === undefined && decoder.parse(Buffer.from(bytes))),
      backlog: () => this.unsent,
      packetEnded: () => undefined,
      pause: () => {
        this.paused = true;
      },
      resume: () => {
        this.paused = false;
        while (!this.paused && this.#unread.length > 0) this.#events.bytes(this.#unread.shift() as Buffer);
      },
      close: () => Promise.resolve(this.#end('closed by the gateway')),
      destroy: (reason) => this.#end(reason),
    };
    this.#events = mqttHub.attach(link);
  }

  /** Sends packets, all at once. */
  send(...packets: Packet[]): void {
    const chunk = Buffer.concat(packets.map((packet) => generate(packet, { protocolVersion: this.#level })));
    if (this.paused) this.#unread.push(chunk);
    else this.#events.bytes(chunk);
  }

  /** Connects, and returns the answer, if there was one at once. */
  connect(clientId: string, more: Partial<IConnectPacket> = {}): IConnackPacket | undefined {
    const own = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: this.#level, keepalive: 0 } as const;
    this.send({ ...own, clean: true, clientId, ...more });
    return this.of('connack')[0];
  }

  subscribe(topic: string, qos: 0 | 1 | 2 = 0): void {
    this.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] });
  }

  publish(topic: string, payload: string, more: Partial<IPublishPacket> = {}): void {
    const qos = more.qos ?? 0;
    this.send({ cmd: 'publish', topic, payload, qos, dup: false, retain: false, messageId: 7, ...more });
  }

  /** What it was sent of one kind. */
  of<C extends Packet['cmd']>(cmd: C): Extract<Packet, { cmd: C }>[] {
    return this.got.filter((packet): packet is Extract<Packet, { cmd: C }> => packet.cmd === cmd);
  }

  /** Messages as `topic payload`. */
  get messages(): string[] {
    return this.of('publish').map(({ topic, payload }) => `${topic} ${payload.toString()}`);
  }

  /** The system takes all that was unsent. */
  takeUnsent(): void {
    this.unsent = 0;
    this.#events.drained?.();
  }

  /** The connection breaks. */
  cut(): void {
    this.#end('cut');
  }

  #end(why: string): void {
    if (this.ended !== undefined) return;
    this.ended = why;
    this.#events.closed(why);
  }
}
