import { connect } from '@nats-io/transport-node';
import { expect, it, onTestFinished } from 'vitest';
import { toSubject } from '../../../src/bridges/nats/subjects.js';
import { connectTo, type RunningGateway, startGateway, until } from '../../support/gateways.js';
import { type NatsServer, startNats } from '../../support/nats-server.js';
import { describeWithTools } from '../../support/tools.js';

/** What channels may be called below `here`, and NATS cannot spell as it is, or could take for its own. */
const NAMES = [
  'plain',
  'a.b',
  'a//b',
  '/',
  'with blanks /\tand more',
  'stars *.> ',
  '=3D=',
  '$SYS/x',
  '_INBOX/x',
  'Gewächshaus/21 °C',
  'room:1/@home',
  '\u{1f331}/\u00a0',
  'x'.repeat(240),
];

async function join(server: NatsServer, gateway: string, pattern: string): Promise<RunningGateway> {
  const rules = [{ pattern, direction: 'both', remote: 'odd/#' }];
  const running = await startGateway({
    gateway,
    bridges: [{ name: 'plant', nats: { servers: server.url }, rules }],
  });
  await until(() => expect(running.gateway.statistics().bridges?.plant?.state).toBe('up'));
  return running;
}

describeWithTools(['nats-server'], 'names that NATS does not spell so', () => {
  it('are the same at the other gateway, live and as last values', async () => {
    const server = await startNats();
    const [a, b] = [await join(server, 'a', 'here/#'), await join(server, 'b', 'there/#')];
    const nc = await connect({ servers: server.url });
    onTestFinished(() => nc.close());
    const subjects: string[] = [];
    nc.subscribe('odd.>', { callback: (_, { subject }) => void subjects.push(subject) });
    await nc.flush();

    const [sender, hearer] = [await connectTo(a.tcp), await connectTo(b.tcp)];
    const heard: string[] = [];
    await hearer.subscribe('there/#', ({ channel, text }) => void heard.push(`${channel} ${text}`));
    await until(() => expect(b.gateway.statistics().bridges?.plant?.interests).toBe(1));
    // Until the interest is known there, what is published is nobody's: a first message shows that it is.
    await until(async () => {
      await sender.emit('here/ready', '');
      expect(heard).toContain('there/ready ');
    });
    for (const name of NAMES) await sender.emit(`here/${name}`, 'once', { retain: true });
    const expected = NAMES.map((name) => `there/${name} once`);
    await until(() => expect(heard.filter((each) => each.endsWith(' once'))).toEqual(expected));
    expect(new Set(subjects)).toEqual(new Set(['ready', ...NAMES].map((name) => toSubject(`odd/${name}`))));

    const late = await join(server, 'c', 'late/#');
    const values: string[] = [];
    const latecomer = await connectTo(late.tcp);
    await latecomer.subscribe('late/#', ({ channel, text }) => void values.push(`${channel} ${text}`));
    const stored = NAMES.map((name) => `late/${name} once`);
    await until(() => expect(values.toSorted()).toEqual(stored.toSorted()));
    for (const { gateway } of [a, b, late]) expect(gateway.statistics().bridges?.plant?.drops).toEqual({});
  });

  it('of other programs are carried where a name is spelt so, and else counted', async () => {
    const server = await startNats();
    const { gateway, tcp } = await join(server, 'a', 'here/#');
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
});
