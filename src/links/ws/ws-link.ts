import type { OutgoingBytes } from '../stream/outgoing-bytes.js';
import { PacketLink, type PacketLinkOptions } from '../stream/packet-link.js';
import type { StreamConnection } from '../stream/stream-connection.js';

/** A link over a WebSocket: each packet a binary message (PROTOCOL.md §2.4). Counts under `ws.`. */
export class WsLink extends PacketLink {
  readonly unfinished = false;

  /** Each chunk of the connection must be one message. */
  constructor(connection: StreamConnection, options: PacketLinkOptions) {
    super('ws', connection, options);
  }

  /** The head of a frame from a server has 2, 4 or 10 bytes (RFC 6455, 5.2). */
  wireSize({ length }: Uint8Array): number {
    return length + (length < 126 ? 2 : length < 65_536 ? 4 : 10);
  }

  bytes(packet: Buffer): number {
    const { length } = packet;
    if (length === 0) this.giveUp('malformed', 'a message without a packet');
    else if (length > this.maxPacket)
      this.giveUp(
        'oversize',
        `a packet of ${length} bytes is larger than the ${this.maxPacket} bytes that are taken`,
      );
    else this.take(packet);
    return length;
  }

  protected append(outgoing: OutgoingBytes, packet: Uint8Array): void {
    outgoing.appendMessage(packet);
  }
}
