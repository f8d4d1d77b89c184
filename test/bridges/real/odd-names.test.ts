import { connect } from '@nats-io/transport-node';
import { connectAsync } from 'mqtt';
import { expect, it, onTestFinished } from 'vitest';
import { toSubject } from '../../../src/bridges/nats/subjects.js';
import { connectTo, freePort, type RunningGateway, startGateway, until } from '../../support/gateways.js';
import { startMosquitto } from '../../support/mosquitto.js';
import { startNats } from '../../support/nats-server.js';
import { describeWithTools } from '../../support/tools.js';

/** What channels may be called below `here`, and NATS cannot spell as it is, or could take for its own. */
const NAMES = [
  'plain',
  'a.b',
  'a//b',
  '/',
  'with blanks / and more',
  'stars *.> ',
  '=3D=',
  '$SYS/x',
  '_INBOX/x',
  'Gewächshaus/21 °C',
  'room:1/@home',
  '\u{1f331}/\u00a0',
  'x'.repeat(240),
  'a/'.repeat(120),
];

async function join(upstream: object, gateway: string, pattern: string): Promise<RunningGateway> {
  const rules = [{ pattern, direction: 'both', remote: 'odd/#' }];
  const running = await startGateway({
    gateway,
    bridges: [{ name: 'plant', ...upstream, rules }],
  });
  await until(() => expect(running.gateway.statistics().bridges?.plant?.state).toBe('up'));
  return running;
}

/** Sends messages on all the names from one gateway to another, and to one that comes later. */
async function expectSameNames(upstream: object, names: readonly string[]): Promise<void> {
  const [a, b] = [await join(upstream, 'a', 'here/#'), await join(upstream, 'b', 'there/#')];
  const [sender, hearer] = [await connectTo(a.tcp), await connectTo(b.tcp)];
  const heard: string[] = [];
  await hearer.subscribe('there/#', ({ channel, text }) => void heard.push(`${channel} ${text}`));
  await until(() => expect(b.gateway.statistics().bridges?.plant?.interests).toBe(1));
  // Until the interest is known there, what is published is nobody's: a first message shows that it is.
  await until(async () => {
    await sender.emit('here/ready', '');
    expect(heard).toContain('there/ready ');
  });
  for (const name of names) await sender.emit(`here/${name}`, 'once', { retain: true });
  const expected = names.map((name) => `there/${name} once`);
  await until(() => expect(heard.filter((each) => each.endsWith(' once'))).toEqual(expected));

  const late = await join(upstream, 'c', 'late/#');
  const values: string[] = [];
  const latecomer = await connectTo(late.tcp);
  await latecomer.subscribe('late/#', ({ channel, text }) => void values.push(`${channel} ${text}`));
  const stored = names.map((name) => `late/${name} once`);
  await until(() => expect(values.toSorted()).toEqual(stored.toSorted()));
  for (const { gateway } of [a, b, late]) expect(gateway.statistics().bridges?.plant?.drops).toEqual({});
}

