import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { until } from '../../support/gateways.js';
import { describeWithTools } from '../../support/tools.js';
import { SuiteServer } from './suite-server.js';
import { Side } from './upstreams.js';

describeWithTools(['nats-server'], 'last values in NATS', () => {
  const nats = new SuiteServer();

  /** A gateway that has set and cleared some, one of which has no stream. */
  async function setter(): Promise<Side> {
    const side = await new Side(nats.url).connect();
    side.publish('site/a', 'old', { retain: true });
    side.publish('site/a', 'kept', { retain: true, qos: 2 });
    side.publish('site/a', 'live', { retain: false });
    side.publish('site/b', 'cleared later', { retain: true });
    side.publish('site/b', '', { retain: true });
    side.publish('site/c.d/ä', 'odd name', { retain: true, properties: { contentType: 'text/plain' } });
    side.publish('elsewhere', 'not wanted', { retain: true });
    await until(() => expect(side.settledRecords.length + side.refusals.length).toBe(7));
    return side;
  }

  const kept = (side: Side) =>
    side.heard.map(({ name, text, retain, stored }) => [name, text, retain, stored]);

  it('come to a gateway that is late, of what it wants, the cleared ones as cleared', async () => {
    const by = await setter();
    for (const qos of [0, 2] as const) {
      const late = await new Side(nats.url).connect();
      late.want(qos, 'site/#');
      await until(() => expect(late.heard).toHaveLength(3));
      expect(kept(late).toSorted(byName)).toEqual([
        ['site/a', 'kept', true, true],
        ['site/b', '', true, true],
        ['site/c.d/ä', 'odd name', true, true],
      ]);
      expect(late.heard.find(({ name }) => name === 'site/a')).toMatchObject({ qos: 2, via: [by.gateway] });
      expect(late.heard.find(({ text }) => text === 'odd name')?.properties).toEqual({
        contentType: 'text/plain',
      });
    }
  });

  it('come for what is wanted anew, and not again for what was wanted before', async () => {
    await setter();
    const side = await new Side(nats.url).hear('site/a');
    await until(() => expect(side.texts).toEqual(['kept']));
    side.want(2, 'site/a', 'site/c.d/+');
    await until(() => expect(side.texts).toEqual(['kept', 'odd name']));
    await side.close();
    const again = await side.again().hear('site/a', 'site/c.d/+', 'site/b');
    await until(() => expect(again.heard).toMatchObject([{ name: 'site/b', text: '' }]));
  });

  it('are told to those who are there as they are set and cleared', async () => {
    const there = await new Side(nats.url).connect();
    there.want(0, 'site/#');
    const stream = await new Side(nats.url).hear('site/#');
    await until(() => expect(stream.options.records.get('in/slipway/1')).toBeDefined());
    const side = await new Side(nats.url).connect();
    side.send('site/x', 'QoS 0', { retain: true });
    await until(() => expect(stream.texts).toEqual(['QoS 0']));
    side.publish('site/x', 'QoS 1', { retain: true });
    side.publish('site/x', '', { retain: true });
    await until(() => expect(stream.texts).toEqual(['QoS 0', 'QoS 1', '']));
    await until(() => expect(there.texts).toEqual(['QoS 0', 'QoS 1', '']));
    expect(stream.heard.map(({ retain, stored }) => [retain, stored])).toEqual(Array(3).fill([true, false]));
    side.send('site/y', 'QoS 0', { retain: true });
    await until(() => expect(stream.texts.at(-1)).toBe('QoS 0'));
    const late = await new Side(nats.url).connect();
    late.want(0, 'site/y');
    await until(() => expect(late.texts).toEqual(['QoS 0']));
  });

  it('are a key-value bucket as the clients of NATS know it', async () => {
    const side = await setter();
    const manager = await jetstreamManager(nats.plain);
    const { config, state } = await manager.streams.info('KV_slipway', { subjects_filter: '>' });
    // As ADR-8 of NATS has it.
    expect(config).toMatchObject({
      subjects: ['$KV.slipway.>'],
      max_msgs_per_subject: 1,
      discard: 'new',
      allow_rollup_hdrs: true,
      deny_delete: true,
      allow_direct: true,
      storage: 'file',
      retention: 'limits',
    });
    expect(Object.keys(state.subjects ?? {}).toSorted()).toEqual([
      '$KV.slipway.elsewhere',
      '$KV.slipway.site.a',
      '$KV.slipway.site.b',
      '$KV.slipway.site.c=2Ed.=C3=A4',
    ]);
    const get = (key: string) =>
      manager.streams.getMessage('KV_slipway', { last_by_subj: `$KV.slipway.${key}` });
    expect((await get('site.a'))?.string()).toBe('kept');
    expect((await get('site.b'))?.header.get('KV-Operation')).toBe('DEL');
    expect((await get('site.b'))?.data).toHaveLength(0);
    expect(side.refusals).toMatchObject([[expect.any(Number), 'no_stream', expect.anything()]]);
  });

  it('may be put, deleted and purged by such clients', async () => {
    await setter();
    const js = jetstream(nats.plain);
    const operation = (name: string) => {
      const written = headers();
      written.set('KV-Operation', name);
      return written;
    };
    await js.publish('$KV.slipway.site.a', 'from a program');
    await js.publish('$KV.slipway.site.c=2Ed.=C3=A4', '', { headers: operation('PURGE') });
    await js.publish('$KV.slipway.site.e', 'new');
    await js.publish('$KV.slipway.site.no=name', 'theirs');
    const late = await new Side(nats.url).hear('site/#');
    await until(() => expect(late.heard).toHaveLength(4));
    expect(kept(late).toSorted(byName)).toEqual([
      ['site/a', 'from a program', true, true],
      ['site/b', '', true, true],
      ['site/c.d/ä', '', true, true],
      ['site/e', 'new', true, true],
    ]);
  });

  it('are many, and come while live ones do, which they do not undo', async () => {
    const side = await new Side(nats.url).connect();
    const count = 1500;
    for (let i = 0; i < count; i++) side.publish(`site/${i}`, 'old', { retain: true });
    await until(() => expect(side.settledRecords).toHaveLength(count));
    const late = await new Side(nats.url).connect();
    late.want(0, 'site/#');
    for (let i = 0; i < count; i += 3) side.send(`site/${i}`, 'new', { retain: true });
    const last = () => new Map(late.heard.map(({ name, text }) => [name, text]));
    await until(() => expect(last().size).toBe(count));
    const expected = Array.from({ length: count }, (_, i) => [`site/${i}`, i % 3 === 0 ? 'new' : 'old']);
    await until(() => expect([...last()].toSorted(byName)).toEqual(expected.toSorted(byName)));
  });

  it('do not cross when the config says so', async () => {
    const config = { last_values: false as const };
    const side = await new Side(nats.url, { config }).hear('site/#');
    await until(() => expect(side.options.records.get('in/slipway/0')).toBeDefined());
    const record = side.publish('site/a', 'one', { retain: true });
    await until(() => expect(side.settledRecords).toEqual([record]));
    await until(() => expect(side.heard).toMatchObject([{ text: 'one', retain: true, stored: false }]));
    const names: string[] = [];
    for await (const name of (await jetstreamManager(nats.plain)).streams.names()) names.push(name);
    expect(names).toEqual(['slipway']);
  });
});

const byName = ([a]: readonly unknown[], [b]: readonly unknown[]): number => (String(a) < String(b) ? -1 : 1);
