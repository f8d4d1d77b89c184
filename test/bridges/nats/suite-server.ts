import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { NatsServer } from '../../support/nats-server.js';
import { program } from './upstreams.js';

/** A nats-server for all tests of a suite, each of which begins without streams. */
export class SuiteServer {
  #server: NatsServer | undefined;
  #plain: NatsConnection | undefined;

  constructor() {
    beforeAll(async () => {
      this.#server = await NatsServer.start();
    });
    afterAll(() => this.#server?.remove());
    beforeEach(async () => {
      this.#plain = await program(this.url);
      await this.deleteStreams();
    });
  }

  get server(): NatsServer {
    if (!this.#server) throw new Error('the server is there within the tests only');
    return this.#server;
  }

  get url(): string {
    return this.server.url;
  }

  /** A program that is connected to it. */
  get plain(): NatsConnection {
    if (!this.#plain) throw new Error('the program is there within the tests only');
    return this.#plain;
  }

  async deleteStreams(): Promise<void> {
    const manager = await jetstreamManager(this.plain);
    for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name);
  }
}
