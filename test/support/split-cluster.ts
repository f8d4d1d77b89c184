import { expect, onTestFailed, onTestFinished } from 'vitest';
import { freePort, until } from './gateways.js';
import { NatsCluster, type NatsOptions, type NatsServer } from './nats-server.js';
import { Relay } from './relay.js';

/** A cluster of three whose last node can lose all its ways to the others. */
export class SplitCluster {
  readonly cluster: NatsCluster;
  readonly #relays: readonly Relay[];

  /** It ends with the test; when that fails, what it logged is shown. */
  static async start(options: NatsOptions = {}): Promise<SplitCluster> {
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    const relays = await Promise.all(ports.map((port) => Relay.to({ host: '127.0.0.1', port })));
    // Nodes also tell each other where to find more: there must be no way to the last one, or from it, but those of relays.
    const [relay1, relay2, relay3] = relays.map(({ address }) => address.port) as [number, number, number];
    const cluster = await NatsCluster.prepare(options, [
      { port: ports[0], advertise: relay1, routes: [ports[1], relay3] },
      { port: ports[1], advertise: relay2, routes: [ports[0], relay3] },
      { port: ports[2], advertise: relay3, routes: [relay1, relay2] },
    ]);
    onTestFailed(() => console.log(cluster.lastLines()));
    onTestFinished(() => cluster.remove());
    // Those two shall know each other already when they hear of the relays.
    const [first, second] = cluster.nodes as [NatsServer, NatsServer];
    await Promise.all([first.launch(), second.launch()]);
    await until(async () => expect(await first.monitor('routez')).toMatchObject({ num_routes: 1 }));
    await cluster.start();
    return new SplitCluster(cluster, relays);
  }

  private constructor(cluster: NatsCluster, relays: readonly Relay[]) {
    this.cluster = cluster;
    this.#relays = relays;
  }

  /** The connections break, and there are no others. */
  split(): void {
    for (const relay of this.#relays) relay.cut();
  }

  heal(): void {
    for (const relay of this.#relays) relay.mend();
  }
}
