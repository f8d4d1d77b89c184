import { expect, it } from 'vitest';
import type { FleetWord } from '../../../src/bridges/presence/fleet-device.js';
import type { Client } from '../../../src/client/client.js';
import { connectTo, type RunningGateway, startGateway, until } from '../../support/gateways.js';
import { startMosquitto } from '../../support/mosquitto.js';
import { startNats } from '../../support/nats-server.js';
import { describeWithTools } from '../../support/tools.js';
import { UdpDevice } from '../../support/udp-device.js';

/** A gateway with that upstream, once its bridge is connected. */
async function join(gateway: string, upstream: object): Promise<RunningGateway> {
  const bridge = {
    name: 'plant',
    ...upstream,
    presence: { direction: 'both', remote: 'fleet/devices' },
    broadcast: { direction: 'both', remote: 'fleet/broadcast' },
    rules: [{ pattern: 'setting/#', direction: 'both', qos: 1 }],
  };
  const running = await startGateway({ gateway, bridges: [bridge] });
  await until(() => expect(running.log.map(({ msg }) => msg).join()).toMatch(/bridge plant: connected to/));
  return running;
}

/** What is told of the devices of the fleet to that program, in order. */
async function watch(program: Client): Promise<string[]> {
  const told: string[] = [];
  await program.subscribe('$slipway/fleet/devices/+', ({ channel, text }) => {
    const { state, gateway, held } = JSON.parse(text) as FleetWord;
    const more = held ? ` ${JSON.stringify(held)}` : '';
    told.push(`${channel.split('/')[3]} ${state} ${gateway}${more}`);
  });
  return told;
}

/** What is so with every kind of upstream. */
function holdsFor(start: () => Promise<object>): void {
  it('one dashboard sees the fleet, late or not: devices that roam, and what does not follow them', async () => {
    const upstream = await start();
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => join(name, upstream)));
    if (!a || !b || !c) throw new Error('There are three gateways.');
    const told = await watch(await connectTo(c.tcp));
    const [uno, nano, near] = [new UdpDevice('uno'), new UdpDevice('nano'), await connectTo(a.tcp)];
    await uno.connect(a.udp);
    await nano.connect(a.udp);
    uno.subscribe('lamp');
    await near.emit('setting/pace', 'slow', { retain: true });
    await until(() => expect(told.toSorted()).toEqual(['nano online a', 'uno online a']));
    await until(() => expect(uno.outcomes).toEqual(['ok']));

    const roamed = new UdpDevice('uno');
    await roamed.connect(b.udp);
    await until(() => expect(told.at(-1)).toBe('uno online b'));
    uno.leave();
    const left = () => expect(a.gateway.statistics().sessions.held).toBe(1);
    await until(left);
    for (const text of ['on', 'off']) await near.emit('lamp', text);

    const late = await join('late', upstream);
    const far = await connectTo(late.tcp);
    const settings: string[] = [];
    await far.subscribe('setting/+', ({ channel, text }) => void settings.push(`${channel} ${text}`));
    await until(() => expect(settings).toEqual(['setting/pace slow']));
    await near.emit('setting/pace', '', { retain: true });
    await until(() => expect(settings).toEqual(['setting/pace slow', 'setting/pace ']));
    const heard: string[] = [];
    await far.subscribe('$slipway/broadcast', ({ text }) => void heard.push(text));
    await near.broadcast('hello', { qos: 1 });
    await until(() => expect(heard).toEqual(['hello']));

    await until(() => expect(told.at(-1)).toBe('uno online b {"a":2}'));
    expect(told.filter((each) => each.includes('offline'))).toEqual([]);
    expect(a.log.map(({ msg }) => msg)).toContain(
      'uno is at b now: 2 messages that wait for it here will not follow; kept until it is back or its session expires',
    );
    const toldLate = await watch(far);
    await until(() => expect(toldLate.toSorted()).toEqual(['nano online a', 'uno online b {"a":2}']));
  });
}

describeWithTools(['nats-server'], 'over NATS', () => {
  holdsFor(async () => ({ nats: { servers: [(await startNats()).url] } }));
});

describeWithTools(['mosquitto'], 'over MQTT', () => {
  holdsFor(async () => ({ mqtt: { url: (await startMosquitto()).url } }));
});
