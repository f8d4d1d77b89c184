import type { Count, Counters } from '../../counters.js';
import type { ByteLinkEvents } from '../byte-link.js';
import type { Link, LinkEvents, PeerSecurity } from '../link.js';
import type { OutgoingBytes } from './outgoing-bytes.js';
import type { StreamConnection } from './stream-connection.js';

export interface PacketLinkOptions {
  /** The largest packet, in bytes, that is sent or taken. */
  readonly maxPacket: number;
  readonly counters: Counters;
}

/** A link of Slipway's own packets over a connection that carries bytes; how it tells where one ends is its framing's business. */
export abstract class PacketLink implements Link, ByteLinkEvents {
  /** What holds for TCP holds for all of them, limits and all. */
  readonly kind = 'tcp';
  readonly name: string;
  readonly party: string;
  readonly secure: PeerSecurity | undefined;
  readonly reliable = true;
  readonly ordered = true;
  readonly maxPacket: number;
  abstract readonly unfinished: boolean;

  protected readonly connection: StreamConnection;
  readonly #counters: Counters;
  readonly #prefix: string;
  readonly #received: Count;
  readonly #sent: Count;
  #events: LinkEvents | undefined;

  /** Counts under `<prefix>.`. */
  constructor(prefix: string, connection: StreamConnection, { maxPacket, counters }: PacketLinkOptions) {
    this.name = connection.name;
    this.party = connection.party;
    this.secure = connection.secure;
    this.maxPacket = maxPacket;
    this.connection = connection;
    this.#counters = counters;
    this.#prefix = prefix;
    this.#received = counters.count(`${prefix}.rx.packets`);
    this.#sent = counters.count(`${prefix}.tx.packets`);
  }

  /** Bytes that `packet` takes on the wire. */
  abstract wireSize(packet: Uint8Array): number;
  /** Takes bytes from the connection; see `ByteLinkEvents`. */
  abstract bytes(chunk: Buffer): number;
  /** Puts a packet, framed, behind all others. */
  protected abstract append(outgoing: OutgoingBytes, packet: Uint8Array): void;

  /** Begins to read. Called once, in the turn in which the connection was made. */
  start(events: LinkEvents): void {
    this.#events = events;
    this.connection.start(this);
  }

  /** A packet that is too large, or comes after `close()`, is dropped and counted. */
  send(packet: Uint8Array): void {
    if (packet.length > this.maxPacket) return this.#counters.add(`${this.#prefix}.drop.too_large`);
    const outgoing = this.connection.outgoing();
    if (outgoing === undefined) return this.#counters.add(`${this.#prefix}.drop.closed`);
    this.#sent.add();
    this.append(outgoing, packet);
  }

  backlog(): number {
    return this.connection.backlog();
  }

  pause(): void {
    this.connection.pause();
  }

  resume(): void {
    this.connection.resume();
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  closed(reason: string): void {
    this.#events?.closed(reason);
  }

  stalled(reason: 'too_slow' | 'timeout'): void {
    this.#events?.stalled?.(reason);
  }

  drained(): void {
    this.#events?.drained?.();
  }

  /** One whole packet came. */
  protected take(packet: Uint8Array): void {
    this.#received.add();
    this.#events?.packet(packet);
  }

  /** What came can be no packet, and nothing after it can be understood. */
  protected giveUp(fault: string, why: string): void {
    this.#counters.add(`${this.#prefix}.drop.${fault}`);
    this.connection.destroy(why);
  }
}
