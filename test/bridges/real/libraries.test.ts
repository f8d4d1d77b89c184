import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { until } from '../../support/gateways.js';
import { startMosquitto } from '../../support/mosquitto.js';
import { startNats, startNatsCluster } from '../../support/nats-server.js';
import { describeWithTools } from '../../support/tools.js';
import { Ledger } from './ledger.js';
import { hearAll, mqttClient, natsClient, readStream } from './receivers.js';
import { again, overMqtt, Sender } from './senders.js';

const MESSAGES = 500;

const arrives = (ledger: Ledger) => until(() => expect(ledger.missing).toBe(0));

describeWithTools(['mosquitto'], 'the checker, with the mqtt package alone', () => {
  it('has nothing to say while mosquitto is stopped and started under load', async () => {
    const broker = await startMosquitto();
    const ledger = new Ledger();
    await hearAll(broker.url, 'load/#', ledger);
    const senders = ([1, 2] as const).map(async (qos) => {
      const client = await mqttClient(broker.url, `sender-${qos}`);
      return new Sender(ledger.sender(`mqtt-${qos}`, qos), overMqtt(client, `load/${qos}`, qos));
    });
    const all = await Promise.all(senders);
    for (let restart = 0; restart < 2; restart++) {
      const before = ledger.acknowledged;
      await until(() => expect(ledger.acknowledged).toBeGreaterThan(before + MESSAGES));
      await broker.stop();
      await broker.start();
    }
    await Promise.all(all.map((sender) => sender.finish()));
    await arrives(ledger);
    expect(ledger.verdict().faults).toEqual([]);
  });

  it('sees what mosquitto loses when it is killed: what it has not written down', async () => {
    const broker = await startMosquitto();
    const ledger = new Ledger();
    const hearer = await hearAll(broker.url, 'load', ledger);
    // Its session is written down; what then comes for it is not.
    await hearer.endAsync();
    await broker.stop();
    await broker.start();
    const client = await mqttClient(broker.url, 'sender');
    const book = ledger.sender('mqtt', 1);
    for (let n = 0; n < 3; n++) {
      const { number, text } = book.next();
      await client.publishAsync('load', text, { qos: 1 });
      book.acknowledged.add(number);
    }
    await broker.kill();
    await broker.start();
    await hearAll(broker.url, 'load', ledger);
    const { number, text } = book.next();
    await client.publishAsync('load', text, { qos: 1 });
    book.acknowledged.add(number);
    await until(() => expect(ledger.arrivals).toBe(1));
    expect(ledger.verdict().faults).toEqual(['mqtt, QoS 1: acknowledged, and did not arrive: 0, 1, 2']);
  });
});

describeWithTools(['nats-server'], 'the checker, with the NATS library alone', () => {
  it('has nothing to say while a cluster loses its leader, and all nodes at once', async () => {
    const cluster = await startNatsCluster();
    const connection = await natsClient(cluster.urls);
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'load', subjects: ['load.>'], num_replicas: 3 });
    const ledger = new Ledger();
    const streams = jetstream(connection);
    // One at a time: the library keeps no order when it has to send again.
    const senders = [1, 2, 3].map((index) => {
      const book = ledger.sender(`nats-${index}`, 2);
      let last: Promise<void> = Promise.resolve();
      const publish = again(async (text) => {
        await streams.publish(`load.${index}`, text, { msgID: text, timeout: 500 });
      });
      return new Sender(book, (text) => {
        last = last.then(() => publish(text));
        return last;
      });
    });
    const flows = async () => {
      const before = ledger.acknowledged;
      await until(() => expect(ledger.acknowledged).toBeGreaterThan(before + 100));
    };
    const leader = (await manager.streams.info('load')).cluster?.leader;
    const node = cluster.nodes.find(({ name }) => name === leader);
    await flows();
    await node?.kill();
    await flows();
    await node?.start();
    await flows();
    await cluster.kill();
    await cluster.start();
    await flows();
    await Promise.all(senders.map((sender) => sender.finish()));
    await readStream(connection, 'load', 'load.>', ledger);
    expect(ledger.missing).toBe(0);
    expect(ledger.verdict().faults).toEqual([]);
  });

  it('sees what is published twice, overtaken and left out', async () => {
    const server = await startNats();
    const connection = await natsClient(server.url);
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'load', subjects: ['load'] });
    const ledger = new Ledger();
    const book = ledger.sender('nats', 2);
    for (let n = 0; n < 5; n++) book.acknowledged.add(book.next().number);
    for (const n of [0, 2, 1, 2, 4]) await jetstream(connection).publish('load', `nats ${n}`);
    await readStream(connection, 'load', 'load', ledger);
    expect(ledger.verdict().faults).toEqual([
      'nats, QoS 2: acknowledged, and did not arrive: 3',
      'nats, QoS 2: arrived more than once: 2',
      'nats, QoS 2: arrived late: 1 after 2',
    ]);
  });
});
