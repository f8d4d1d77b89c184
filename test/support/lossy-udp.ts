import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import type { Address } from '../../src/gateway/gateway.js';
import type { Random } from './random.js';

export interface Weather {
  /** Chances of each datagram, each way. */
  readonly loss: number;
  readonly duplicate: number;
  /** Of being held back for up to HELD_MS, so that later ones overtake it. */
  readonly late: number;
}

const HELD_MS = 20;

/** A bad network to a gateway, for real sockets: what devices send to `address` gets there mostly, and the answers get back. */
export class LossyUdp {
  readonly address: Address;
  lost = 0;
  #closed = false;
  readonly #front: Socket;
  readonly #gateway: Address;
  readonly #weather: Weather;
  readonly #random: Random;
  /** The socket that speaks to the gateway for each device, by the device's port. */
  readonly #backs = new Map<number, Socket>();

  /** It goes when the test ends. */
  static async to(gateway: Address, weather: Weather, random: Random): Promise<LossyUdp> {
    const front = createSocket('udp4').bind(0, '127.0.0.1');
    await once(front, 'listening');
    const network = new LossyUdp(front, gateway, weather, random);
    onTestFinished(() => network.#close());
    return network;
  }

  private constructor(front: Socket, gateway: Address, weather: Weather, random: Random) {
    this.#front = front;
    this.#gateway = gateway;
    this.#weather = weather;
    this.#random = random;
    this.address = { host: '127.0.0.1', port: front.address().port };
    front.on('message', (datagram, { port }) => {
      const back = this.#back(port);
      this.#carry(() => back.send(datagram, this.#gateway.port, this.#gateway.host, ignore));
    });
  }

  #back(port: number): Socket {
    const known = this.#backs.get(port);
    if (known) return known;
    const back = createSocket('udp4');
    back.on('error', ignore);
    back.on('message', (datagram) => {
      this.#carry(() => this.#front.send(datagram, port, '127.0.0.1', ignore));
    });
    this.#backs.set(port, back);
    return back;
  }

  #carry(send: () => void): void {
    const { loss, duplicate, late } = this.#weather;
    const arrive = () => {
      if (!this.#closed) send();
    };
    if (this.#random.chance(loss)) {
      this.lost++;
      return;
    }
    const deliver = () => {
      if (this.#random.chance(late)) setTimeout(arrive, this.#random.next() * HELD_MS);
      else arrive();
    };
    deliver();
    if (this.#random.chance(duplicate)) deliver();
  }

  #close(): void {
    this.#closed = true;
    for (const socket of [this.#front, ...this.#backs.values()]) socket.close();
  }
}

function ignore(): void {}
