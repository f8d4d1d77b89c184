import { expect, it } from 'vitest';
import { until } from '../../support/gateways.js';
import { startMosquitto } from '../../support/mosquitto.js';
import { describeWithTools } from '../../support/tools.js';
import { Listener, outgoing, queued, Rig, Sender, VERSIONS } from './rig.js';

describeWithTools(['mosquitto'], 'messages to and from a broker of MQTT', () => {
  for (const version of VERSIONS) {
    it(`go out at each QoS, in order (${version})`, async () => {
      const { url } = await startMosquitto();
      const listener = await Listener.on(url, '#', version);
      const rig = await Rig.connected(url, { version });
      const sender = new Sender(rig);
      for (let record = 1; record <= 300; record++) {
        const qos = record % 2 === 0 ? 2 : 1;
        sender.push(queued(record, `site/${qos}`, String(record), { qos }));
      }
      for (let number = 1; number <= 20; number++)
        expect(rig.up.send(outgoing('site/0', String(number)))).toBe(true);
      await until(() => expect(listener.packets).toHaveLength(320));
      await until(() => expect(rig.settledRecords).toHaveLength(300));
      const heard = (name: string) => listener.packets.filter(({ topic }) => topic === name);
      for (const qos of [0, 1, 2]) {
        const numbers = heard(`site/${qos}`).map(({ payload }) => Number(payload.toString()));
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
        expect(new Set(heard(`site/${qos}`).map((packet) => packet.qos))).toEqual(new Set([qos]));
      }
      expect(rig.refusals).toEqual([]);
    });

    it(`go out in order on each name, whatever their QoS (${version})`, async () => {
      // With the 20 of mosquitto, later messages may overtake those that wait for the listener.
      const { url } = await startMosquitto({ settings: ['max_inflight_messages 0'] });
      // At QoS 2 the mqtt package tells of a message when that is released, and of one of QoS 1 at once.
      const listener = await Listener.on(url, '#', version, 1);
      const rig = await Rig.connected(url, { version });
      const numbers = Array.from({ length: 60 }, (_, index) => index + 1);
      const qosOf = (number: number) => (number % 3 === 0 ? 1 : 2);
      const sender = new Sender(rig);
      sender.push(
        ...numbers.map((n) => queued(n, `site/${n % 2}`, String(n), { qos: qosOf(n), retain: true })),
      );
      await until(() => expect(listener.packets).toHaveLength(numbers.length));
      for (const rest of [0, 1]) {
        const heard = listener.packets.filter(({ topic }) => topic === `site/${rest}`);
        expect(heard.map(({ payload }) => Number(payload))).toEqual(numbers.filter((n) => n % 2 === rest));
      }
      const late = await Listener.on(url, 'site/+', version);
      await until(() => expect(late.texts.sort()).toEqual(['site/0 60', 'site/1 59']));
    });

    it(`come in at each QoS, with what was wanted (${version})`, async () => {
      const { url } = await startMosquitto();
      const rig = await Rig.connected(url, { version });
      const other = await Listener.on(url, 'done', version);
      rig.up.setInterests([
        { pattern: 'site/+', qos: 2 },
        { pattern: 'low', qos: 0 },
        { pattern: 'ready', qos: 1 },
      ]);
      await other.client.publishAsync('ready', '', { qos: 1 });
      await until(async () => {
        if (rig.messages.length > 0) return;
        await other.client.publishAsync('ready', '', { qos: 1 });
        throw new Error('it has not subscribed');
      });
      rig.messages.length = 0;
      for (const qos of [0, 1, 2] as const)
        await other.client.publishAsync(`site/${qos}`, `at ${qos}`, { qos });
      await other.client.publishAsync('low', 'down', { qos: 2 });
      await other.client.publishAsync('other', 'unheard', { qos: 2 });
      await other.client.publishAsync('site/last', '', { qos: 2 });
      await until(() => expect(rig.texts.filter((text) => text !== 'ready ')).toContain('site/last '));
      const heard = rig.messages.filter(({ name }) => name !== 'ready');
      expect(heard.map(({ name, qos }) => [name, qos])).toEqual([
        ['site/0', 0],
        ['site/1', 1],
        ['site/2', 2],
        ['low', 0],
        ['site/last', 2],
      ]);
    });
  }
});
