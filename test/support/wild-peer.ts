import type { Link, LinkEvents } from '../../src/links/link.js';
import { decodePacket } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Hello, Message } from '../../src/wire/messages.js';
import type { Random } from './random.js';
import { hello } from './raw-peers.js';
import type { Simulation } from './simulation.js';

const CHANNELS = ['a', 'b', 'a/b', 'c/d/e', 'f', '$slipway/broadcast'];
const PATTERNS = ['a', 'a/#', '+', '#', 'f', 'c/+/e', '$slipway/devices/+/state', 'bad#'];
const EXPIRIES = [0, 3, 60, 3600];
const REASONS = ['normal', 'end_session', 'malformed', 'timeout'] as const;
const NAMES = [...CHANNELS, 'g', 'h', 'i', 'j', 'k', 'l'];

/** A peer without an engine or any sense: it says whatever the protocol lets it say, in any order. */
export class WildPeer {
  readonly #simulation: Simulation;
  readonly #random: Random;
  readonly #identity: string;
  #nonce = 1;
  #token = 0;
  /** The number of its next reliable message, and the one that it expects. */
  #nextOut = 0;
  #nextIn = 0;
  #offered: number | undefined;
  #hello: Partial<Hello> = {};
  #events: LinkEvents | undefined;
  #links = 0;

  constructor(simulation: Simulation, identity: string) {
    this.#simulation = simulation;
    this.#random = simulation.random;
    this.#identity = identity;
  }

  /** The gateway's process ended, or the cable was cut; `told`: the gateway hears of it. */
  unplug(told: boolean): void {
    const events = this.#events;
    this.#events = undefined;
    this.#offered = undefined;
    if (told) events?.closed('cut');
  }

  act(): void {
    const random = this.#random;
    if (!this.#events || random.chance(0.02)) return this.#plugIn();
    if (random.chance(0.03)) return this.unplug(true);
    if (random.chance(0.04)) return this.#greet();
    const messages: Message[] = [];
    if (this.#offered !== undefined) {
      this.#token = this.#offered;
      this.#offered = undefined;
      messages.push({ type: 'begin', token: this.#token });
    }
    for (let n = random.below(5); n >= 0; n--) messages.push(this.#message());
    this.#events.packet(encodePacket(messages));
  }

  #plugIn(): void {
    if (this.#events && this.#random.chance(0.5)) this.unplug(true);
    const kind = this.#random.chance(0.5) ? 'serial' : 'udp';
    const plug = `${this.#identity}:${++this.#links}`;
    const link: Link = {
      kind,
      name: plug,
      reliable: false,
      ordered: kind === 'serial',
      maxPacket: 1024,
      wireSize: (packet) => packet.length,
      send: (packet) => {
        if (this.#events === events) this.#hear(decodePacket(packet, 'gateway'));
      },
      backlog: () => 0,
      close: async () => events.closed('closed'),
    };
    const events = this.#simulation.hub.attach(link);
    this.#events = events;
    this.#greet();
  }

  #greet(): void {
    const random = this.#random;
    if (random.chance(0.2)) {
      this.#nonce++;
      this.#token = 0;
    }
    const pick = <T>(values: readonly T[]) => values[random.below(values.length)] as T;
    this.#hello = {
      nonce: this.#nonce,
      token: this.#token,
      received: this.#nextIn,
      clean: random.chance(0.1),
      program: random.chance(0.2),
      expiry: pick(EXPIRIES),
      keepAlive: pick([0, 10]),
      window: pick([0, 1, 8]),
      maxPacket: pick([48, 120, 1000]),
      ids: pick([0, 3, 20]),
    };
    this.#events?.packet(encodePacket([hello(this.#identity, this.#hello)]));
  }

  #hear(messages: Message[]): void {
    for (const message of messages) {
      if (message.type === 'welcome' && message.nonce === this.#nonce) {
        this.#offered = message.token;
        this.#nextOut = message.nextIn;
        if (!message.continues) this.#nextIn = message.nextOut;
      } else if ('seq' in message && message.seq === this.#nextIn) {
        this.#nextIn = (this.#nextIn + 1) & 0xffff;
      }
    }
  }

  #message(): Message {
    const random = this.#random;
    const pick = <T>(values: readonly T[]) => values[random.below(values.length)] as T;
    const payload = () => new Uint8Array(pick([0, 1, 10, 100, 300]));
    const seq = () => {
      const next = this.#nextOut;
      this.#nextOut = (next + 1) & 0xffff;
      return next;
    };
    const back = (most: number) => (this.#nextIn - random.below(most)) & 0xffff;
    switch (random.below(16)) {
      case 0:
      case 1: {
        const pattern = pick(PATTERNS);
        const id = /[+#]/.test(pattern) ? 0 : random.below(4);
        return {
          type: 'subscribe',
          seq: seq(),
          qos: pick([0, 1, 2] as const),
          noLocal: random.chance(0.3),
          noLastValue: random.chance(0.3),
          id,
          pattern,
        };
      }
      case 2:
        return { type: 'unsubscribe', seq: seq(), pattern: pick([...PATTERNS, '', '']) };
      case 3:
        return { type: 'declare', seq: seq(), id: 1 + random.below(6), name: pick(NAMES) };
      case 4:
      case 5:
      case 6:
        return {
          type: 'emit',
          seq: seq(),
          qos: pick([1, 2] as const),
          retain: random.chance(0.3),
          name: pick(NAMES),
          payload: payload(),
        };
      case 7:
        return {
          type: 'emit',
          seq: seq(),
          qos: 1,
          retain: false,
          id: random.below(6),
          gatewayId: random.chance(0.3),
          payload: payload(),
        };
      case 8:
        return { type: 'emit', qos: 0, retain: random.chance(0.5), name: pick(NAMES), payload: payload() };
      case 9:
        return {
          type: 'will',
          seq: seq(),
          qos: pick([0, 1, 2] as const),
          retain: random.chance(0.3),
          name: pick(['', ...NAMES]),
          payload: new Uint8Array(0),
        };
      case 10:
        return { type: 'sleep', seq: seq(), seconds: pick([0, 2, 100]) };
      case 11:
        return { type: 'reject', seq: seq(), of: back(4), reason: 'too_large' };
      case 12:
        return pick<Message>([
          { type: 'ping', token: 1 },
          { type: 'time', token: 1 },
          { type: 'bye', reason: pick(REASONS) },
          { type: 'refuse', reason: 'no_session', head: 0x80, detail: new Uint8Array() },
        ]);
      default:
        return { type: 'ack', next: back(random.chance(0.2) ? 6 : 1), bitmap: random.bytes(random.below(2)) };
    }
  }
}
