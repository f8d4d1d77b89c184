import { expect, it } from 'vitest';
import type { Client } from '../../../src/client/client.js';
import type { Qos } from '../../../src/wire/messages.js';
import { connectTo, type RunningGateway, startGateway, until } from '../../support/gateways.js';
import { startMosquitto } from '../../support/mosquitto.js';
import { startNats } from '../../support/nats-server.js';
import { Relay } from '../../support/relay.js';
import { describeWithTools } from '../../support/tools.js';

async function heardBy(client: Client): Promise<string[]> {
  const heard: string[] = [];
  await client.subscribe('a/led', ({ text }) => void heard.push(text), { qos: 1 });
  return heard;
}

/** What stands as the last value of `a/led` for who comes now. */
async function ledAt({ tcp }: RunningGateway): Promise<string[]> {
  const client = await connectTo(tcp);
  const heard = await heardBy(client);
  // The answer comes behind it.
  await client.time();
  return heard;
}

/** Two gateways, of which one is cut off while it sets, to `value`, what the other had set before. */
async function cutOff(
  port: number,
  upstreamAt: (port: number) => object,
  qos: Qos,
  value = 'off',
): Promise<void> {
  const relay = await Relay.to({ host: '127.0.0.1', port });
  const rules = [{ pattern: 'a/#', direction: 'both', qos }];
  const start = (gateway: string, at: number) =>
    startGateway({ gateway, bridges: [{ name: 'plant', ...upstreamAt(at), rules }] });
  const [near, far] = [await start('near', relay.address.port), await start('far', port)];
  const state = () => near.gateway.statistics().bridges?.plant;
  const [here, there] = [await connectTo(near.tcp), await connectTo(far.tcp)];
  const [heardHere, heardThere] = [await heardBy(here), await heardBy(there)];
  await until(async () => {
    await there.emit('a/led', 'on', { qos, retain: true });
    expect(heardHere).toContain('on');
  });
  await until(async () => {
    await here.emit('a/led', 'hello', { qos, retain: false });
    expect(heardThere).toContain('hello');
  });
  // Behind each "on" that it took until one was heard.
  await there.emit('a/led', 'ready', { qos, retain: false });
  await until(() => expect(heardHere).toContain('ready'));
  relay.cut();
  await until(() => expect(state()?.state).toBe('down'));
  // More than is on its way at once is before it.
  for (let n = 0; n < 50; n++) await here.emit('a/other', `${n}`, { qos });
  heardHere.length = 0;
  await here.emit('a/led', value, { qos, retain: true });
  relay.mend();
  await until(() => expect(heardThere).toContain(value));
  await until(() => expect(state()?.queue.messages).toBe(0));
  // What comes next comes behind all that the broker had to say.
  await there.emit('a/led', 'last', { qos, retain: false });
  await until(() => expect(heardHere).toContain('last'));
  expect(heardHere.filter((text) => text !== 'hello')).toEqual([value, 'last']);
  const left = value === '' ? [] : [value];
  expect([await ledAt(near), await ledAt(far)]).toEqual([left, left]);
}

describeWithTools(['mosquitto'], 'a last value that is set while the way to a broker of MQTT is cut', () => {
  it.each([
    [5, 0],
    [5, 1],
    ['3.1.1', 2],
  ] as const)('is not replaced by the one before (version %s, QoS %i)', async (version, qos) => {
    const broker = await startMosquitto();
    const at = (port: number) => ({ mqtt: { url: `mqtt://127.0.0.1:${port}`, version } });
    await cutOff(Number(new URL(broker.url).port), at, qos);
  });

  it('nor if it is cleared', async () => {
    const broker = await startMosquitto();
    const at = (port: number) => ({ mqtt: { url: `mqtt://127.0.0.1:${port}` } });
    await cutOff(Number(new URL(broker.url).port), at, 1, '');
  });
});

describeWithTools(['nats-server'], 'a last value that is set while the way to NATS is cut', () => {
  for (const qos of [0, 1] as const)
    it(`is not replaced by the one before (QoS ${qos})`, async () => {
      const { port } = await startNats();
      await cutOff(port, (at) => ({ nats: { servers: `nats://127.0.0.1:${at}` } }), qos);
    });
});
