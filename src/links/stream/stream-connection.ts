import type { Duplex } from 'node:stream';
import type { Counters } from '../../counters.js';
import { reasonOf } from '../../errors.js';
import type { ByteLink, ByteLinkEvents } from '../byte-link.js';
import type { PeerSecurity } from '../link.js';
import { OutgoingBytes } from './outgoing-bytes.js';
import { StallWatch } from './stall-watch.js';

/** How long `close()` waits for the other side to read what is queued and to close too. */
const CLOSE_GRACE_MS = 2000;
export const DEFAULT_STALL_MS = 60_000;
export const DEFAULT_MAX_BACKLOG_BYTES = 32 * 1_048_576;

/** Who is at the other end of a stream, and how it came. */
export interface StreamPeer {
  /** What its counters begin with. */
  readonly kind: 'tcp' | 'mqtt' | 'ws';
  /** For logs: `mqtt:127.0.0.1:40312`. */
  readonly name: string;
  /** Whom limits count it for. */
  readonly party: string;
  /** Undefined where it is not encrypted. */
  readonly secure: PeerSecurity | undefined;
}

export interface StreamConnectionOptions {
  /**
   * A connection with more unsent bytes than this is given up: its peer does not read. Owners stop sending long
   * before. 32 MiB if left out.
   */
  readonly maxBacklog?: number | undefined;
  /**
   * How long the peer may take to end a packet that it began, or to read anything of what waits for it, ms; 0 for as
   * long as it likes. 60 s if left out.
   */
  readonly stallMs?: number | undefined;
  readonly counters: Counters;
}

/**
 * A connection that stands (TCP, TLS or WebSocket): bytes, whatever they mean. Counts what goes wrong under its kind, as
 * `mqtt.closed.too_slow`.
 */
export class StreamConnection implements ByteLink {
  readonly kind: StreamPeer['kind'];
  readonly name: string;
  readonly party: string;
  readonly secure: PeerSecurity | undefined;

  readonly #socket: Duplex;
  readonly #maxBacklog: number;
  readonly #counters: Counters;
  #events: ByteLinkEvents | undefined;
  readonly #outgoing: OutgoingBytes;
  readonly #reading: StallWatch | undefined;
  readonly #writing: StallWatch | undefined;
  /** Whether a packet is unfinished, and when it began, as `performance.now`. */
  #begun = false;
  #begunAt = 0;
  /** When the system last took something. */
  #writtenAt = 0;
  #flushPending = false;
  /** Somebody saw a backlog, so `drained` is owed to them. */
  #drainOwed = false;
  #paused = false;
  /** What was read before a pause and not looked at. */
  #unread: Buffer | undefined;
  #reason: string | undefined;
  #toldClosed = false;
  #givenUp = false;
  #closing: Promise<void> | undefined;

