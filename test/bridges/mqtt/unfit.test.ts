import { expect, it } from 'vitest';
import { until } from '../../support/gateways.js';
import { startMosquitto } from '../../support/mosquitto.js';
import { describeWithTools } from '../../support/tools.js';
import { Life } from './life.js';
import { Listener, outgoing, queued, Rig, Sender, VERSIONS } from './rig.js';

const DEEP = `a${'/a'.repeat(201)}`;
const DEEPEST = `a${'/a'.repeat(199)}`;

describeWithTools(['mosquitto'], 'what a broker of MQTT closes the connection for', () => {
  for (const version of VERSIONS) {
    it(`is not sent, and the rest goes on (${version})`, async () => {
      const { url } = await startMosquitto();
      const listener = await Listener.on(url, '#', version);
      const rig = await Rig.connected(url, { version });
      const sender = new Sender(rig);
      sender.push(
        queued(1, DEEP, 'too deep'),
        queued(2, 'a\tb', 'a tab'),
        queued(3, DEEPEST, 'deep'),
        queued(4, 'last', ''),
      );
      expect(rig.up.send(outgoing(DEEP, 'too deep'))).toBe(true);
      await until(() => expect(rig.settledRecords).toEqual([3, 4]));
      await until(() => expect(listener.texts).toEqual([`${DEEPEST} deep`, 'last ']));
      const reasons = rig.refusals.map((refusal) => refusal.replace(/ brokers.*/, ''));
      expect(reasons.sort()).toEqual(['1 bad_name', '2 bad_name', `${DEEP} bad_name`]);
      expect(rig.problems).toEqual([]);
    });

    it(`is not asked for, and the rest is (${version})`, async () => {
      const { url } = await startMosquitto();
      const rig = await Rig.connected(url, { version });
      const other = await Listener.on(url, 'none', version);
      rig.up.setInterests([
        { pattern: DEEP, qos: 1 },
        { pattern: 'ready', qos: 1 },
      ]);
      await until(async () => {
        if (rig.messages.length > 0) return;
        await other.client.publishAsync('ready', '', { qos: 1 });
        throw new Error('it has not subscribed');
      });
      expect(rig.refusals).toEqual([
        `${DEEP} brokers close the connection for a pattern with more than 200 levels`,
      ]);
      expect(rig.problems).toEqual([]);
    });
  }

  it('is not said in properties', async () => {
    const { url } = await startMosquitto();
    const rig = await Rig.connected(url);
    const sender = new Sender(rig);
    sender.push(
      queued(1, 'a', '', { properties: { contentType: 'text\tplain' } }),
      queued(2, 'a', '', { properties: { userProperties: [['key', 'a\u0085b']] } }),
      queued(3, 'a', '', { properties: { userProperties: [['key', 'value']] } }),
    );
    await until(() => expect(rig.settledRecords).toEqual([3]));
    expect(rig.refusals.map((refusal) => refusal.slice(0, 18))).toEqual([
      '1 upstream_refused',
      '2 upstream_refused',
    ]);
    expect(rig.problems).toEqual([]);
  });
});

/** A disk that may be stuck. */
class StuckLife extends Life {
  stuck = false;

  override settled(task: () => void): void {
    if (!this.stuck) super.settled(task);
  }
}

describeWithTools(['mosquitto'], 'a connection that is being closed', () => {
  it('takes no message: it could not acknowledge it, and would have it again', async () => {
    const { url } = await startMosquitto();
    const records = new StuckLife();
    const rig = await Rig.connected(url, { records });
    const other = await Listener.on(url, 'none');
    rig.up.setInterests([{ pattern: '#', qos: 1 }]);
    await until(async () => {
      if (rig.messages.length > 0) return;
      await other.client.publishAsync('ready', '', { qos: 1 });
      throw new Error('it has not subscribed');
    });
    records.stuck = true;
    const closing = rig.up.close();
    await other.client.publishAsync('late', '', { qos: 1 });
    await closing;
    records.stuck = false;
    await rig.connect();
    await other.client.publishAsync('last', '', { qos: 1 });
    await until(() => expect(rig.texts).toContain('last '));
    expect(rig.texts.filter((text) => text === 'late ')).toHaveLength(1);
  });
});
