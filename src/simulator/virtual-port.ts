import type { SerialPort, SerialPortMock } from 'serialport';
import type { Counters } from '../counters.js';
import { ByteQueue } from './byte-queue.js';
import type { VirtualUno } from './uno.js';

/** What the host's driver holds for a program that does not read, in bytes. */
const READ_QUEUE_BYTES = 64 * 1024;

/** `BindingPortInterface` of `@serialport/bindings-interface`, by way of what `serialport` itself exports. */
export type BindingPort = Pick<
  NonNullable<SerialPortMock['port']>,
  | 'openOptions'
  | 'isOpen'
  | 'close'
  | 'read'
  | 'write'
  | 'update'
  | 'set'
  | 'get'
  | 'getBaudRate'
  | 'flush'
  | 'drain'
>;

/** What a port needs of the socket that it was opened on. */
export interface Plugged {
  readonly uno: VirtualUno;
  /** Moves the line that resets the board when it goes from false to true. */
  setDtr(asserted: boolean): void;
  closed(port: VirtualPort): void;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** `serialport` takes an error with this flag for the caller's own doing, any other for a lost device. */
class CanceledError extends Error {
  readonly canceled = true;
}

/** One opening of a virtual board's port, as the stream of `serialport` drives it. */
export class VirtualPort implements BindingPort {
  readonly openOptions: BindingPort['openOptions'];
  isOpen = true;
  readonly #plugged: Plugged;
  readonly #received = new ByteQueue(READ_QUEUE_BYTES);
  readonly #waiters = new Set<Waiter>();
  readonly #detach: (() => void)[];
  #ended: Error | undefined;

  /** @param counters told of `uno.drop.unread`: bytes from the board that the program did not read in time */
  constructor(plugged: Plugged, options: BindingPort['openOptions'], counters: Counters) {
    this.#plugged = plugged;
    this.openOptions = options;
    const receive = (bytes: Uint8Array): void => {
      const taken = this.#received.push(bytes);
      if (taken < bytes.length) counters.add('uno.drop.unread', bytes.length - taken);
      this.#wake();
    };
    this.#detach = [plugged.uno.onData(receive), plugged.uno.onRoom(() => this.#wake())];
  }

  async read(buffer: Buffer, offset: number, length: number): Promise<{ buffer: Buffer; bytesRead: number }> {
    this.#check();
    while (this.#received.length === 0) await this.#change();
    return { buffer, bytesRead: this.#received.take(buffer.subarray(offset, offset + length)) };
  }

  /** Resolves when the driver's queue has taken everything, which is before the board has it. */
  async write(buffer: Buffer): Promise<void> {
    this.#check();
    for (let rest = buffer; ; await this.#change()) {
      rest = rest.subarray(this.#plugged.uno.write(rest.subarray(0, this.#plugged.uno.room)));
      if (rest.length === 0) return;
    }
  }

  async drain(): Promise<void> {
    this.#check();
    while (this.#plugged.uno.pending > 0) await this.#change();
  }

  async flush(): Promise<void> {
    this.#check();
    this.#received.clear();
    this.#plugged.uno.discardPending();
    this.#wake();
  }

  async update(options: { baudRate: number }): Promise<void> {
    this.#check();
    this.openOptions.baudRate = options.baudRate;
  }

  async set(options: Parameters<SerialPort['set']>[0]): Promise<void> {
    this.#check();
    if (options.dtr !== undefined) this.#plugged.setDtr(options.dtr);
  }

  async get(): Promise<{ cts: boolean; dsr: boolean; dcd: boolean }> {
    this.#check();
    return { cts: true, dsr: true, dcd: false };
  }

  async getBaudRate(): Promise<{ baudRate: number }> {
    this.#check();
    return { baudRate: this.openOptions.baudRate };
  }

  async close(): Promise<void> {
    if (!this.isOpen) throw new Error('Port is not open');
    this.isOpen = false;
    this.#end(new CanceledError('the port was closed'));
    this.#plugged.closed(this);
  }

  /** The cable is gone. As with a real port, it stays open, and useless, until somebody closes it. */
  unplugged(): void {
    this.#end(new Error('the device was unplugged'));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const detach of this.#detach) detach();
    for (const waiter of this.#waiters) waiter.reject(this.#ended);
    this.#waiters.clear();
  }

  #check(): void {
    if (this.#ended) throw this.#ended;
  }

  #change(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.add({ resolve, reject });
    });
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter.resolve();
    this.#waiters.clear();
  }
}
