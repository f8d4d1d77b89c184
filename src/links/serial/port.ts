import type { EventEmitter } from 'node:events';
import { SerialPort } from 'serialport';

export interface PortOptions {
  /** A device, or on Windows `COM3`. */
  readonly path: string;
  readonly baudRate: number;
  /** Whether the system lowers DTR when the port is closed. */
  readonly hupcl: boolean;
  /** Nobody else may open the port. */
  readonly lock: true;
  readonly autoOpen: false;
}

export interface PortLines {
  dtr?: boolean;
  rts?: boolean;
  /** Linux only: the adapter passes on what it receives at once. */
  lowLatency?: boolean;
}

type Done = (error: Error | null) => void;

/** What is used of a `SerialPort`; a port in memory is one with another binding. */
export interface PortStream extends EventEmitter {
  readonly isOpen: boolean;
  /** A close that was begun and has not ended: the device is still held. */
  readonly closing: boolean;
  open(done: Done): void;
  /** `destroy()` would leak the device: this is the only way to let go of it. */
  close(done: Done): void;
  write(bytes: Uint8Array, done: (error: Error | null | undefined) => void): boolean;
  /** Runs at another rate from now on; the port stays open, and DTR as it is. */
  update(options: { baudRate: number }, done: Done): void;
  set(lines: PortLines, done: Done): void;
}

/** Makes a port and does not open it. Throws on options that no port can have. */
export type OpenPort = (options: PortOptions) => PortStream;

export const openSerialPort: OpenPort = (options) => new SerialPort(options);

/** Resolves when the port has let go of its device; at once when it holds none. */
export function shut(port: PortStream): Promise<void> {
  return new Promise((resolve) => {
    // A broken port says `close` twice, the first time perhaps before it has let go.
    port.on('close', () => {
      if (!port.closing) resolve();
    });
    if (port.isOpen) port.close(() => resolve());
    else if (!port.closing) resolve();
  });
}
