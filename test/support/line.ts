import type { LinkEvents } from '../../src/links/link.js';
import { decodePacket } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Hello, Message, Welcome } from '../../src/wire/messages.js';
import type { Simulation } from './simulation.js';

/** A link of which the test is the other end. */
export class Line {
  readonly events: LinkEvents;
  readonly received: Message[] = [];
  closed = false;
  backlog = 0;
  readonly #simulation: Simulation;

  constructor(simulation: Simulation, kind: 'serial' | 'udp' | 'tcp') {
    this.#simulation = simulation;
    this.events = simulation.hub.attach({
      kind,
      name: kind,
      reliable: false,
      ordered: kind !== 'udp',
      maxPacket: 1024,
      wireSize: (packet) => packet.length,
      send: (packet) => this.received.push(...decodePacket(packet, 'gateway')),
      backlog: () => this.backlog,
      close: async () => {
        this.closed = true;
      },
    });
  }

  /** Sends one packet; returns what came back at once. */
  say(...messages: Message[]): Message[] {
    this.received.length = 0;
    this.events.packet(encodePacket(messages));
    this.#simulation.clock.advance(0);
    return [...this.received];
  }

  welcome(hello: Hello): Welcome {
    const [answer] = this.say(hello);
    if (answer?.type !== 'welcome') throw new Error(`${answer?.type} in place of a WELCOME`);
    return answer;
  }

  /** HELLO to BEGIN; returns the WELCOME in between. */
  begin(hello: Hello, ...more: Message[]): Welcome {
    const welcome = this.welcome(hello);
    this.say({ type: 'begin', token: welcome.token }, ...more);
    return welcome;
  }
}

/** A HELLO that a gateway takes. */
export function hello(more: Partial<Hello> = {}): Hello {
  return {
    type: 'hello',
    version: 1,
    clean: false,
    program: false,
    nonce: 1,
    token: 0,
    received: 0,
    keepAlive: 0,
    expiry: 3600,
    maxPacket: 512,
    window: 8,
    inFlight: 8,
    buffer: 0,
    ids: 0,
    identity: 'uno',
    ...more,
  };
}
