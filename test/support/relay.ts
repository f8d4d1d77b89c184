import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Address } from '../../src/gateway/gateway.js';

/** A way to a gateway that a test can cut and mend, or lead elsewhere. */
export class Relay {
  readonly address: Address;
  target: Address;
  /** How many there were. */
  connections = 0;
  /** When that is said to the target the connection is broken, before it hears it. */
  forbidden: string | undefined;
  #cut = false;
  #frozen = false;
  #muted = false;
  readonly #sockets = new Set<Socket>();
  readonly #onward = new Set<Socket>();

  static async to(target: Address): Promise<Relay> {
    const server = createServer((socket) => relay.#take(socket));
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    const relay = new Relay(target, server.address() as AddressInfo);
    onTestFinished(() => {
      relay.cut();
      server.close();
    });
    return relay;
  }

  private constructor(target: Address, { address, port }: AddressInfo) {
    this.target = target;
    this.address = { host: address, port };
  }

  /** Connections break without a word; new ones are broken at once. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#cut = false;
    this.#frozen = false;
    this.#muted = false;
  }

  /** What is said to the target arrives, also over new connections, but what it says does not. Those stay so for good. */
  mute(): void {
    this.#muted = true;
    for (const socket of this.#onward) socket.unpipe().pause();
  }

  /** Connections stand, also new ones, but nothing passes any more. Those stay so for good. */
  freeze(): void {
    this.#frozen = true;
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  #take(socket: Socket): void {
    if (this.#cut) {
      socket.destroy();
      return;
    }
    this.connections++;
    const onward = connect(this.target);
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => {}); // 'close' follows.
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (!this.#frozen && !(this.#muted && from === onward)) from.pipe(to);
    }
    if (!this.#frozen)
      socket.prependListener('data', (bytes: Buffer) => {
        if (this.forbidden === undefined || !bytes.includes(this.forbidden)) return;
        onward.destroy();
        socket.destroy();
      });
    this.#onward.add(onward);
    onward.once('close', () => this.#onward.delete(onward));
  }
}
