import { connectAsync } from 'mqtt';
import { expect, it } from 'vitest';
import { until } from '../../support/gateways.js';
import { startMosquitto } from '../../support/mosquitto.js';
import { describeWithTools } from '../../support/tools.js';
import { mqttClient } from './receivers.js';
import { Site } from './site.js';

const MESSAGES = 100;

describeWithTools(['mosquitto'], 'what is lost with MQTT', () => {
  it('of a gateway that is away: what came for it when the broker keeps its session no longer, and it says so', async () => {
    const broker = await startMosquitto();
    const rule = { pattern: 'load', direction: 'in', qos: 1 };
    const mqtt = { url: broker.url, client_id: 'far' };
    const far = await Site.start('far', { bridges: [{ name: 'plant', mqtt, rules: [rule] }] });
    const heard: string[] = [];
    const hearer = await far.client('hearer');
    await hearer.subscribe('load', ({ text }) => void heard.push(text), { qos: 1 });
    const sender = await mqttClient(broker.url, 'sender');
    await until(async () => {
      await sender.publishAsync('load', 'first', { qos: 1 });
      expect(heard).toContain('first');
    });
    await far.kill();
    const publish = async (what: string) => {
      for (let n = 0; n < MESSAGES; n++) await sender.publishAsync('load', `${what} ${n}`, { qos: 1 });
    };
    await publish('kept');
    heard.length = 0;
    await far.start();
    await until(() => expect(heard.filter((text) => text !== 'first')).toHaveLength(MESSAGES));

    await far.kill();
    await publish('lost');
    // As when it has expired: there is no session of that name any more.
    const other = await connectAsync(broker.url, { clientId: 'far', clean: true, reconnectPeriod: 0 });
    await other.endAsync();
    heard.length = 0;
    await far.start();
    await until(async () => {
      await sender.publishAsync('load', 'after', { qos: 1 });
      expect(heard).toContain('after');
    });
    expect(heard.filter((text) => text.startsWith('lost'))).toEqual([]);
    expect(far.log.join('\n')).toMatch(/bridge plant: .*session/);
  });
});
