import type { Clock } from '../../clock.js';
import type { Counters } from '../../counters.js';
import { TEXT_LINE_MS } from '../../wire/limits.js';
import type { Link, LinkEvents } from '../link.js';
import { type PortStream, shut } from './port.js';
import { FrameEncoder, frameSize } from './slip.js';
import { Splitter } from './splitter.js';

/** How long `close()` waits for what is queued: a board that is stuck must not hold up the gateway. */
const FLUSH_MS = 1000;

/** The name of the link on the port that the config calls `port`. */
export function serialLinkName(port: string): string {
  return `serial:${port}`;
}

export interface SerialLinkOptions {
  /** The port's name in the config. */
  readonly name: string;
  /** The largest packet, in bytes, that is sent or taken. */
  readonly maxPacket: number;
  /** The most bytes, framing included, that wait to be written. What goes beyond is dropped and counted. */
  readonly maxBacklog: number;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Sees all that comes in, before it is split. The bytes are only valid during the call. */
  readonly onBytes?: (chunk: Uint8Array) => void;
}

/**
 * A link over a serial port that is open (PROTOCOL.md §2.1). It writes nothing of its own accord: the owner waits for
 * a valid packet before it sends. Counts under `serial.`.
 */
export class SerialLink implements Link {
  readonly kind = 'serial';
  readonly name: string;
  readonly reliable = false;
  readonly ordered = true;
  readonly maxPacket: number;
  /** Resolves with the reason when the link is closed or lost and its port has let go of the device. */
  readonly gone: Promise<string>;

  readonly #port: PortStream;
  readonly #options: SerialLinkOptions;
  readonly #counters: Counters;
  readonly #encoder = new FrameEncoder();
  readonly #splitter: Splitter;
  #events: LinkEvents | undefined;
  #backlog = 0;
  #closed = false;
  #closing: Promise<void> | undefined;
  #cancelIdle = () => {};
  #flushed = () => {};
  #end: (reason: string) => void = () => {};

  constructor(port: PortStream, options: SerialLinkOptions) {
    this.name = serialLinkName(options.name);
    this.maxPacket = options.maxPacket;
    this.#port = port;
    this.#options = options;
    this.#counters = options.counters;
    this.gone = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#splitter = new Splitter(options.maxPacket, {
      packet: (packet) => this.#takePacket(packet),
      line: (line) => this.#takeLine(line),
      drop: (reason, bytes) => {
        this.#counters.add(`serial.drop.${reason}`);
        this.#counters.add('serial.noise.bytes', bytes);
      },
    });
  }

  /** Begins to read. Called once. */
  start(events: LinkEvents): void {
    this.#events = events;
    // The error listener stays for good: a port that was unplugged can still fail after it was closed.
    this.#port.on('error', (error: Error) => this.lost(whyLost(error)));
    this.#port.on('close', (error: Error | null | undefined) =>
      this.lost(error ? whyLost(error) : 'port closed'),
    );
    this.#port.on('end', () => this.lost('the device went away'));
    this.#port.on('data', (chunk: Buffer) => this.#receive(chunk));
    if (!this.#port.isOpen) this.lost('port closed');
  }

  wireSize(packet: Uint8Array): number {
    return frameSize(packet);
  }

  send(packet: Uint8Array): void {
    if (packet.length > this.maxPacket) this.#counters.add('serial.drop.too_large');
    else if (this.#write(this.#encoder.encode(packet))) this.#counters.add('serial.tx.packets');
  }

  /** Writes one line of plain text, for a board that speaks no Slipway. A line end is added. Never throws. */
  writeLine(text: string): void {
    if (this.#write(Buffer.from(`${text}\n`))) this.#counters.add('serial.tx.lines');
  }

  /** The port runs at another rate now: what was heard so far and is incomplete is noise. */
  rateChanged(): void {
    this.#cancelIdle();
    this.#splitter.clear();
  }

  backlog(): number {
    return this.#backlog;
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeGently();
    return this.#closing;
  }

  /** Gives the port up at once: what is queued is dropped. Calling it again, or after `close()`, does nothing. */
  lost(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelIdle();
    if (this.#splitter.pending > 0) this.#counters.add('serial.drop.cut_off');
    if (this.#backlog > 0) this.#counters.add('serial.unsent.bytes', this.#backlog);
    this.#flushed();
    this.#events?.closed(reason);
    void shut(this.#port).then(() => this.#end(reason));
  }

  async #closeGently(): Promise<void> {
    if (this.#backlog > 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        const cancel = this.#options.clock.schedule(FLUSH_MS, resolve);
        this.#flushed = () => {
          cancel();
          resolve();
        };
      });
    }
    this.lost('closed');
    await this.gone;
  }

  #write(bytes: Buffer): boolean {
    if (this.#closed || this.#closing) {
      this.#counters.add('serial.drop.closed');
      return false;
    }
    if (this.#backlog + bytes.length > this.#options.maxBacklog) {
      this.#counters.add('serial.drop.backlog');
      return false;
    }
    this.#backlog += bytes.length;
    this.#counters.add('serial.tx.bytes', bytes.length);
    this.#port.write(bytes, () => this.#wrote(bytes.length));
    return true;
  }

  /** Also after a write that failed: the port then says `error` as well. */
  #wrote(bytes: number): void {
    this.#backlog -= bytes;
    if (this.#backlog > 0 || this.#closed) return;
    this.#flushed();
    this.#events?.drained?.();
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    this.#counters.add('serial.rx.bytes', chunk.length);
    this.#cancelIdle();
    this.#options.onBytes?.(chunk);
    this.#splitter.push(chunk);
    if (this.#splitter.pending > 0 && !this.#closed) {
      this.#cancelIdle = this.#options.clock.schedule(TEXT_LINE_MS, () => this.#splitter.idle());
    }
  }

  #takePacket(packet: Uint8Array): void {
    if (this.#closed) return this.#counters.add('serial.drop.closed');
    this.#counters.add('serial.rx.packets');
    this.#events?.packet(packet);
  }

  #takeLine(line: string): void {
    if (this.#closed) return this.#counters.add('serial.drop.closed');
    this.#counters.add('serial.text.lines');
    this.#events?.text?.(line);
  }
}

/** In the words of the system, a device that is gone is a bad descriptor or an I/O error. */
function whyLost(error: Error): string {
  return /bad file descriptor|input\/output|i\/o error|no such device/i.test(error.message)
    ? 'it was unplugged'
    : error.message;
}
