import type { PeerSecurity } from './link.js';

/** What a byte link tells its owner. The link calls these; they must not throw. */
export interface ByteLinkEvents {
  /**
   * Bytes came. They do not change afterwards, but keep up to 64 KiB in memory: copy what is kept for long.
   * @returns how many were taken: all of them, or fewer when the link was paused meanwhile. The rest comes again, before
   *   all others, once the link is resumed.
   */
  bytes(chunk: Buffer): number;
  /** Whether a packet has begun and not ended; the link asks it after `bytes`. */
  readonly unfinished: boolean;
  /** The link is gone. Called once, also after `close()`. */
  closed(reason: string): void;
  /**
   * The peer has not read what it was sent, or not finished a packet that it began, for too long. The owner says goodbye,
   * if it can, before it returns: then the link closes.
   */
  stalled?(reason: 'too_slow' | 'timeout'): void;
  /** A link that reported `backlog() > 0` has written everything out. */
  drained?(): void;
}

/** A pipe that carries bytes, whole and in order, to one peer and back: where packets begin and end is its owner's business. */
export interface ByteLink {
  /** Which listener of the config it came by: `listen.mqtt`, `listen.ws`, … */
  readonly kind: 'tcp' | 'mqtt' | 'ws';
  /** For logs and stats: `mqtt:127.0.0.1:40312`. */
  readonly name: string;
  /** Whom limits count it for (`partyOf` its address). */
  readonly party: string;
  /** Undefined where the link is not encrypted. */
  readonly secure: PeerSecurity | undefined;
  /**
   * Sends bytes behind all others. What is sent in one turn of the event loop is written at once. They are copied, unless there
   * are many: they must not change afterwards, nor lie in a buffer of `takeBuffer`. Never throws.
   */
  send(bytes: Uint8Array): void;
  /** Bytes accepted by `send` and not yet handed to the operating system. */
  backlog(): number;
  /** A packet ended: whether the next one is finished in time counts from its own beginning. */
  packetEnded(): void;
  /** Hands on no more bytes until `resume`, and lets the peer wait. */
  pause(): void;
  /** Goes on handing on bytes, perhaps before it returns. */
  resume(): void;
  /** Sends what is queued, then closes. Nothing is handed on any more. Calling it again does nothing. */
  close(): Promise<void>;
  /** Closes at once: what waits to be sent is dropped, and counted. `reason` is what `closed` is told. */
  destroy(reason: string): void;
}
