import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { expect, it, onTestFinished } from 'vitest';
import { freePort, until } from '../../support/gateways.js';
import { type Program, slipway, storeConfig } from '../../support/programs.js';
import { Random } from '../../support/random.js';

/** How often the daemon is killed; KILLS of the environment goes before. */
const KILLS = Number(process.env.KILLS ?? 5);
const SEED = Number(process.env.SEED ?? 1);
/** Messages that are not acknowledged yet. */
const OPEN = 20;

/**
 * Publishes without pause, and knows what was acknowledged. The package forgets some of what it published when connections break
 * in close succession, and then never tells: with each connection that stands it goes on.
 */
class Publisher {
  readonly acknowledged: string[] = [];
  readonly #client: MqttClient;
  readonly #qos: 1 | 2;
  #published = 0;
  #stopped = false;

  constructor(client: MqttClient, qos: 1 | 2) {
    this.#client = client;
    this.#qos = qos;
    client.on('connect', () => this.#begin());
    this.#begin();
  }

  stop(): void {
    this.#stopped = true;
  }

  #begin(): void {
    for (let n = 0; n < OPEN; n++) this.#next();
  }

  #next(): void {
    if (this.#stopped) return;
    const text = `${this.#qos}: ${this.#published++}`;
    this.#client.publish('load', text, { qos: this.#qos }, (error) => {
      if (error) return;
      this.acknowledged.push(text);
      this.#next();
    });
  }
}

it.each([4, 5] as const)(
  `a daemon with a store is killed ${KILLS} times: for MQTT clients of level %i what was acknowledged is not lost, and QoS 2 comes once (SEED=${SEED})`,
  async (protocolVersion) => {
    const random = new Random(SEED + protocolVersion);
    const port = await freePort();
    const { config } = await storeConfig('', `udp: false, mqtt: { port: ${port} }`);
    const start = () => slipway(['run', '-c', config]);
    let daemon: Program = start();
    await daemon.prints(/listening for MQTT/);
    const connect = async (clientId: string): Promise<MqttClient> => {
      const options: IClientOptions = { protocolVersion, clientId, clean: false, reconnectPeriod: 20 };
      if (protocolVersion === 5) options.properties = { sessionExpiryInterval: 3600 };
      const client = await connectAsync(`mqtt://127.0.0.1:${port}`, options);
      client.on('error', () => {}); // While the daemon is not there.
      onTestFinished(() => client.endAsync(true));
      return client;
    };
    const received: string[] = [];
    const hearer = await connect('hearer');
    hearer.on('message', (_topic, payload) => void received.push(payload.toString()));
    await hearer.subscribeAsync('load', { qos: 2 });
    const publishers = ([1, 2] as const).map(
      async (qos) => new Publisher(await connect(`publisher-${qos}`), qos),
    );
    const [atLeastOnce, exactlyOnce] = (await Promise.all(publishers)) as [Publisher, Publisher];

    for (let kill = 0; kill < KILLS; kill++) {
      const [heard, acknowledged] = [received.length, exactlyOnce.acknowledged.length];
      // Once at least all steps of QoS 2 are gone through; the next kill comes somewhere among them.
      await until(() => expect(received.length).toBeGreaterThan(heard));
      await until(() => expect(exactlyOnce.acknowledged.length).toBeGreaterThan(acknowledged));
      await new Promise((resolve) => setTimeout(resolve, random.next() * 60));
      daemon.child.kill('SIGKILL');
      await daemon.ended;
      daemon = start();
    }
    for (const publisher of [atLeastOnce, exactlyOnce]) publisher.stop();
    const missing = () =>
      [...atLeastOnce.acknowledged, ...exactlyOnce.acknowledged].filter((text) => !received.includes(text));
    await until(() => expect(missing()).toEqual([]));
    const exact = received.filter((text) => text.startsWith('2'));
    expect(exact).toEqual([...new Set(exact)]);
    expect(exactlyOnce.acknowledged.length).toBeGreaterThanOrEqual(KILLS);
  },
  120_000,
);
