import type { Clock } from '../../../src/clock.js';
import type { Link, LinkEvents } from '../../../src/links/link.js';
import { decodePacket } from '../../../src/wire/decode.js';
import type { Message } from '../../../src/wire/messages.js';
import { must } from '../target.js';

const TRAITS = {
  serial: { reliable: false, ordered: true, maxPacket: 1024 },
  udp: { reliable: false, ordered: false, maxPacket: 1472 },
  tcp: { reliable: true, ordered: true, maxPacket: 65_536 },
} as const;

/** What fits any peer (PROTOCOL.md §3.2). */
const LEAST_PACKET = 48;

/** The gateway's end of a link to a peer that keeps to nothing: what the gateway sends is looked at closely. */
export class HostileLink implements Link {
  readonly kind: Link['kind'];
  readonly name: string;
  readonly reliable: boolean;
  readonly ordered: boolean;
  readonly maxPacket: number;
  /** Says what arrives; set once the hub has the link. */
  events!: LinkEvents;
  isClosed = false;
  /** The token of the last WELCOME. */
  token = 0;
  /** The largest packet that the peer said it takes, bytes. */
  announced = LEAST_PACKET;
  unsent = 0;
  sent = 0;
  readonly #clock: Clock;

  constructor(kind: Link['kind'], name: string, clock: Clock) {
    this.kind = kind;
    this.name = name;
    ({ reliable: this.reliable, ordered: this.ordered, maxPacket: this.maxPacket } = TRAITS[kind]);
    this.#clock = clock;
  }

  wireSize(packet: Uint8Array): number {
    return packet.length;
  }

  send(packet: Uint8Array): void {
    this.sent++;
    const most = Math.min(this.maxPacket, this.announced);
    must(packet.length <= most, `the peer takes ${most} bytes, and is sent ${packet.length}`);
    for (const message of decodePacket(packet, 'gateway')) this.#note(message);
  }

  #note(message: Message): void {
    if (message.type === 'welcome') this.token = message.token;
  }

  backlog(): number {
    return this.unsent;
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    // As from a socket: later.
    this.#clock.defer(() => this.events.closed('closed by the gateway'));
  }

  /** The peer hangs up. */
  cut(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.events.closed('cut');
  }
}
