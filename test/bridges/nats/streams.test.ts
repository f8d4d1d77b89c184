import { jetstreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { until } from '../../support/gateways.js';
import { startNats } from '../../support/nats-server.js';
import { describeWithTools } from '../../support/tools.js';
import { program, Side } from './upstreams.js';

describeWithTools(['nats-server'], 'the streams that rules need', () => {
  it('are made once by gateways that start together, with subjects for the rules of all', async () => {
    const { url } = await startNats();
    const gateways = ['site1', 'site2', 'site3'].map((site) => {
      const patterns = [
        `sites/${site}/greenhouse/#`,
        'sites/#',
        `orders/${site}/greenhouse/#`,
        'orders/#',
        'fleet/devices/#',
      ];
      // Not all have the wide ones.
      const own = site === 'site2' ? patterns.filter((pattern) => pattern !== 'sites/#') : patterns;
      return new Side(url, { rules: own.map((pattern) => ({ pattern, qos: 1 })) });
    });
    await Promise.all(gateways.map((gateway) => gateway.connect()));
    const manager = await jetstreamManager(await program(url));
    const { config } = await manager.streams.info('slipway');
    expect(config.subjects.toSorted()).toEqual(
      ['fleet.devices', 'fleet.devices.>', 'orders', 'orders.>', 'sites', 'sites.>'].toSorted(),
    );
    const records = gateways.map((gateway, i) => gateway.publish(`sites/site${i + 1}/greenhouse/x`, 'x'));
    await until(() =>
      expect(gateways.map(({ settledRecords }) => settledRecords)).toEqual(records.map((record) => [record])),
    );
  });

  it('are extended, one rule after the other, whichever is wider', async () => {
    const { url } = await startNats();
    const manager = await jetstreamManager(await program(url));
    const subjects = async () => (await manager.streams.info('slipway')).config.subjects.toSorted();
    const connect = (...patterns: string[]) =>
      new Side(url, { rules: patterns.map((pattern) => ({ pattern, qos: 1 })) }).connect();
    await connect('a/b/+', 'c');
    expect(await subjects()).toEqual(['a.b.*', 'c']);
    await connect('a/b/1', 'c');
    expect(await subjects()).toEqual(['a.b.*', 'c']);
    await connect('a/+/2');
    expect(await subjects()).toEqual(['a.*.*', 'c']);
    await connect('a/#');
    expect(await subjects()).toEqual(['a', 'a.>', 'c']);
  });

  it('are those that are there, and none is made besides', async () => {
    const { url } = await startNats();
    const manager = await jetstreamManager(await program(url));
    await manager.streams.add({ name: 'ORDERS', subjects: ['orders.>', 'orders'] });
    await manager.streams.add({ name: 'SITES', subjects: ['sites.*.>'] });
    const side = await new Side(url, {
      rules: [
        { pattern: 'orders/#', qos: 1 },
        { pattern: 'sites/1/+', qos: 1 },
      ],
      config: { last_values: false },
    }).hear('orders/#', 'sites/1/a');
    const names: string[] = [];
    for await (const name of manager.streams.names()) names.push(name);
    expect(names.toSorted()).toEqual(['ORDERS', 'SITES']);
    await until(() => {
      side.publish('orders/1', 'order');
      side.publish('sites/1/a', 'site');
      expect(new Set(side.texts)).toEqual(new Set(['order', 'site']));
    });
  });

  it('must have all of what a rule is for', async () => {
    const { url } = await startNats();
    const manager = await jetstreamManager(await program(url));
    await manager.streams.add({ name: 'SOME', subjects: ['site.a.>'] });
    const side = new Side(url);
    await expect(side.connect()).rejects.toMatchObject({
      code: 'unsuitable',
      message: expect.stringMatching(
        /SOME captures site\.a\.>, which is a part of site\.> and not all of it/,
      ),
    });
  });
});
