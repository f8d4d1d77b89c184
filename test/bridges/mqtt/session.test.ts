import { expect, it } from 'vitest';
import { until } from '../../support/gateways.js';
import { startMosquitto } from '../../support/mosquitto.js';
import { describeWithTools } from '../../support/tools.js';
import { Disk, Life } from './life.js';
import { Listener, outgoing, queued, Rig, VERSIONS } from './rig.js';

/** Publishes on `name` until the rig hears it. */
async function subscribed(rig: Rig, other: Listener, name: string): Promise<void> {
  await until(async () => {
    if (rig.texts.includes(`${name} ?`)) return;
    await other.client.publishAsync(name, '?', { qos: 1 });
    throw new Error(`${name} is not subscribed`);
  });
}

describeWithTools(['mosquitto'], 'a session at a broker of MQTT', () => {
  for (const version of VERSIONS) {
    it(`follows interests, also across lives (${version})`, async () => {
      const { url } = await startMosquitto();
      const other = await Listener.on(url, 'nothing', version);
      const disk = new Disk();
      const rig = await Rig.connected(url, { version, records: new Life(disk) });
      expect(rig.up.isAnew).toBe(true);
      rig.up.setInterests([
        { pattern: 'a/+', qos: 1 },
        { pattern: 'b', qos: 1 },
        { pattern: 'end', qos: 1 },
      ]);
      await subscribed(rig, other, 'end');
      await other.client.publishAsync('b', 'first', { qos: 1 });
      await until(() => expect(rig.texts).toContain('b first'));
      rig.up.setInterests([
        { pattern: 'a/+', qos: 1 },
        { pattern: 'c', qos: 1 },
        { pattern: 'end', qos: 1 },
      ]);
      await subscribed(rig, other, 'c');
      await rig.up.close();

      // What comes meanwhile is kept, and what is not wanted any more is taken back in the next life.
      for (const name of ['a/x', 'b', 'c']) await other.client.publishAsync(name, 'kept', { qos: 1 });
      const next = await Rig.connected(url, { version, records: new Life(disk) });
      expect(next.up.isAnew).toBe(false);
      next.up.setInterests([
        { pattern: 'c', qos: 1 },
        { pattern: 'end', qos: 1 },
      ]);
      await until(() => expect(next.texts).toEqual(expect.arrayContaining(['a/x kept', 'c kept'])));
      await until(() =>
        expect(JSON.parse(Buffer.from(disk.upstream.get('patterns') ?? []).toString()).sort()).toEqual([
          'c',
          'end',
        ]),
      );
      await other.client.publishAsync('a/x', 'unheard', { qos: 1 });
      await other.client.publishAsync('end', 'heard', { qos: 1 });
      await until(() => expect(next.texts).toContain('end heard'));
      expect(next.texts).not.toContain('a/x unheard');
      expect(next.texts).not.toContain('b kept');
      await next.up.close();
    });

    it(`asks for names that mean something to who asks, at the QoS that is wanted (${version})`, async () => {
      const { url } = await startMosquitto();
      const other = await Listener.on(url, 'nothing', version);
      const rig = await Rig.connected(url, { version });
      // The first is an option of the `mqtt` package, the others are odd keys of an object.
      const names = ['resubscribe', '__proto__', '7', 'constructor'];
      rig.up.setInterests([
        ...names.map((pattern) => ({ pattern, qos: 1 as const })),
        { pattern: 'twice', qos: 2 },
        { pattern: 'end', qos: 0 },
      ]);
      await subscribed(rig, other, 'end');
      for (const name of [...names, 'twice']) await other.client.publishAsync(name, 'heard', { qos: 2 });
      await until(() =>
        expect(rig.messages.slice(-5).map(({ name, qos }) => `${name} ${qos}`)).toEqual([
          ...names.map((name) => `${name} 1`),
          'twice 2',
        ]),
      );
    });

    it(`hears nothing of its own, and last values both ways (${version})`, async () => {
      const { url } = await startMosquitto();
      const other = await Listener.on(url, 'nothing', version);
      await other.client.publishAsync('v/old', 'there', { qos: 1, retain: true });
      const rig = await Rig.connected(url, { version });
      rig.up.setInterests([
        { pattern: 'v/#', qos: 1 },
        { pattern: 'end', qos: 1 },
      ]);
      await subscribed(rig, other, 'end');
      rig.up.publish(queued(1, 'v/mine', 'set', { retain: true }));
      rig.up.send(outgoing('v/quick', 'own'));
      await until(() => expect(rig.settledRecords).toEqual([1]));
      await other.client.publishAsync('v/old', 'new', { qos: 1, retain: true });
      await other.client.publishAsync('v/old', 'passing', { qos: 1 });
      await until(() => expect(rig.texts).toContain('v/old passing'));
      const values = rig.messages.filter(({ name }) => name.startsWith('v/'));
      expect(
        values.map(({ name, payload, retain, stored }) => [
          name,
          Buffer.from(payload).toString(),
          retain,
          stored,
        ]),
      ).toEqual([
        ['v/old', 'there', true, true],
        ['v/old', 'new', true, false],
        ['v/old', 'passing', false, false],
      ]);
      const late = await Listener.on(url, 'v/#', version);
      await until(() => expect(late.texts.sort()).toEqual(['v/mine set', 'v/old new']));
    });

    it(`reads no more than a bounded part of what the router does not take (${version})`, async () => {
      const { url } = await startMosquitto({ settings: ['max_inflight_messages 0', 'max_queued_bytes 0'] });
      const other = await Listener.on(url, 'nothing', version);
      const rig = await Rig.connected(url, { version });
      rig.up.setInterests([
        { pattern: 'big', qos: 1 },
        { pattern: 'end', qos: 1 },
      ]);
      await subscribed(rig, other, 'end');
      rig.takes = false;
      rig.messages.length = 0;
      const payload = Buffer.alloc(100_000, 'x');
      for (let count = 0; count < 60; count++) await other.client.publishAsync('big', payload, { qos: 1 });
      // Acknowledgements still come: it reads on, up to its bound.
      await until(() => expect(rig.messages).toHaveLength(1));
      expect(rig.nexts).toHaveLength(1);
      while (rig.messages.length < 60) {
        await until(() => expect(rig.nexts).toHaveLength(1));
        rig.nexts.shift()?.();
      }
      expect(rig.messages.every((message) => message.payload.length === payload.length)).toBe(true);
      rig.nexts.shift()?.();
      expect(rig.problems).toEqual([]);
    });
  }

  it('begins anew for a life that remembers nothing of it', async () => {
    const { url } = await startMosquitto();
    const other = await Listener.on(url, 'nothing');
    const rig = await Rig.connected(url);
    rig.up.setInterests([{ pattern: 'end', qos: 1 }]);
    await subscribed(rig, other, 'end');
    await rig.up.close();
    await other.client.publishAsync('end', 'kept', { qos: 1 });
    const next = await Rig.connected(url);
    next.up.setInterests([{ pattern: 'end', qos: 1 }]);
    await subscribed(next, other, 'end');
    expect(next.texts).not.toContain('end kept');
    expect(next.log).toEqual([]);
  });

  it('carries in MQTT 5 what a message says besides, and which gateways it passed', async () => {
    const { url } = await startMosquitto();
    const far = await Rig.connected(url, { gateway: 'there' });
    const rig = await Rig.connected(url);
    far.up.setInterests([{ pattern: 'p/#', qos: 1 }]);
    const other = await Listener.on(url, 'p/#');
    await subscribed(far, other, 'p/ready');
    const properties = {
      contentType: 'text/plain',
      correlationData: Uint8Array.of(1, 2),
      userProperties: [
        ['a', 'b'],
        ['a', 'c'],
      ],
    } as const;
    const via = ['first', 'here'];
    rig.up.publish(queued(1, 'p/1', 'x', { properties, via, expiresAt: performance.now() + 60_000 }));
    await until(() => expect(far.texts).toContain('p/1 x'));
    const message = far.messages.find(({ name }) => name === 'p/1');
    expect(message).toMatchObject({
      via,
      properties: { contentType: 'text/plain', userProperties: properties.userProperties },
    });
    expect([...(message?.properties?.correlationData ?? [])]).toEqual([1, 2]);
    expect(message?.expiryMs).toBeGreaterThan(0);
    expect(message?.expiryMs).toBeLessThanOrEqual(60_000);
  });

  it('drops and counts a message that is too large, and goes on', async () => {
    const { url } = await startMosquitto();
    const other = await Listener.on(url, 'nothing');
    const rig = await Rig.connected(url, { maxPacket: 100_000 });
    rig.up.setInterests([{ pattern: '+', qos: 2 }]);
    await subscribed(rig, other, 'end');
    for (const qos of [0, 1, 2] as const)
      await other.client.publishAsync('large', Buffer.alloc(300_000), { qos });
    await other.client.publishAsync('small', 'x', { qos: 2 });
    await until(() => expect(rig.texts).toContain('small x'));
    expect(rig.counters.get('bridges.plant.drop.too_large')).toBe(3);
    expect(rig.texts.filter((text) => text.startsWith('large'))).toEqual([]);
  });

  it('leaves no socket and no timer behind, whenever it is closed or given up', async () => {
    const { url } = await startMosquitto();
    const open = () =>
      process
        .getActiveResourcesInfo()
        .filter((kind) => kind === 'TCPSocketWrap' || kind === 'Timeout' || kind === 'TCPConnectWrap').length;
    const before = open();
    for (const delay of [0, 1, 2, 3, 5, 8]) {
      const abort = new AbortController();
      const given = new Rig(url);
      const connecting = given.upstream.connect(given, abort.signal).then(
        (connection) => connection.close(),
        () => undefined,
      );
      await new Promise((resolve) => setTimeout(resolve, delay));
      abort.abort();
      await connecting;

      const rig = await Rig.connected(url);
      rig.up.setInterests([{ pattern: '#', qos: 2 }]);
      for (let record = 1; record < 10; record++) rig.up.publish(queued(record, 'x', 'y', { qos: 2 }));
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
      await rig.up.close();
      expect(rig.problems).toEqual([]);
    }
    // A socket that was given up is gone a turn later.
    for (let turn = 0; turn < 100 && open() > before; turn++)
      await new Promise((resolve) => setImmediate(resolve));
    expect(open()).toBeLessThanOrEqual(before);
  });
});
