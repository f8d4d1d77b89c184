/** What a link tells its owner. The link calls these; they must not throw. */
export interface LinkEvents {
  /** One whole packet arrived, its integrity checked. The bytes are only valid during the call: copy what is kept. */
  packet(packet: Uint8Array): void;
  /** A line of text that is not a packet (PROTOCOL.md §8). Only serial links have any. */
  text?(line: string): void;
  /** The link is gone. Called once, also after `close()`. */
  closed(reason: string): void;
  /**
   * The peer has not read what it was sent, or not finished what it began to send, for too long. The owner says goodbye,
   * if it can, and closes the link. Only TCP links tell.
   */
  stalled?(reason: 'too_slow' | 'timeout'): void;
  /** A link that reported `backlog() > 0` has written everything out. */
  drained?(): void;
}

/** What the encryption of a link says of its peer. */
export interface PeerSecurity {
  /** The common name in the peer's certificate, where one was asked for and verified: the user that it is. */
  readonly user: string | undefined;
}

/** A pipe that carries packets to one peer and back (PROTOCOL.md §2). It knows nothing of messages. */
export interface Link {
  readonly kind: 'serial' | 'udp' | 'tcp';
  /** For logs and stats: `serial:bench`, `udp:192.0.2.7:5000`, `tcp:127.0.0.1:40312`. */
  readonly name: string;
  /** Whom limits count it for, where it comes over a network (`partyOf` its address). */
  readonly party?: string;
  /** Undefined where the link is not encrypted. */
  readonly secure?: PeerSecurity | undefined;
  /** Nothing is lost, repeated or reordered while the link stands (TCP). */
  readonly reliable: boolean;
  /** Packets keep their order, though some may be lost (serial, TCP). */
  readonly ordered: boolean;
  /** The largest packet in bytes, before framing, that can be sent. */
  readonly maxPacket: number;
  /** Bytes that `packet` takes on the wire, framing and escapes included. */
  wireSize(packet: Uint8Array): number;
  /** Sends one packet, or queues it to be sent: its bytes must not change afterwards. Never throws. */
  send(packet: Uint8Array): void;
  /** Bytes accepted by `send` and not yet handed to the operating system. */
  backlog(): number;
  /**
   * Hands on no more packets until `resume`, and lets the peer wait, where that loses nothing (TCP). Other links do not
   * have it: what comes to them comes.
   */
  pause?(): void;
  /** Goes on handing on packets, perhaps before it returns. */
  resume?(): void;
  /** Sends what is queued, then closes. Calling it again does nothing. */
  close(): Promise<void>;
}
