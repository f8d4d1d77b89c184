import { readFileSync } from 'node:fs';
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Address } from '../../../src/gateway/gateway.js';
import { CertificateMaker } from '../../support/certificates.js';
import { connectTo, type RunningGateway, startGateway, until } from '../../support/gateways.js';
import { describeWithTools } from '../../support/tools.js';

const LEVELS = [4, 5] as const;
const QOS = [0, 1, 2] as const;
type Transport = 'mqtt' | 'mqtts' | 'ws' | 'wss';

/** A gateway that is there by all these ways. */
class Broker {
  readonly running: RunningGateway;
  readonly #url: string;
  readonly #options: IClientOptions;

  private constructor(running: RunningGateway, url: string, options: IClientOptions) {
    this.running = running;
    this.#url = url;
    this.#options = options;
  }

  static async start(transport: Transport = 'mqtt'): Promise<Broker> {
    const kind = transport.startsWith('ws') ? 'ws' : 'mqtt';
    if (transport === 'mqtt' || transport === 'ws')
      return Broker.#listening(transport, kind, { port: 0 }, {});
    const maker = new CertificateMaker();
    onTestFinished(() => maker.remove());
    const authority = maker.authority('ca');
    const ca = readFileSync(authority.cert);
    const entry = { port: 0, tls: maker.server('server', authority) };
    return Broker.#listening(transport, kind, entry, { ca, wsOptions: { ca } });
  }

  static async #listening(transport: Transport, kind: 'mqtt' | 'ws', entry: object, options: IClientOptions) {
    const running = await startGateway({ listen: { [kind]: entry } });
    const [{ host, port }] = running.gateway.addresses[kind] as [Address];
    return new Broker(running, `${transport}://${host}:${port}`, options);
  }

  async connect(options: IClientOptions = {}): Promise<MqttClient> {
    const client = await connectAsync(this.#url, { reconnectPeriod: 0, ...this.#options, ...options });
    onTestFinished(() => client.endAsync(true));
    return client;
  }
}

/** What a client is told, as `topic payload`. */
function messagesOf(client: MqttClient): string[] {
  const messages: string[] = [];
  client.on('message', (topic, payload) => void messages.push(`${topic} ${payload.toString()}`));
  return messages;
}

function packetsOf(client: MqttClient): IPublishPacket[] {
  const packets: IPublishPacket[] = [];
  client.on('message', (_topic, _payload, packet) => void packets.push(packet));
  return packets;
}

function servesAll(transport: Transport): void {
  describe.each(LEVELS)(`over ${transport} at level %i`, (protocolVersion) => {
    it('passes on many messages both ways, in order at each QoS', async () => {
      const broker = await Broker.start(transport);
      const hearer = await broker.connect({ protocolVersion });
      const speaker = await broker.connect({ protocolVersion });
      const heard = messagesOf(hearer);
      const native = await connectTo(broker.running.tcp);
      const heardNatively: string[] = [];
      await native.subscribe('flow/+', ({ channel, text }) => void heardNatively.push(`${channel} ${text}`), {
        qos: 2,
      });
      for (const qos of QOS) await hearer.subscribeAsync(`flow/${qos}`, { qos });
      const sent = Array.from({ length: 300 }, (_, n) => `flow/${n % 3} ${n}`);
      await Promise.all(
        sent.map((text, n) =>
          speaker.publishAsync(`flow/${n % 3}`, text.split(' ')[1] ?? '', { qos: QOS[n % 3] ?? 0 }),
        ),
      );
      for (const got of [heard, heardNatively]) {
        await until(() => expect(got).toHaveLength(300));
        for (const qos of QOS) {
          const ofQos = (text: string) => text.startsWith(`flow/${qos}`);
          expect(got.filter(ofQos)).toEqual(sent.filter(ofQos));
        }
      }
    });

    it('passes on what is large, and last values', async () => {
      const broker = await Broker.start(transport);
      const speaker = await broker.connect({ protocolVersion });
      const large = Buffer.alloc(500_000, 'slipway');
      await speaker.publishAsync('large', large, { qos: 1, retain: true });
      const hearer = await broker.connect({ protocolVersion });
      const packets = packetsOf(hearer);
      await hearer.subscribeAsync('#', { qos: 1 });
      await until(() => expect(packets).toHaveLength(1));
      expect(packets[0]).toMatchObject({ topic: 'large', retain: true, qos: 1 });
      expect(large.equals(packets[0]?.payload as Buffer)).toBe(true);
    });
  });
}

