import type { IPublishPacket } from 'mqtt-packet';
import type { SessionPacket } from '../../../src/mqtt/session/contract.js';
import type { Random } from '../../support/random.js';
import { acknowledge, publish, type Sent } from './rig.js';

/** Few, so that they are used again and again. */
const IDS = 5;

interface OwnMessage {
  readonly payload: string;
  readonly qos: 1 | 2;
  /** PUBREC came. */
  received: boolean;
}

/** A client that does all that the standard asks for, and forgets nothing when its connection is lost. */
export class HonestClient {
  /** What it heard, in order: at QoS 2 once for each packet identifier. */
  readonly heard: string[] = [];
  /** What it published, and what became of that. */
  readonly acknowledged: string[] = [];
  readonly refused: string[] = [];
  readonly #random: Random;
  readonly #own = new Map<number, OwnMessage>();
  /** Packet identifiers of QoS 2 that the server has not released. */
  readonly #taken = new Set<number>();
  /** What the server has to wait for, on this connection. */
  readonly #unacknowledged = new Set<number>();
  readonly #topics = new Map<number, string>();
  #quota = 0;
  #published = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get idle(): boolean {
    return this.#own.size === 0;
  }

  /** A connection stands: what it sends first. `quota` is what it told the server. */
  connect(quota: number): SessionPacket[] {
    this.#quota = quota;
    this.#unacknowledged.clear();
    this.#topics.clear();
    return [...this.#own].map(([id, { payload, qos, received }]) =>
      received ? acknowledge('pubrel', id) : publish('up', payload, qos, id, { dup: true }),
    );
  }

  /** Publishes something new, if it may. */
  publish(): SessionPacket[] {
    const id = 1 + this.#random.below(IDS);
    if (this.#own.has(id)) return [];
    const qos = this.#random.chance(0.5) ? 1 : 2;
    const payload = `up at ${qos}: ${++this.#published}`;
    this.#own.set(id, { payload, qos, received: false });
    return [publish('up', payload, qos, id)];
  }

  /** Takes a packet; returns the answer. */
  take(packet: Sent): SessionPacket[] {
    if (packet.cmd === 'publish') return this.#hear(packet);
    const { messageId: id = 0, reasonCode: code = 0 } = packet as { messageId?: number; reasonCode?: number };
    switch (packet.cmd) {
      case 'pubrel':
        this.#taken.delete(id);
        this.#unacknowledged.delete(id);
        return [acknowledge('pubcomp', id)];
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        return this.#answered(packet.cmd, id, code);
      default:
        throw new Error(`the server sent ${packet.cmd}`);
    }
  }

  #hear({ payload, qos, dup, messageId: id = 0, topic, properties }: Sent & IPublishPacket): SessionPacket[] {
    const alias = properties?.topicAlias;
    if (alias !== undefined && topic !== '') this.#topics.set(alias, topic);
    const name = topic === '' ? this.#topics.get(alias as number) : topic;
    const text = `${name} ${payload.toString()}`;
    if (qos === 0) {
      this.heard.push(text);
      return [];
    }
    if (this.#unacknowledged.has(id)) throw new Error(`packet identifier ${id} is in use`);
    this.#unacknowledged.add(id);
    if (this.#unacknowledged.size > this.#quota)
      throw new Error(`more than ${this.#quota} are not acknowledged`);
    if (qos === 1) {
      this.heard.push(text);
      this.#unacknowledged.delete(id);
      return [acknowledge('puback', id)];
    }
    if (!this.#taken.has(id)) this.heard.push(text);
    else if (!dup) throw new Error(`${id} comes again without DUP`);
    this.#taken.add(id);
    return [acknowledge('pubrec', id)];
  }

  #answered(type: 'puback' | 'pubrec' | 'pubcomp', id: number, code: number): SessionPacket[] {
    const message = this.#own.get(id);
    if (message === undefined) throw new Error(`${type} for ${id}, which waits for nothing`);
    if (code >= 0x80 && code !== 0x92) {
      if (message.received) throw new Error(`${message.payload} is refused too late`);
      this.#own.delete(id);
      this.refused.push(message.payload);
      return [];
    }
    if (type === 'pubrec') {
      message.received = true;
      return [acknowledge('pubrel', id)];
    }
    this.#own.delete(id);
    this.acknowledged.push(message.payload);
    return [];
  }
}
