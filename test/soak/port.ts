import type { Link, LinkEvents } from '../../src/links/link.js';
import { frameSize } from '../../src/links/serial/slip.js';
import { recordSize, TcpParser, writeRecord } from '../../src/links/tcp/tcp-framing.js';
import { SERIAL_MAX_PACKET, SerialEnd } from '../support/serial-end.js';
import type { Cable } from './cable.js';
import type { Machine } from './machine.js';

const MAX_PACKET = { serial: SERIAL_MAX_PACKET, udp: 1472, tcp: 65_536 } as const;

export interface PortEvents {
  /** The gateway closes it. */
  closed(port: Port): void;
  /** A packet, either way, as seen at the gateway. */
  packet(port: Port, packet: Uint8Array, from: 'peer' | 'gateway'): void;
}

/** The gateway's end of a cable, as the link that the hub knows. */
export class Port implements Link {
  readonly cable: Cable;
  readonly kind: Link['kind'];
  readonly name: string;
  readonly reliable: boolean;
  readonly ordered: boolean;
  readonly maxPacket: number;
  readonly #machine: Machine;
  readonly #events: PortEvents;
  readonly #serial: SerialEnd | undefined;
  readonly #parser: TcpParser | undefined;
  #hub: LinkEvents | undefined;
  #open = true;

  constructor(cable: Cable, machine: Machine, events: PortEvents) {
    this.cable = cable;
    this.kind = cable.kind;
    this.name = `${cable.kind}:${cable.address}`;
    this.reliable = cable.kind === 'tcp';
    this.ordered = cable.kind !== 'udp';
    this.maxPacket = MAX_PACKET[cable.kind];
    this.#machine = machine;
    this.#events = events;
    const take = (packet: Uint8Array) => this.#take(packet);
    if (cable.kind === 'serial') this.#serial = new SerialEnd(cable.fromBoard, take);
    if (cable.kind === 'tcp') this.#parser = new TcpParser(this.maxPacket, take);
  }

  attach(hub: (link: Link) => LinkEvents): void {
    this.#hub = hub(this);
  }

  /** Bytes, or a datagram, from the cable. */
  receive(bytes: Uint8Array): void {
    if (this.#serial) this.#serial.push(bytes);
    else if (this.#parser) this.#parser.push(bytes);
    else this.#take(bytes);
  }

  #take(packet: Uint8Array): void {
    if (!this.#open) return;
    this.#events.packet(this, packet, 'peer');
    this.#hub?.packet(packet);
  }

  wireSize(packet: Uint8Array): number {
    if (this.kind === 'serial') return frameSize(packet);
    return this.kind === 'tcp' ? recordSize(packet) : packet.length;
  }

  send(packet: Uint8Array): void {
    this.#machine.hostCall();
    if (!this.#open) return;
    this.#events.packet(this, packet, 'gateway');
    this.cable.gatewaySends(this.#framed(packet));
    this.#machine.hostCall();
  }

  #framed(packet: Uint8Array): Uint8Array {
    if (this.#serial) return this.#serial.frame(packet);
    if (!this.#parser) return packet;
    const record = new Uint8Array(recordSize(packet));
    writeRecord(record, 0, packet);
    return record;
  }

  backlog(): number {
    return 0;
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    // What was sent before leaves before, and the hub is not told in the middle of what it does.
    this.#machine.clock.defer(() => {
      this.gone('closed');
      this.#events.closed(this);
    });
  }

  /** There is nothing at the other end any more, or it was closed. */
  gone(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#hub?.closed(reason);
  }
}