describe('the mqtt package', () => {
  servesAll('mqtt');
  servesAll('ws');

  describe.each(LEVELS)('at level %i', (protocolVersion) => {
    const session = (clientId: string): IClientOptions => ({
      protocolVersion,
      clientId,
      clean: false,
      reconnectPeriod: 5,
      ...(protocolVersion === 5 && { properties: { sessionExpiryInterval: 600 } }),
    });

    it('loses nothing when connections break again and again, and has QoS 2 exactly once', async () => {
      const broker = await Broker.start();
      const hearer = await broker.connect(session('hearer'));
      const speaker = await broker.connect(session('speaker'));
      const heard = messagesOf(hearer);
      await hearer.subscribeAsync(['broken/1', 'broken/2'], { qos: 2 });
      const sent: string[] = [];
      for (let round = 0; round < 8; round++) {
        const published: Promise<unknown>[] = [];
        for (let n = 0; n < 40; n++) {
          const qos = n % 2 === 0 ? 1 : 2;
          const text = `${round}.${n}`;
          sent.push(`broken/${qos} ${text}`);
          published.push(speaker.publishAsync(`broken/${qos}`, text, { qos }));
        }
        await new Promise((resolve) => setImmediate(resolve));
        (round % 2 === 0 ? speaker : hearer).stream.destroy();
        await Promise.all(published);
      }
      await until(() => expect(new Set(heard)).toEqual(new Set(sent)));
      const exact = heard.filter((text) => text.startsWith('broken/2'));
      expect(exact.toSorted()).toEqual(sent.filter((text) => text.startsWith('broken/2')).toSorted());
    });

    it('has its will told when its connection breaks, not when it leaves', async () => {
      const broker = await Broker.start();
      const hearer = await broker.connect({ protocolVersion });
      const heard = messagesOf(hearer);
      await hearer.subscribeAsync('will/+');
      const will = (topic: string) => ({
        topic,
        payload: Buffer.from('gone'),
        qos: 1 as const,
        retain: false,
      });
      const leaving = await broker.connect({ protocolVersion, will: will('will/left') });
      const broken = await broker.connect({ protocolVersion, will: will('will/broken') });
      await leaving.endAsync();
      broken.stream.destroy();
      await until(() => expect(heard).toEqual(['will/broken gone']));
    });
  });

  describe('at level 5', () => {
    it('uses topic aliases both ways', async () => {
      const broker = await Broker.start();
      const hearer = await broker.connect({ protocolVersion: 5, properties: { topicAliasMaximum: 3 } });
      const speaker = await broker.connect({ protocolVersion: 5, autoAssignTopicAlias: true });
      const heard = messagesOf(hearer);
      const aliased: string[] = [];
      hearer.on('packetreceive', (packet) => {
        if (packet.cmd === 'publish' && packet.properties?.topicAlias) aliased.push(packet.topic.toString());
      });
      await hearer.subscribeAsync('aliased/#', { qos: 1 });
      const sent = Array.from({ length: 200 }, (_, n) => `aliased/topic/${(n * n) % 7} ${n}`);
      for (const text of sent) {
        const [topic = '', payload = ''] = text.split(' ');
        await speaker.publishAsync(topic, payload, { qos: 1 });
      }
      await until(() => expect(heard).toEqual(sent));
      expect(aliased).toContain('');
    });

    it('is sent no more than it takes at a time', async () => {
      const broker = await Broker.start();
      const hearer = await broker.connect({
        protocolVersion: 5,
        properties: { receiveMaximum: 3 },
        // Slow to acknowledge.
        customHandleAcks: (_topic, _message, _packet, done) => void setImmediate(() => done(0, 0)),
      });
      const speaker = await broker.connect({ protocolVersion: 5 });
      let unacknowledged = 0;
      let most = 0;
      hearer.on('packetreceive', ({ cmd }) => {
        if (cmd !== 'publish') return;
        unacknowledged++;
        most = Math.max(most, unacknowledged);
      });
      hearer.on('packetsend', ({ cmd }) => {
        if (cmd === 'puback') unacknowledged--;
      });
      const heard = messagesOf(hearer);
      await hearer.subscribeAsync('many', { qos: 1 });
      await Promise.all(
        Array.from({ length: 200 }, (_, n) => speaker.publishAsync('many', `${n}`, { qos: 1 })),
      );
      await until(() => expect(heard).toEqual(Array.from({ length: 200 }, (_, n) => `many ${n}`)));
      expect(most).toBeLessThanOrEqual(3);
    });

    it('is told which subscriptions a message is for, and why one of its own is refused', async () => {
      const broker = await Broker.start();
      const client = await broker.connect({ protocolVersion: 5 });
      const packets = packetsOf(client);
      await client.subscribeAsync('a/#', { qos: 1, properties: { subscriptionIdentifier: 1 } });
      await client.subscribeAsync('a/+', { qos: 2, properties: { subscriptionIdentifier: 300 } });
      await client.publishAsync('a/b', 'x', { qos: 2, properties: { userProperties: { from: 'me' } } });
      await until(() => expect(packets).toHaveLength(1));
      expect(packets[0]).toMatchObject({
        qos: 2,
        properties: { subscriptionIdentifier: [1, 300], userProperties: { from: 'me' } },
      });
      await expect(client.publishAsync('$slipway/x', 'y', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
      expect(client.connected).toBe(true);
    });
  });
});

describeWithTools(['openssl'], 'the mqtt package with TLS', () => {
  servesAll('mqtts');
  servesAll('wss');
});
