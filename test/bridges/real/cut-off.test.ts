import { expect, it, onTestFinished } from 'vitest';
import { connectTo, type RunningGateway, startGateway, until } from '../../support/gateways.js';
import { startMosquitto } from '../../support/mosquitto.js';
import { startNats } from '../../support/nats-server.js';
import { Relay } from '../../support/relay.js';
import { SkippingClock } from '../../support/skipping-clock.js';
import { describeWithTools } from '../../support/tools.js';
import { mqttClient, natsClient } from './receivers.js';

/** Longer than a bridge is silent before it tries a message, and than it pauses between connections. */
const SILENCE_MS = 15_100;
const PAUSE_MS = 600;
const NUMBERS = Array.from({ length: 20 }, (_, n) => `${n}`);

/** A gateway with a bridge for `load/#`, whose silences and pauses are skipped. */
async function startBridged(upstream: object, qos: 1 | 2): Promise<RunningGateway> {
  const clock = new SkippingClock();
  const rules = [{ pattern: 'load/#', direction: 'out', qos }];
  const bridges = [{ name: 'plant', rules, ...upstream }];
  const running = await startGateway({ gateway: 'site', bridges }, { clock });
  const { log } = running;
  let read = 0;
  const hurry = setInterval(() => {
    const lines = log.slice(read).map(({ msg }) => msg);
    read = log.length;
    if (lines.some((line) => line.includes('connected to'))) clock.skip(SILENCE_MS);
    else if (lines.some((line) => line.includes('tried again'))) clock.skip(PAUSE_MS);
  }, 50);
  onTestFinished(() => clearInterval(hurry));
  return running;
}

/** What comes to that broker of MQTT, as text. */
async function hear(url: string): Promise<string[]> {
  const heard: string[] = [];
  const client = await mqttClient(url, 'hearer');
  client.on('message', (_topic, payload) => void heard.push(payload.toString()));
  await client.subscribeAsync('load/x', { qos: 2 });
  return heard;
}

/** Emits `text` on `name` before all numbers but the first one; then these are all that is `heard`, in order, and the gateway says why. */
async function emitAround(
  running: RunningGateway,
  qos: 1 | 2,
  name: string,
  text: string,
  heard: string[],
): Promise<void> {
  const { log, tcp, count } = running;
  const client = await connectTo(tcp, { timeoutMs: 30_000 });
  const [first = '', ...others] = NUMBERS;
  await client.emit('load/x', first, { qos });
  await client.emit(name, text, { qos });
  for (const one of others) await client.emit('load/x', one, { qos });
  await until(() => expect(heard).toEqual(NUMBERS));
  expect(count('bridges.plant.drop.cut_off')).toBe(1);
  const said = log.filter(({ msg }) => msg.includes('a message is dropped')).map(({ msg }) => msg);
  expect(said).toEqual([expect.stringContaining(`${text.length} bytes on "${name}" was sent alone`)]);
  await until(() => {
    const { queue, held_up: heldUp } = running.gateway.statistics().bridges?.plant ?? {};
    expect([queue?.messages, heldUp]).toEqual([0, undefined]);
  });
}

describeWithTools(['mosquitto'], 'a broker of MQTT that closes the connection', () => {
  for (const qos of [1, 2] as const) {
    it(`for a packet that is too large, in 3.1.1, is not sent that for ever (QoS ${qos})`, async () => {
      const broker = await startMosquitto({ settings: ['max_packet_size 5000'] });
      const heard = await hear(broker.url);
      const running = await startBridged({ mqtt: { url: broker.url, version: '3.1.1' } }, qos);
      await emitAround(running, qos, 'load/x', 'x'.repeat(6000), heard);
    });
  }

  it('for a name, does not hold up the others, in 5', async () => {
    const broker = await startMosquitto();
    const heard = await hear(broker.url);
    const relay = await Relay.to({ host: '127.0.0.1', port: broker.port });
    relay.forbidden = 'load/secret';
    const running = await startBridged({ mqtt: { url: `mqtt://127.0.0.1:${relay.address.port}` } }, 2);
    await emitAround(running, 2, 'load/secret', 'alarm', heard);
  });
});

describeWithTools(['nats-server'], 'something before a NATS server that cuts the connection', () => {
  it('for a message is not sent that for ever', async () => {
    const server = await startNats();
    const heard: string[] = [];
    const hearer = await natsClient(server.url);
    hearer.subscribe('load.x', { callback: (_error, message) => void heard.push(message.string()) });
    await hearer.flush();
    const relay = await Relay.to({ host: '127.0.0.1', port: server.port });
    relay.forbidden = 'forbidden';
    const running = await startBridged({ nats: { servers: `nats://127.0.0.1:${relay.address.port}` } }, 1);
    await emitAround(running, 1, 'load/x', 'what is forbidden', heard);
  });
});
