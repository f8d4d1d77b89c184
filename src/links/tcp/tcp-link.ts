import type { Socket } from 'node:net';
import type { Count, Counters } from '../../counters.js';
import { reasonOf } from '../../errors.js';
import { endpointName, plainHost } from '../endpoint.js';
import type { Link, LinkEvents } from '../link.js';
import { partyOf } from '../party.js';
import { OutgoingBytes } from './outgoing-bytes.js';
import { StallWatch } from './stall-watch.js';
import { FramingFault, recordSize, TcpParser } from './tcp-framing.js';

/** How long `close()` waits for the other side to read what is queued and to close too. */
const CLOSE_GRACE_MS = 2000;
/** After so long in silence the system asks whether the other end is still there. */
const KEEP_ALIVE_PROBE_MS = 30_000;
export const DEFAULT_STALL_MS = 60_000;
export const DEFAULT_MAX_BACKLOG_BYTES = 32 * 1_048_576;

export interface TcpLinkOptions {
  /** The largest packet, in bytes, that is sent or taken. */
  readonly maxPacket: number;
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

/** A link over a TCP connection that stands (PROTOCOL.md §2.3). Counts under `tcp.`. */
export class TcpLink implements Link {
  readonly kind = 'tcp';
  readonly name: string;
  readonly party: string;
  readonly reliable = true;
  readonly ordered = true;
  readonly maxPacket: number;

  readonly #socket: Socket;
  readonly #maxBacklog: number;
  readonly #counters: Counters;
  readonly #received: Count;
  readonly #sent: Count;
  readonly #parser: TcpParser;
  #events: LinkEvents | undefined;
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
  #closing: Promise<void> | undefined;

  constructor(socket: Socket, options: TcpLinkOptions) {
    this.name = endpointName('tcp', socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0);
    this.party = partyOf(plainHost(socket.remoteAddress ?? 'unknown'));
    this.maxPacket = options.maxPacket;
    this.#socket = socket;
    this.#maxBacklog = options.maxBacklog ?? DEFAULT_MAX_BACKLOG_BYTES;
    this.#counters = options.counters;
    this.#received = options.counters.count('tcp.rx.packets');
    this.#sent = options.counters.count('tcp.tx.packets');
    this.#parser = new TcpParser(options.maxPacket, (packet) => this.#takePacket(packet));
    this.#outgoing = new OutgoingBytes(socket, (bytes, error) => this.#written(bytes, error));
    const { stallMs = DEFAULT_STALL_MS } = options;
    if (stallMs > 0) {
      const unfinished = () => (this.#parser.unfinished ? this.#begunAt : undefined);
      this.#reading = new StallWatch(stallMs, unfinished, () => this.#stalled('timeout'));
      const unread = () => (this.#outgoing.bytes > 0 ? this.#writtenAt : undefined);
      this.#writing = new StallWatch(stallMs, unread, () => this.#stalled('too_slow'));
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
  }

  /** Begins to read. Called once, in the turn in which the link was made. */
  start(events: LinkEvents): void {
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

  wireSize(packet: Uint8Array): number {
    return recordSize(packet);
  }

  /** A packet that is too large, or comes after `close()`, is dropped and counted. */
  send(packet: Uint8Array): void {
    if (packet.length > this.maxPacket) {
      this.#counters.add('tcp.drop.too_large');
    } else if (this.#closing !== undefined || !this.#socket.writable) {
      this.#counters.add('tcp.drop.closed');
    } else {
      this.#sent.add();
      if (this.#outgoing.bytes === 0) this.#writtenAt = performance.now();
      this.#outgoing.append(packet);
      if (this.#flushPending) return;
      this.#flushPending = true;
      setImmediate(this.#flush);
    }
  }

  backlog(): number {
    const { bytes } = this.#outgoing;
    if (bytes > 0) this.#drainOwed = true;
    return bytes;
  }

  pause(): void {
    this.#paused = true;
    this.#parser.stop();
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

  #receive(chunk: Buffer): void {
    if (this.#closing !== undefined) return;
    try {
      const taken = this.#parser.push(chunk);
      if (taken < chunk.length) this.#unread = chunk.subarray(taken);
      else if (this.#parser.unfinished && !this.#begun) {
        this.#begun = true;
        this.#begunAt = performance.now();
        this.#reading?.start();
      }
    } catch (error) {
      if (!(error instanceof FramingFault)) throw error;
      this.#counters.add(`tcp.drop.${error.code}`);
      this.#giveUp(error.message);
    }
  }

  #takePacket(packet: Uint8Array): void {
    // The owner may have closed the link over an earlier packet of the same read.
    if (this.#closing !== undefined) return;
    this.#received.add();
    this.#begun = false;
    this.#events?.packet(packet);
  }

  readonly #flush = (): void => {
    this.#flushPending = false;
    if (!this.#socket.writable) return this.#discard();
    this.#outgoing.write();
    const { bytes } = this.#outgoing;
    if (bytes > 0) this.#writing?.start();
    if (bytes > this.#maxBacklog) {
      this.#counters.add('tcp.closed.too_slow');
      this.#giveUp(`${bytes} bytes wait to be sent: the other side does not read`);
    }
  };

  /** The system has taken `bytes`, or never will. */
  #written(bytes: number, error: Error | null | undefined): void {
    if (error) return this.#counters.add('tcp.unsent.bytes', bytes);
    this.#writtenAt = performance.now();
    if (this.#socket.destroyed) return;
    this.#outgoing.write();
    if (!this.#drainOwed || this.#outgoing.bytes > 0) return;
    this.#drainOwed = false;
    this.#events?.drained?.();
  }

  #discard(): void {
    const bytes = this.#outgoing.discard();
    if (bytes > 0) this.#counters.add('tcp.unsent.bytes', bytes);
  }

  #stalled(reason: 'too_slow' | 'timeout'): void {
    this.#counters.add(reason === 'too_slow' ? 'tcp.closed.too_slow' : 'tcp.closed.unfinished');
    this.#reason ??=
      reason === 'too_slow'
        ? 'the other side does not read what it is sent'
        : 'the other side did not finish a packet that it had begun';
    this.#events?.stalled?.(reason);
    void this.close();
  }

  #tellClosed(): void {
    this.#events?.closed(this.#reason ?? 'the connection was closed');
  }

  #giveUp(reason: string): void {
    this.#reason ??= reason;
    this.#unread = undefined;
    this.#discard();
    this.#socket.destroy();
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
