import type { Counters } from '../../counters.js';
import { endpointName } from '../endpoint.js';
import type { Link, LinkEvents } from '../link.js';
import { partyOf } from '../party.js';

/** Where a datagram came from or goes to. `host` is an address, IPv4 in its plain form also on a socket for both families. */
export interface UdpAddress {
  readonly host: string;
  readonly port: number;
}

/** The socket behind a link. */
export interface UdpCarrier {
  readonly maxPacket: number;
  readonly counters: Counters;
  /** Copies and sends one datagram, or drops and counts it. Tells the link, later, when the system has it or never will. */
  transmit(packet: Uint8Array, link: UdpLink): void;
  /** Nothing more goes to this link. */
  detach(link: UdpLink): void;
}

/**
 * One peer of a UDP socket, known by its address and port (PROTOCOL.md §2.2). Counts under `udp.`. There may be very many:
 * what is the same for all, or can be told from the rest, is not kept by each.
 */
export class UdpLink implements Link, UdpAddress {
  readonly host: string;
  readonly port: number;

  readonly #carrier: UdpCarrier;
  #events: LinkEvents | undefined;
  #backlog = 0;
  /** Somebody saw a backlog, so `drained` is owed to them. */
  #drainOwed = false;
  #closing: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  constructor({ host, port }: UdpAddress, carrier: UdpCarrier) {
    this.host = host;
    this.port = port;
    this.#carrier = carrier;
  }

  get kind(): 'udp' {
    return 'udp';
  }

  get name(): string {
    return endpointName('udp', this.host, this.port);
  }

  get party(): string {
    return partyOf(this.host);
  }

  get reliable(): false {
    return false;
  }

  get ordered(): false {
    return false;
  }

  get maxPacket(): number {
    return this.#carrier.maxPacket;
  }

  /** Called once, in the turn in which the link was made. */
  start(events: LinkEvents): void {
    this.#events = events;
  }

  /** A datagram came from this peer. */
  receive(packet: Uint8Array): void {
    this.#events?.packet(packet);
  }

  /** A datagram has nothing around the packet. */
  wireSize(packet: Uint8Array): number {
    return packet.length;
  }

  /** A packet that is too large, or comes after `close()`, is dropped and counted. */
  send(packet: Uint8Array): void {
    if (this.#closing !== undefined) {
      this.#carrier.counters.add('udp.drop.closed');
      return;
    }
    this.#backlog += packet.length;
    this.#carrier.transmit(packet, this);
  }

  backlog(): number {
    if (this.#backlog > 0) this.#drainOwed = true;
    return this.#backlog;
  }

  /** So many bytes of what was sent are with the system, or lost. */
  sent(bytes: number): void {
    this.#backlog -= bytes;
    if (this.#backlog > 0) return;
    this.#emptied?.();
    if (!this.#drainOwed || this.#closing !== undefined) return;
    this.#drainOwed = false;
    this.#events?.drained?.();
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#carrier.detach(this);
      // Not at once: an owner that hears of the end may close the link again.
      this.#closing = Promise.resolve().then(() => this.#closeGently());
    }
    return this.#closing;
  }

  async #closeGently(): Promise<void> {
    if (this.#backlog > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
    }
    this.#events?.closed('closed on this side');
  }
}
