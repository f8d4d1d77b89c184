import type { Count, Counters } from '../../counters.js';
import type { ByteLinkEvents } from '../byte-link.js';
import type { Link, LinkEvents, PeerSecurity } from '../link.js';
import type { StreamConnection } from '../stream/stream-connection.js';

export interface WsLinkOptions {
  /** The largest packet, in bytes, that is sent or taken. */
  readonly maxPacket: number;
  readonly counters: Counters;
}

/** A link over a WebSocket: each packet a binary message (PROTOCOL.md §2.4). Counts under `ws.`. */
export class WsLink implements Link, ByteLinkEvents {
  /** What holds for TCP holds for it, limits and all. */
  readonly kind = 'tcp';
  readonly name: string;
  readonly party: string;
  readonly secure: PeerSecurity | undefined;
  readonly reliable = true;
  readonly ordered = true;
  readonly maxPacket: number;
  readonly unfinished = false;

  readonly #connection: StreamConnection;
  readonly #counters: Counters;
  readonly #received: Count;
  readonly #sent: Count;
  #events: LinkEvents | undefined;

  /** Each chunk of the connection must be one message. */
  constructor(connection: StreamConnection, { maxPacket, counters }: WsLinkOptions) {
    this.name = connection.name;
    this.party = connection.party;
    this.secure = connection.secure;
    this.maxPacket = maxPacket;
    this.#connection = connection;
    this.#counters = counters;
    this.#received = counters.count('ws.rx.packets');
    this.#sent = counters.count('ws.tx.packets');
  }

  /** Begins to read. Called once, in the turn in which the connection was made. */
  start(events: LinkEvents): void {
    this.#events = events;
    this.#connection.start(this);
  }

  /** The head of a frame from a server has 2, 4 or 10 bytes (RFC 6455, 5.2). */
  wireSize({ length }: Uint8Array): number {
    return length + (length < 126 ? 2 : length < 65_536 ? 4 : 10);
  }

  /** A packet that is too large, or comes after `close()`, is dropped and counted. */
  send(packet: Uint8Array): void {
    if (packet.length > this.maxPacket) return this.#counters.add('ws.drop.too_large');
    const outgoing = this.#connection.outgoing();
    if (outgoing === undefined) return this.#counters.add('ws.drop.closed');
    this.#sent.add();
    outgoing.appendMessage(packet);
  }

  backlog(): number {
    return this.#connection.backlog();
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** What the connection tells, until `closed`. */
  bytes(packet: Buffer): number {
    const { length } = packet;
    if (length === 0) this.#giveUp('malformed', 'a message without a packet');
    else if (length > this.maxPacket)
      this.#giveUp(
        'oversize',
        `a packet of ${length} bytes is larger than the ${this.maxPacket} bytes that are taken`,
      );
    else {
      this.#received.add();
      this.#events?.packet(packet);
    }
    return length;
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

  #giveUp(fault: 'malformed' | 'oversize', why: string): void {
    this.#counters.add(`ws.drop.${fault}`);
    this.#connection.destroy(why);
  }
}
