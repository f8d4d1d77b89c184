import { CClient, type CClientOptions } from '../firmware/c-client.js';
import type { CrcCollisions } from './crc-collisions.js';
import type { Device, Simulation } from './simulation.js';

/** What an Uno's UART holds for a sketch that is busy. */
const RING_BYTES = 63;

export interface CDeviceOptions extends Partial<CClientOptions> {
  /** Milliseconds between two runs of the sketch's loop. */
  loopMs?: number;
}

/** A device whose firmware is the C client itself, in a sketch whose loop takes its time. */
export class CDevice implements Device {
  readonly client: CClient;
  /** Bytes that the UART lost because the sketch did not come to read them. */
  overrun = 0;
  readonly #simulation: Simulation;
  readonly #loopMs: number;
  readonly #kind: 'serial' | 'udp';
  #waiting: Uint8Array[] = [];
  #send: ((bytes: Uint8Array) => void) | undefined;
  #incoming: CrcCollisions | undefined;
  #running = true;

  constructor(
    simulation: Simulation,
    identity: string,
    kind: 'serial' | 'udp',
    options: CDeviceOptions = {},
  ) {
    const { loopMs = 2, ...rest } = options;
    this.#simulation = simulation;
    this.#loopMs = loopMs;
    this.#kind = kind;
    this.client = new CClient({
      framing: kind === 'serial' ? 'serial' : 'datagram',
      identity,
      nonce: simulation.random.u32(),
      defines: kind === 'serial' ? { SLIPWAY_RECEIVE_RING: RING_BYTES } : {},
      send: (bytes) => this.#send?.(bytes),
      ...rest,
    });
    this.#loop();
  }

  linkUp(_kind: 'serial' | 'udp', send: (bytes: Uint8Array) => void, incoming: CrcCollisions): void {
    this.#send = send;
    this.#incoming = incoming;
    incoming.restart();
  }

  linkDown(): void {
    this.#send = undefined;
    this.#waiting = [];
  }

  receive(bytes: Uint8Array): void {
    if (!this.#running) return;
    if (this.#kind === 'serial') {
      const room = RING_BYTES - this.#waiting.reduce((sum, { length }) => sum + length, 0);
      this.overrun += Math.max(0, bytes.length - room);
      this.#waiting.push(bytes.slice(0, Math.max(0, room)));
    } else this.#waiting.push(bytes.slice());
  }

  /** The power goes, or the chip sleeps: nothing runs any more. */
  stop(): void {
    this.#running = false;
  }

  /** The chip goes on with its program, which has kept its memory; it heard nothing meanwhile. */
  resume(): void {
    this.#waiting = [];
    this.#running = true;
    this.#loop();
  }

  #loop(): void {
    if (!this.#running) return;
    for (const bytes of this.#waiting.splice(0)) {
      const screened = this.#kind === 'serial' ? this.#incoming?.screen(bytes) : undefined;
      this.client.receive(screened ?? bytes);
    }
    this.client.poll(Math.floor(this.#simulation.clock.now()));
    this.#simulation.clock.schedule(this.#loopMs, () => this.#loop());
  }
}