  constructor(socket: Duplex, peer: StreamPeer, options: StreamConnectionOptions) {
    const { stallMs = DEFAULT_STALL_MS } = options;
    this.kind = peer.kind;
    this.name = peer.name;
    this.party = peer.party;
    this.secure = peer.secure;
    this.#socket = socket;
    this.#maxBacklog = options.maxBacklog ?? DEFAULT_MAX_BACKLOG_BYTES;
    this.#counters = options.counters;
    this.#outgoing = new OutgoingBytes(socket, (bytes, error) => this.#written(bytes, error));
    if (stallMs > 0) {
      const unfinished = () => (this.#events?.unfinished ? this.#begunAt : undefined);
      this.#reading = new StallWatch(stallMs, unfinished, () => this.#stalled('timeout'));
      const unread = () => (this.#outgoing.bytes > 0 ? this.#writtenAt : undefined);
      this.#writing = new StallWatch(stallMs, unread, () => this.#stalled('too_slow'));
    }
  }

  /** Begins to read. Called once, in the turn in which the connection was made. */
  start(events: ByteLinkEvents): void {
    this.#events = events;
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('end', () => {
      this.#reason ??= 'the other side closed the connection';
    });
    this.#socket.on('error', (error) => {
      this.#reason ??= reasonOf(error);
    });
    this.#socket.on('close', () => {
      // What was read before a pause still counts, even if the connection is lost meanwhile.
      if (this.#unread === undefined) this.#tellClosed();
      this.#reading?.stop();
      this.#writing?.stop();
    });
  }

  /** Whether `close` was called: nothing is handed on any more. */
  get closing(): boolean {
    return this.#closing !== undefined;
  }

  /** What comes after `close()` is dropped and counted. */
  send(bytes: Uint8Array): void {
    const outgoing = this.outgoing();
    if (outgoing) outgoing.append(bytes);
    else this.#counters.add(`${this.kind}.drop.closed`);
  }

  /** Where to put what is to be sent in this turn, now; undefined when nothing can be sent any more. */
  outgoing(): OutgoingBytes | undefined {
    if (this.#closing !== undefined || !this.#socket.writable) return undefined;
    if (this.#outgoing.bytes === 0) this.#writtenAt = performance.now();
    if (!this.#flushPending) {
      this.#flushPending = true;
      setImmediate(this.#flush);
    }
    return this.#outgoing;
  }

  backlog(): number {
    const { bytes } = this.#outgoing;
    if (bytes > 0) this.#drainOwed = true;
    return bytes;
  }

  packetEnded(): void {
    this.#begun = false;
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    const unread = this.#unread;
    this.#unread = undefined;
    if (unread !== undefined) this.#receive(unread);
    if (this.#paused) return;
    if (this.#socket.closed) this.#tellClosed();
    else this.#socket.resume();
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeGently();
    return this.#closing;
  }

  destroy(reason: string): void {
    this.#reason ??= reason;
    this.#givenUp = true;
    this.#unread = undefined;
    this.#discard();
    this.#socket.destroy();
  }

  /** Whether this side has ended the connection: what was read before the other side did still counts. */
  get #isOver(): boolean {
    return this.#closing !== undefined || this.#givenUp;
  }

  #receive(chunk: Buffer): void {
    const events = this.#events as ByteLinkEvents;
    if (this.#isOver) return;
    const taken = events.bytes(chunk);
    // The owner may have ended the connection meanwhile: then nobody wants the rest.
    if (this.#isOver) return;
    if (taken < chunk.length) {
      this.#unread = chunk.subarray(taken);
    } else if (!this.#begun && events.unfinished) {
      this.#begun = true;
      this.#begunAt = performance.now();
      this.#reading?.start();
    }
  }

  readonly #flush = (): void => {
    this.#flushPending = false;
    if (!this.#socket.writable) return this.#discard();
    this.#outgoing.write();
    const { bytes } = this.#outgoing;
    if (bytes > 0) this.#writing?.start();
    if (bytes > this.#maxBacklog) {
      this.#counters.add(`${this.kind}.closed.too_slow`);
      this.destroy(`${bytes} bytes wait to be sent: the other side does not read`);
    }
  };

  /** The system has taken `bytes`, or never will. */
  #written(bytes: number, error: Error | null | undefined): void {
    if (error) return this.#counters.add(`${this.kind}.unsent.bytes`, bytes);
    this.#writtenAt = performance.now();
    if (this.#socket.destroyed) return;
    this.#outgoing.write();
    if (!this.#drainOwed || this.#outgoing.bytes > 0) return;
    this.#drainOwed = false;
    this.#events?.drained?.();
  }

  #discard(): void {
    const bytes = this.#outgoing.discard();
    if (bytes > 0) this.#counters.add(`${this.kind}.unsent.bytes`, bytes);
  }

  #stalled(reason: 'too_slow' | 'timeout'): void {
    this.#counters.add(`${this.kind}.closed.${reason === 'too_slow' ? 'too_slow' : 'unfinished'}`);
    this.#reason ??=
      reason === 'too_slow'
        ? 'the other side does not read what it is sent'
        : 'the other side did not finish a packet that it had begun';
    this.#events?.stalled?.(reason);
    void this.close();
  }

  #tellClosed(): void {
    if (this.#toldClosed) return;
    this.#toldClosed = true;
    this.#events?.closed(this.#reason ?? 'the connection was closed');
  }

  #closeGently(): Promise<void> {
    this.#reason ??= 'closed on this side';
    this.#flush();
    this.#outgoing.writeAll();
    if (this.#unread !== undefined && this.#socket.closed) this.#tellClosed();
    this.#unread = undefined;
    this.#socket.resume();
    return new Promise((resolve) => {
      const socket = this.#socket;
      if (socket.closed) {
        resolve();
        return;
      }
      // Until the other side closes too, what it sends is read and dropped: to close over unread bytes would reset
      // the connection and could lose our last packets on their way.
      const timer = setTimeout(() => socket.destroy(), CLOSE_GRACE_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.end();
    });
  }
}