describeWithTools(['nats-server'], 'names that NATS does not spell so', () => {
  it('are the same at the other gateway, live and as last values', async () => {
    const server = await startNats();
    const nc = await connect({ servers: server.url });
    onTestFinished(() => nc.close());
    const subjects: string[] = [];
    nc.subscribe('odd.>', { callback: (_, { subject }) => void subjects.push(subject) });
    await nc.flush();

    const names = [...NAMES, 'a\tb/\u0001'];
    await expectSameNames({ nats: { servers: server.url } }, names);
    expect(new Set(subjects)).toEqual(new Set(['ready', ...names].map((name) => toSubject(`odd/${name}`))));
  });

  it('of other programs are carried where a name is spelt so, and else counted', async () => {
    const server = await startNats();
    const { gateway, tcp } = await join({ nats: { servers: server.url } }, 'a', 'here/#');
    const client = await connectTo(tcp);
    const heard: string[] = [];
    await client.subscribe('here/#', ({ channel, text }) => void heard.push(`${channel} ${text}`));
    const nc = await connect({ servers: server.url });
    onTestFinished(() => nc.close());
    await until(async () => {
      nc.publish('odd.ready');
      await nc.flush();
      expect(heard).toContain('here/ready ');
    });
    for (const subject of ['odd.room:1.$y', 'odd.a+b', 'odd.a/b', 'odd.a=b', 'odd.a=2eb', 'odd.a=2Eb'])
      nc.publish(subject, 'x');
    await nc.flush();
    await until(() =>
      expect(heard.filter((each) => each.endsWith(' x'))).toEqual(['here/room:1/$y x', 'here/a.b x']),
    );
    await until(() => expect(gateway.statistics().bridges?.plant?.drops).toEqual({ bad_name: 4 }));
  });

  // Each of these characters is nine in a subject. What is longer than the server takes asks for all of the rule.
  it.each([
    [0, 330, toSubject(`odd/${'\u200b'.repeat(330)}`)],
    [1, 330, toSubject(`odd/${'\u200b'.repeat(330)}`)],
    [0, 1000, 'odd.any'],
    [1, 1000, 'odd.any'],
  ] as const)(
    'do not have the server cut the bridge off when somebody subscribes to them (QoS %i, %i characters)',
    async (qos, length, subject) => {
      const [server, port] = [await startNats(), await freePort()];
      const nats = { servers: server.url };
      const rules = [{ pattern: 'here/#', direction: 'in', qos, remote: 'odd/#' }];
      const listen = { mqtt: { port } };
      const { gateway } = await startGateway({
        gateway: 'a',
        listen,
        bridges: [{ name: 'plant', nats, rules }],
      });
      const plant = () => gateway.statistics().bridges?.plant;
      await until(() => expect(plant()?.state).toBe('up'));
      const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 });
      onTestFinished(() => client.endAsync(true));
      await client.subscribeAsync(`here/${'\u200b'.repeat(length)}`, { qos });
      const nc = await connect({ servers: server.url });
      onTestFinished(() => nc.close());
      await until(async () => {
        nc.publish(subject, 'x');
        await nc.flush();
        expect(plant()?.in).toBeGreaterThan(0);
      });
      expect(plant()).toMatchObject({ state: 'up', reconnects: 0, interests: 1 });
    },
  );
});

describeWithTools(['mosquitto'], 'names of all kinds on MQTT', () => {
  for (const version of [5, '3.1.1']) {
    it(`are the same at the other gateway, live and as last values (${version})`, async () => {
      const { url } = await startMosquitto();
      await expectSameNames({ mqtt: { url, version } }, NAMES);
    });

    it(`that a broker closes the connection for are left out (${version})`, async () => {
      const { url } = await startMosquitto();
      const upstream = { mqtt: { url, version } };
      const [a, b] = [await join(upstream, 'a', 'here/#'), await join(upstream, 'b', 'there/#')];
      const hearer = await connectTo(b.tcp);
      const heard: string[] = [];
      await hearer.subscribe('there/a\tb', () => undefined);
      await hearer.subscribe('there/\u{fffe}/+', () => undefined);
      await hearer.subscribe('there/good', ({ text }) => void heard.push(text));
      await until(() => expect(b.gateway.statistics().bridges?.plant?.interests).toBe(3));

      const sender = await connectTo(a.tcp);
      for (const name of ['a\tb', '\u0001', 'a\u{fffe}', '/'.repeat(210)])
        await sender.emit(`here/${name}`, name);
      await until(async () => {
        await sender.emit('here/good', 'good');
        expect(heard).toContain('good');
      });
      await until(() => expect(a.gateway.statistics().bridges?.plant?.drops).toEqual({ bad_name: 4 }));
      for (const { gateway } of [a, b])
        expect(gateway.statistics().bridges?.plant).toMatchObject({ state: 'up', reconnects: 0 });
      expect(b.log.filter(({ msg }) => msg.includes('nothing comes in of'))).toHaveLength(2);
    });
  }
});
