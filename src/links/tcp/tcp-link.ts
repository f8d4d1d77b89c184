import type { Count, Counters } from '../../counters.js';
import type { ByteLinkEvents } from '../byte-link.js';
import type { Link, LinkEvents, PeerSecurity } from '../link.js';
import type { StreamConnection } from '../stream/stream-connection.js';
import { FramingFault, recordSize, TcpParser } from './tcp-framing.js';

export interface TcpLinkOptions {
  /** The largest packet, in bytes, that is sent or taken. */
  readonly maxPacket: number;
  readonly counters: Counters;
}

/** A link over a TCP connection: each packet behind its length (PROTOCOL.md §2.3). Counts under `tcp.`. */
export class TcpLink implements Link, ByteLinkEvents {
  readonly kind = 'tcp';
  readonly name: string;
  readonly party: string;
  readonly secure: PeerSecurity | undefined;
  readonly reliable = true;
  readonly ordered = true;
  readonly maxPacket: number;

  readonly #connection: StreamConnection;
  readonly #counters: Counters;
  readonly #received: Count;
  readonly #sent: Count;
  readonly #parser: TcpParser;
  #events: LinkEvents | undefined;

  constructor(connection: StreamConnection, { maxPacket, counters }: TcpLinkOptions) {
    this.name = connection.name;
    this.party = connection.party;
    this.secure = connection.secure;
    this.maxPacket = maxPacket;
    this.#connection = connection;
    this.#counters = counters;
    this.#received = counters.count('tcp.rx.packets');
    this.#sent = counters.count('tcp.tx.packets');
    this.#parser = new TcpParser(maxPacket, (packet) => this.#takePacket(packet));
  }

  /** Begins to read. Called once, in the turn in which the connection was made. */
  start(events: LinkEvents): void {
    this.#events = events;
    this.#connection.start(this);
  }

  wireSize(packet: Uint8Array): number {
    return recordSize(packet);
  }

  /** A packet that is too large, or comes after `close()`, is dropped and counted. */
  send(packet: Uint8Array): void {
    if (packet.length > this.maxPacket) return this.#counters.add('tcp.drop.too_large');
    const outgoing = this.#connection.outgoing();
    if (outgoing === undefined) return this.#counters.add('tcp.drop.closed');
    this.#sent.add();
    outgoing.appendRecord(packet);
  }

  backlog(): number {
    return this.#connection.backlog();
  }

  pause(): void {
    this.#parser.stop();
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** What the connection tells, until `closed`. */
  bytes(chunk: Buffer): number {
    try {
      return this.#parser.push(chunk);
    } catch (error) {
      if (!(error instanceof FramingFault)) throw error;
      this.#counters.add(`tcp.drop.${error.code}`);
      this.#connection.destroy(error.message);
      return chunk.length;
    }
  }

  get unfinished(): boolean {
    return this.#parser.unfinished;
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

  #takePacket(packet: Uint8Array): void {
    // The owner may have closed the link over an earlier packet of the same read.
    if (this.#connection.closing) return;
    this.#received.add();
    this.#connection.packetEnded();
    this.#events?.packet(packet);
  }
}
