import { expect, it } from 'vitest';
import type { Client } from '../../../src/client/client.js';
import { connectTo, type RunningGateway, startGateway, until } from '../../support/gateways.js';
import { type NatsCluster, startNatsCluster } from '../../support/nats-server.js';
import { Relay } from '../../support/relay.js';
import { describeWithTools } from '../../support/tools.js';
import { UdpDevice } from '../../support/udp-device.js';
import { Ledger } from './ledger.js';
import { overTcp, Sender } from './senders.js';

const RULES = [
  { pattern: 'greenhouse/#', direction: 'both', qos: 1 },
  { pattern: 'readings/#', direction: 'both', qos: 0 },
];

function join(gateway: string, servers: readonly string[]): Promise<RunningGateway> {
  const bridge = { name: 'plant', nats: { servers, replicas: 3 }, rules: RULES };
  return startGateway({ gateway, bridges: [bridge], stats: { interval: '1s' } });
}

const isUp = ({ log }: RunningGateway) =>
  expect(log.map(({ msg }) => msg).join('\n')).toMatch(/bridge plant: connected to/);

/** Gateways of these names, each at a node of its own. */
async function fleet(cluster: NatsCluster, names: readonly string[]): Promise<RunningGateway[]> {
  const gateways = await Promise.all(
    names.map((name, index) => join(name, [cluster.urls[index % cluster.urls.length] as string])),
  );
  await until(() => gateways.forEach(isUp));
  return gateways;
}

/** Subscriptions that the connection of that gateway has at the cluster, those of its own needs left out. */
async function subscriptionsOf(cluster: NatsCluster, gateway: string): Promise<string[]> {
  const all: string[] = [];
  for (const node of cluster.nodes) {
    const { connections } = (await node.monitor('connz?subs=true')) as {
      connections: { name?: string; subscriptions_list?: string[] }[];
    };
    for (const { name, subscriptions_list: subjects = [] } of connections)
      if (name === `slipway ${gateway} plant`)
        all.push(...subjects.filter((subject) => !subject.startsWith('_')));
  }
  return all.sort();
}

/** What a program hears on a pattern, once it is known that it hears all that comes on it there. */
async function hear(client: Client, pattern: string, qos: 0 | 1 = 1): Promise<string[]> {
  const heard: string[] = [];
  await client.subscribe(pattern, ({ channel, text }) => void heard.push(`${channel} ${text}`), { qos });
  return heard;
}

describeWithTools(['nats-server'], 'gateways on one NATS cluster', () => {
  it('a device on one reaches programs on the others, once, and they reach it', async () => {
    const cluster = await startNatsCluster();
    const [a, b, c] = (await fleet(cluster, ['a', 'b', 'c'])) as [
      RunningGateway,
      RunningGateway,
      RunningGateway,
    ];
    const device = new UdpDevice('sensor');
    await device.connect(a.udp);
    device.subscribe('greenhouse/led');
    const programs = [await connectTo(a.tcp), await connectTo(b.tcp), await connectTo(c.tcp)] as const;
    const heard = await Promise.all(programs.map((program) => hear(program, 'greenhouse/temperature')));
    await until(() => expect(device.outcomes).toEqual(['ok']));
    // Until all have heard of it, who asked in time would tell who is slow.
    await until(async () => {
      device.emit('greenhouse/temperature', 'now');
      expect(heard.every((texts) => texts.length > 0)).toBe(true);
    });
    const texts = Array.from({ length: 200 }, (_, n) => String(n));
    for (const text of texts) device.emit('greenhouse/temperature', text);
    const expected = texts.map((text) => `greenhouse/temperature ${text}`);
    for (const at of heard)
      await until(() => expect(at.filter((text) => !text.endsWith('now'))).toEqual(expected));

    await programs[2].emit('greenhouse/led', 'on', { qos: 1 });
    await until(() => expect(device.received).toContain('greenhouse/led on'));
    await programs[1].emit('greenhouse/led', 'off', { qos: 1 });
    await until(() => expect(device.received).toEqual(['greenhouse/led on', 'greenhouse/led off']));
  });

  it('ask for what their peers are subscribed to, and no longer than they are', async () => {
    const cluster = await startNatsCluster();
    const [a, b] = (await fleet(cluster, ['a', 'b'])) as [RunningGateway, RunningGateway];
    expect(await subscriptionsOf(cluster, 'b')).toEqual([]);
    const [near, far] = [await connectTo(a.tcp), await connectTo(b.tcp)];
    const heard: string[] = [];
    const subscription = await far.subscribe('readings/+/power', ({ text }) => void heard.push(text), {
      qos: 0,
    });
    await until(async () => expect(await subscriptionsOf(cluster, 'b')).toEqual(['readings.*.power']));
    await near.emit('readings/7/power', '230', { qos: 0 });
    await until(() => expect(heard).toEqual(['230']));
    subscription.unsubscribe();
    await until(async () => expect(await subscriptionsOf(cluster, 'b')).toEqual([]));
    await far.close();
  });

  it('lose nothing reliable while one is cut off from the cluster, and its node stands still', async () => {
    const cluster = await startNatsCluster();
    const [, , n3] = cluster.nodes;
    const relay = await Relay.to({ host: '127.0.0.1', port: n3?.port as number });
    const [a] = (await fleet(cluster, ['a'])) as [RunningGateway];
    const c = await join('c', [`nats://127.0.0.1:${relay.address.port}`]);
    await until(() => isUp(c));
    const ledger = new Ledger();
    const program = await connectTo(c.tcp);
    await program.subscribe('greenhouse/#', ({ text }) => ledger.arrived(text), { qos: 1 });
    const near = await connectTo(a.tcp);
    const probe = ledger.sender('probe', 1);
    await until(() => {
      void near.emit('greenhouse/probe', probe.next().text);
      expect(ledger.arrivals).toBeGreaterThan(0);
    });
    const sender = new Sender(ledger.sender('tcp', 1), overTcp(near, 'greenhouse/tcp', 1), 200);
    const flows = async () => {
      const [sent, arrived] = [ledger.acknowledged, ledger.arrivals];
      await until(() => expect(ledger.acknowledged).toBeGreaterThan(sent + 100));
      await until(() => expect(ledger.arrivals).toBeGreaterThan(arrived + 100));
    };
    await flows();
    relay.cut();
    const missing = ledger.missing;
    await until(() => expect(ledger.missing).toBeGreaterThan(missing + 200));
    relay.mend();
    await flows();
    n3?.process.freeze();
    const before = ledger.missing;
    await until(() => expect(ledger.missing).toBeGreaterThan(before + 200));
    n3?.process.thaw();
    await flows();
    await sender.finish();
    await until(() => expect(ledger.missing).toBe(0));
    expect(ledger.verdict({ once: true }).faults).toEqual([]);
  });
});
