import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { until } from '../../support/gateways.js';
import { NatsServer } from '../../support/nats-server.js';
import { Random } from '../../support/random.js';
import { describeWithTools } from '../../support/tools.js';
import { SuiteServer } from './suite-server.js';
import { program, Side } from './upstreams.js';

describeWithTools(['nats-server'], 'NATS as an upstream', () => {
  const nats = new SuiteServer();

  it('carries QoS 0 as plain messages of NATS', async () => {
    const hearer = await new Side(nats.url).connect();
    hearer.want(0, 'site/+/temperature', 'site/b/#');
    const sender = await new Side(nats.url).connect();
    const plain = await program(nats.url);
    const seen: string[] = [];
    plain.subscribe('site.>', {
      callback: (_error, message) =>
        void seen.push(`${message.subject} ${message.string()} ${message.reply ?? ''}`),
    });
    await plain.flush();
    await until(() => {
      sender.send('site/a/temperature', 'first');
      expect(hearer.texts).toContain('first');
    });
    const later = () => hearer.heard.filter(({ text }) => text !== 'first');
    sender.send('site/a/temperature', 'one');
    sender.send('site/b', 'two', { via: ['far', sender.gateway] });
    sender.send('site/elsewhere/x', 'not wanted');
    sender.send('site/b/c.d/ä', 'three', { properties: { contentType: 'a\r\nb' } });
    // Between two connections there is no order.
    await until(() => expect(later()).toHaveLength(3));
    plain.publish('site.b', 'from a program');
    await until(() => expect(later()).toHaveLength(4));
    expect(later()).toMatchObject([
      {
        name: 'site/a/temperature',
        text: 'one',
        qos: 0,
        retain: false,
        stored: false,
        via: [sender.gateway],
      },
      { name: 'site/b', text: 'two', via: ['far', sender.gateway] },
      { name: 'site/b/c.d/ä', text: 'three', properties: { contentType: 'a\r\nb' } },
      { name: 'site/b', text: 'from a program', via: [], properties: undefined },
    ]);
    await until(() => expect(seen).toContain('site.b.c=2Ed.ä three '));
  });

  it('copies what it sends at QoS 0: the payload is there only during the call', async () => {
    const hearer = await new Side(nats.url).connect();
    hearer.want(0, 'site/#');
    const sender = await new Side(nats.url).connect();
    const payload = Buffer.from('right');
    await until(() => {
      sender.send('site/x', '', { payload });
      payload.fill('wrong');
      expect(hearer.heard.length).toBeGreaterThan(0);
      payload.write('right');
    });
    expect(hearer.texts[0]).toBe('right');
  });

  it('carries QoS 1 and 2 through a stream, in order, with all that belongs to a message', async () => {
    const hearer = await new Side(nats.url).hear('site/#');
    const sender = await new Side(nats.url).connect();
    await until(() => expect(hearer.options.records.get('in/slipway/0')).toBeDefined());
    const properties = {
      payloadFormat: 1 as const,
      contentType: 'text/plain',
      responseTopic: 'answers/here',
      correlationData: Buffer.from([0, 13, 10, 255]),
      userProperties: [
        ['a', ' line\r\nend '],
        ['a', 'ü'],
      ] as const,
    };
    const first = sender.publish('site/a', 'one', { qos: 1, properties });
    const second = sender.publish('site/a/b', 'two', { qos: 2, expiresAt: systemClock.now() + 60_000 });
    const rest = Array.from({ length: 2000 }, (_, i) => sender.publish(`site/${i % 7}`, `${i}`));
    await until(() => expect(hearer.heard).toHaveLength(2002));
    expect(hearer.heard[0]).toMatchObject({
      name: 'site/a',
      text: 'one',
      qos: 1,
      properties,
      expiryMs: undefined,
    });
    expect(hearer.heard[1]).toMatchObject({ name: 'site/a/b', text: 'two', qos: 2, via: [sender.gateway] });
    expect(hearer.heard[1]?.expiryMs).toBeGreaterThan(1000);
    expect(hearer.heard[1]?.expiryMs).toBeLessThanOrEqual(60_000);
    expect(hearer.texts.slice(2)).toEqual(rest.map((_, i) => `${i}`));
    await until(() => expect(sender.settledRecords).toEqual([first, second, ...rest]));
  });

  it('knows a message that is sent again, also by another connection', async () => {
    const hearer = await new Side(nats.url).hear('site/#');
    await until(() => expect(hearer.options.records.get('in/slipway/0')).toBeDefined());
    const sender = await new Side(nats.url).connect();
    const record = sender.publish('site/a', 'once', { retain: true });
    await until(() => expect(sender.settledRecords).toEqual([record]));
    const again = await sender.again().connect();
    again.publish('site/a', 'once', { record, retain: true });
    const next = again.publish('site/a', 'next');
    await until(() => expect(again.settledRecords).toEqual([record, next]));
    await until(() => expect(hearer.texts).toContain('next'));
    expect(hearer.texts).toEqual(['once', 'next']);
    expect(again.count('known')).toBe(2);
  });

  it('takes what a program puts into the stream as QoS 1, and what a gateway sent at QoS 0 as that', async () => {
    const hearer = await new Side(nats.url).hear('site/#');
    await until(() => expect(hearer.options.records.get('in/slipway/0')).toBeDefined());
    const plain = await program(nats.url);
    await jetstream(plain).publish('site.a', 'from a program');
    const odd = headers();
    odd.set('Slipway-Properties', 'no JSON');
    odd.set('Slipway-Expiry', 'soon');
    await jetstream(plain).publish('site.a', 'odd', { headers: odd });
    const sender = await new Side(nats.url).connect();
    sender.send('site/a', 'QoS 0');
    await until(() => expect(hearer.heard).toHaveLength(3));
    expect(hearer.heard).toMatchObject([
      { text: 'from a program', qos: 1, via: [] },
      { text: 'odd', properties: undefined, expiryMs: undefined },
      { text: 'QoS 0', qos: 0 },
    ]);
    // No name is spelt so.
    await jetstream(plain).publish('site.a=xy', 'no name');
    await until(() => expect(hearer.count('drop.bad_name')).toBe(1));
  });

  it('drops what has expired on the way, and counts it', async () => {
    const sender = await new Side(nats.url).hear('site/nothing');
    await until(() => expect(sender.options.records.get('in/slipway/0')).toBeDefined());
    await sender.close();
    const late = { ...systemClock, wallTime: () => systemClock.wallTime() + 60_000 };
    const hearer = await new Side(nats.url, { clock: late }).hear('site/#');
    await until(() => expect(hearer.options.records.get('in/slipway/0')).toBeDefined());
    const other = await new Side(nats.url).connect();
    other.publish('site/a', 'soon over', { expiresAt: systemClock.now() + 30_000 });
    other.publish('site/a', 'lasts');
    await until(() => expect(hearer.texts).toEqual(['lasts']));
    expect(hearer.count('drop.expired')).toBe(1);
  });

  it('gives one after the other, waits while the bridge has no room, and keeps little meanwhile', async () => {
    const hearer = await new Side(nats.url).hear('site/#');
    await until(() => expect(hearer.options.records.get('in/slipway/0')).toBeDefined());
    hearer.busy = true;
    const sender = await new Side(nats.url).connect();
    const count = 5000;
    const texts = Array.from({ length: count }, (_, i) => `${i}`);
    for (const text of texts) sender.publish('site/a', text);
    await until(() => expect(sender.settledRecords).toHaveLength(count));
    expect(hearer.waiting).toHaveLength(1);
    const nc = await program(nats.url);
    const manager = await jetstreamManager(nc);
    const [consumer] = await manager.consumers.list('slipway').next();
    expect(consumer?.num_pending).toBeGreaterThan(count - 1100);
    hearer.takeAll();
    await until(() => expect(hearer.heard).toHaveLength(count));
    expect(hearer.texts).toEqual(texts);
  });

  it('refuses what the server would not take, and goes on', async () => {
    const hearer = await new Side(nats.url).hear('site/#');
    await until(() => expect(hearer.options.records.get('in/slipway/0')).toBeDefined());
    const sender = await new Side(nats.url).connect();
    const large = 'x'.repeat(1024 * 1024);
    const long = `site/${'y'.repeat(4000)}`;
    const records = [
      sender.publish('site/a', large),
      sender.publish(long, 'long'),
      sender.publish('site/a', 'fits'),
    ];
    expect(sender.send('site/a', large)).toBe(true);
    await until(() => expect(sender.settledRecords).toEqual(records.slice(2)));
    expect(sender.refusals).toEqual([
      [records[0], 'too_large', expect.stringMatching(/max_payload/)],
      [records[1], 'bad_name', expect.stringMatching(/4017 bytes/)],
      ['site/a', 'too_large', expect.stringMatching(/max_payload/)],
    ]);
    await until(() => expect(hearer.texts).toEqual(['fits']));
    expect(sender.problems).toEqual([]);
  });

  it('tells when the connection breaks, once, and nothing after that', async () => {
    const own = await NatsServer.start();
    try {
      const side = await new Side(own.url).hear('site/#');
      await own.kill();
      await until(() => expect(side.problems).toHaveLength(1));
      expect(side.problems[0]).toMatchObject({ code: 'unreachable' });
      expect(side.problems[0]?.message).toContain(own.url);
      expect(side.send('site/a', 'lost')).toBe(false);
      side.publish('site/a', 'ignored');
      await side.close();
      expect(side.problems).toHaveLength(1);
      expect(side.settledRecords).toEqual([]);
    } finally {
      await own.remove();
    }
  });

  it('may be closed at any moment, and says nothing after that', async () => {
    const random = new Random(1);
    const feeder = await new Side(nats.url).connect();
    feeder.publish('site/kept', 'kept', { retain: true });
    for (let round = 0; round < 30; round++) {
      const side = new Side(nats.url);
      const connecting = side.connect().catch(() => {});
      if (random.chance(0.3)) {
        await new Promise((resolve) => setTimeout(resolve, random.below(10)));
        side.abort();
        await connecting;
        // It may have been too late for that.
        await side.close();
        continue;
      }
      await connecting;
      side.want(random.chance(0.5) ? 1 : 0, 'site/#', 'other/+');
      for (let i = 0; i < 20; i++) {
        side.publish('site/a', `${i}`, { retain: random.chance(0.2) });
        side.send('site/b', `${i}`);
        feeder.publish('site/c', `${i}`);
      }
      await new Promise((resolve) => setTimeout(resolve, random.below(20)));
      const closed = side.close();
      const before = [side.heard.length, side.settledRecords.length];
      await closed;
      side.want(1, 'site/a');
      expect([side.heard.length, side.settledRecords.length]).toEqual(before);
      expect(side.problems).toEqual([]);
    }
    await feeder.close();
    const names = async () =>
      ((await nats.server.monitor('connz')) as { connections: { name?: string }[] }).connections.filter(
        ({ name }) => name?.endsWith(' plant'),
      );
    await until(async () => expect(await names()).toEqual([]));
  });

  it('gives up connecting when it is told to, and leaves nothing behind', async () => {
    const side = new Side(nats.url);
    const connecting = side.connect();
    side.abort();
    await expect(connecting).rejects.toThrow();
    await until(() => expect(side.problems).toEqual([]));
    const { connections } = (await nats.server.monitor('connz')) as { connections: { name?: string }[] };
    expect(connections.filter(({ name }) => name === `slipway ${side.gateway} plant`)).toEqual([]);
  });
});
