import type { OutgoingBytes } from '../stream/outgoing-bytes.js';
import { PacketLink, type PacketLinkOptions } from '../stream/packet-link.js';
import type { StreamConnection } from '../stream/stream-connection.js';
import { FramingFault, recordSize, TcpParser } from './tcp-framing.js';

/** A link over a TCP connection: each packet behind its length (PROTOCOL.md §2.3). Counts under `tcp.`. */
export class TcpLink extends PacketLink {
  readonly #parser: TcpParser;

  constructor(connection: StreamConnection, options: PacketLinkOptions) {
    super('tcp', connection, options);
    this.#parser = new TcpParser(options.maxPacket, (packet) => this.#takePacket(packet));
  }

  wireSize(packet: Uint8Array): number {
    return recordSize(packet);
  }

  override pause(): void {
    this.#parser.stop();
    super.pause();
  }

  bytes(chunk: Buffer): number {
    try {
      return this.#parser.push(chunk);
    } catch (error) {
      if (!(error instanceof FramingFault)) throw error;
      this.giveUp(error.code, error.message);
      return chunk.length;
    }
  }

  get unfinished(): boolean {
    return this.#parser.unfinished;
  }

  protected append(outgoing: OutgoingBytes, packet: Uint8Array): void {
    outgoing.appendRecord(packet);
  }

  #takePacket(packet: Uint8Array): void {
    // The owner may have closed the link over an earlier packet of the same read.
    if (this.connection.closing) return;
    this.connection.packetEnded();
    this.take(packet);
  }
}
