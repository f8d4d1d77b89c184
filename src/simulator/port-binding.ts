import { basename } from 'node:path';
import { SerialPort } from 'serialport';
import { Counters } from '../counters.js';
import { SlipwayError } from '../errors.js';
import type { VirtualUno } from './uno.js';
import { type BindingPort, type Plugged, VirtualPort } from './virtual-port.js';

type PortOptions = ConstructorParameters<typeof SerialPort>[0];

/** The `PortInfo` of `serialport`. The serial number is the last part of the path. */
export interface VirtualPortInfo {
  readonly path: string;
  readonly manufacturer: string;
  readonly serialNumber: string;
  readonly vendorId: string;
  readonly productId: string;
  readonly pnpId: undefined;
  readonly locationId: undefined;
}

const DEFAULTS = {
  dataBits: 8,
  lock: true,
  stopBits: 1,
  parity: 'none',
  rtscts: false,
  xon: false,
  xoff: false,
  xany: false,
  hupcl: true,
} as const;

export interface PlugOptions {
  /** Whether DTR resets the board, as on every Uno whose RESET-EN trace is whole. Default: true. */
  readonly autoReset?: boolean;
}

/**
 * USB sockets, in this process, for virtual boards: a *binding* of `serialport`, so that its real stream code runs over them.
 * A board behaves at the port as an Uno does: opening it raises DTR, which resets it, unless the last to close it
 * left DTR up (`hupcl: false`).
 */
export class VirtualPorts {
  readonly #sockets = new Map<string, Socket>();
  readonly #counters: Counters;

  /** @param counters told of `uno.drop.unread`: bytes from a board that the program at its port did not read in time */
  constructor(counters: Counters = new Counters()) {
    this.#counters = counters;
  }

  /**
   * Connects a board, which powers it on.
   *
   * @throws SlipwayError `port_taken` when another board is there
   */
  plug(path: string, uno: VirtualUno, options: PlugOptions = {}): void {
    if (this.#sockets.has(path)) {
      throw new SlipwayError(
        'port_taken',
        `a virtual board is already at ${path}; unplug it or choose another path`,
      );
    }
    this.#sockets.set(path, new Socket(uno, options.autoReset ?? true));
    uno.start();
  }

  /** Pulls the cable, which powers the board off. Whoever has the port open finds it lost. Nothing happens when none is there. */
  unplug(path: string): void {
    const socket = this.#sockets.get(path);
    if (!socket) return;
    this.#sockets.delete(path);
    socket.uno.stop();
    socket.port?.unplugged();
  }

  /** Has this board's port at hand where `new SerialPort(options)` would have a real one. */
  serialPort(options: PortOptions): SerialPort {
    // The constructor takes any binding among its options; its types let only the machine's own through.
    const ours: PortOptions & { binding: VirtualPorts } = { ...options, binding: this };
    return new SerialPort(ours);
  }

  /** The binding's `list`: the boards that are plugged in. */
  async list(): Promise<VirtualPortInfo[]> {
    return [...this.#sockets.keys()].map((path) => ({
      path,
      manufacturer: 'Slipway virtual Uno',
      serialNumber: basename(path),
      pnpId: undefined,
      locationId: undefined,
      vendorId: '2341',
      productId: '0043',
    }));
  }

  /** The binding's `open`. Rejects in the words of the native binding when nothing is there, or the port is open. */
  async open(
    options: Pick<BindingPort['openOptions'], 'path' | 'baudRate'> & Partial<BindingPort['openOptions']>,
  ): Promise<VirtualPort> {
    const socket = this.#sockets.get(options.path);
    if (!socket) throw new Error(`Error: No such file or directory, cannot open ${options.path}`);
    if (socket.port) throw new Error('Error Resource temporarily unavailable Cannot lock port');
    const port = new VirtualPort(socket, { ...DEFAULTS, ...options }, this.#counters);
    socket.port = port;
    socket.setDtr(true);
    return port;
  }
}

class Socket implements Plugged {
  port: VirtualPort | undefined;
  readonly uno: VirtualUno;
  readonly #autoReset: boolean;
  #dtr = false;

  constructor(uno: VirtualUno, autoReset: boolean) {
    this.uno = uno;
    this.#autoReset = autoReset;
  }

  setDtr(asserted: boolean): void {
    const rises = asserted && !this.#dtr;
    this.#dtr = asserted;
    if (rises && this.#autoReset) this.uno.reset();
  }

  closed(port: VirtualPort): void {
    if (port !== this.port) return;
    this.port = undefined;
    if (port.openOptions.hupcl) this.#dtr = false;
  }
}
