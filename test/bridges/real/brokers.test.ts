import { readFileSync } from 'node:fs';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { expect, it, onTestFinished, vi } from 'vitest';
import { CertificateMaker } from '../../support/certificates.js';
import { until } from '../../support/gateways.js';
import { type Mosquitto, startMosquitto } from '../../support/mosquitto.js';
import { startNats, startNatsCluster } from '../../support/nats-server.js';
import { describeWithTools } from '../../support/tools.js';

/** What the monitoring of a server says of the streams it has. */
interface Accounts {
  readonly account_details: readonly {
    readonly stream_detail?: readonly { readonly state: { readonly messages: number } }[];
  }[];
}

async function mqttClient({ url }: Mosquitto, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await connectAsync(url, { reconnectPeriod: 0, ...options }, false);
  onTestFinished(() => client.endAsync(true));
  return client;
}

async function natsClient(options: Parameters<typeof connect>[0]): Promise<NatsConnection> {
  const connection = await connect({ maxReconnectAttempts: -1, reconnectTimeWait: 50, ...options });
  onTestFinished(() => connection.close());
  return connection;
}

describeWithTools(['mosquitto', 'mosquitto_passwd', 'openssl'], 'a mosquitto of the tests', () => {
  it('keeps port and data when it is stopped and started again', async () => {
    const broker = await startMosquitto();
    const first = await mqttClient(broker);
    await first.publishAsync('state', 'kept', { qos: 1, retain: true });
    await broker.stop();
    expect(broker.process.running).toBe(false);
    await broker.start();
    const second = await mqttClient(broker);
    const heard: string[] = [];
    second.on('message', (_topic, payload) => void heard.push(payload.toString()));
    await second.subscribeAsync('state');
    await until(() => expect(heard).toEqual(['kept']));
  });

  it('wants passwords, rights and TLS when it is told to', async () => {
    const certificates = new CertificateMaker();
    onTestFinished(() => certificates.remove());
    const authority = certificates.authority('authority');
    const broker = await startMosquitto({
      users: { ada: 'secret', eve: 'other' },
      acl: ['user ada', 'topic write allowed/#'],
      tls: { ...certificates.server('server', authority), clientCa: authority.cert },
    });
    const client = certificates.client('client', authority);
    const tls = {
      ca: readFileSync(authority.cert),
      cert: readFileSync(client.cert),
      key: readFileSync(client.key),
    };
    await expect(mqttClient(broker, { ...tls, username: 'ada', password: 'wrong' })).rejects.toThrow(
      /not authori[sz]ed/i,
    );
    await expect(mqttClient(broker, { ca: tls.ca, username: 'ada', password: 'secret' })).rejects.toThrow();
    const ada = await mqttClient(broker, {
      ...tls,
      username: 'ada',
      password: 'secret',
      protocolVersion: 5,
    });
    await ada.publishAsync('allowed/x', 'x', { qos: 1 });
    await expect(ada.publishAsync('forbidden/x', 'x', { qos: 1 })).rejects.toThrow(/not authori[sz]ed/i);
  });
});

describeWithTools(['nats-server', 'openssl'], 'a nats-server of the tests', () => {
  it('keeps port and data when it is killed and started again', async () => {
    const server = await startNats();
    const connection = await natsClient({ servers: server.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'kept', subjects: ['kept'] });
    await jetstream(connection).publish('kept', 'x');
    await server.kill();
    await server.start();
    await until(() => expect(connection.isClosed()).toBe(false));
    const again = await natsClient({ servers: server.url });
    const { state } = await (await jetstreamManager(again)).streams.info('kept');
    expect(state.messages).toBe(1);
  });

  it('wants users and TLS, and has no JetStream, when it is told so', async () => {
    const certificates = new CertificateMaker();
    onTestFinished(() => certificates.remove());
    const authority = certificates.authority('authority');
    const server = await startNats({
      jetstream: false,
      users: [{ user: 'ada', password: 'secret', permissions: { publish: ['allowed'] } }],
      tls: certificates.server('server', authority),
    });
    const tls = { caFile: authority.cert };
    const wrong = natsClient({ servers: server.url, tls, user: 'ada', pass: 'wrong' });
    await expect(wrong).rejects.toThrow(/authorization/i);
    const ada = await natsClient({ servers: server.url, tls, user: 'ada', pass: 'secret' });
    await expect(jetstreamManager(ada)).rejects.toThrow();
    const problems: string[] = [];
    void (async () => {
      for await (const status of ada.status())
        if (status.type === 'error') problems.push(status.error.message);
    })();
    ada.publish('forbidden', 'x');
    await until(() => expect(problems.join()).toMatch(/permissions violation/i));
  });

  it('is one of a cluster of three: two carry on, and the third catches up', async () => {
    const cluster = await startNatsCluster();
    const connection = await natsClient({ servers: cluster.urls });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'held', subjects: ['held'], num_replicas: 3 });
    const streams = jetstream(connection);
    await streams.publish('held', 'one');
    const leader = (await manager.streams.info('held')).cluster?.leader;
    const node = cluster.nodes.find(({ name }) => name === leader);
    expect(node).toBeDefined();
    await node?.kill();
    const publish = () => streams.publish('held', 'two', { msgID: 'two', timeout: 1000 });
    for (;;) if (await publish().catch(() => undefined)) break;
    await node?.start();
    const held = async () => {
      const all = await node?.monitor('jsz?streams=true&accounts=true');
      return (all as Accounts).account_details[0]?.stream_detail?.map(({ state }) => state.messages);
    };
    await vi.waitFor(async () => expect(await held()).toEqual([2]), { timeout: 30_000 });
  });
});
