import { expect, it } from 'vitest';
import { connectTo, freePort, startGateway, until } from '../../support/gateways.js';
import { VERSIONS } from './rig.js';

it.each(VERSIONS)('a gateway is a broker for the bridge of another one (version %s)', async (version) => {
  const port = await freePort();
  const there = await startGateway({ listen: { mqtt: { port } } });
  const rules = [{ pattern: 'x/#', direction: 'both', qos: 2 }];
  const mqtt = { url: `mqtt://127.0.0.1:${port}`, version };
  const here = await startGateway({ gateway: 'here', bridges: [{ name: 'plant', mqtt, rules }] });
  const [near, far] = [await connectTo(here.tcp), await connectTo(there.tcp)];
  const heard = { near: [] as string[], far: [] as string[] };
  await near.subscribe('x/#', ({ text }) => void heard.near.push(text), { qos: 2 });
  await far.subscribe('x/#', ({ text }) => void heard.far.push(text), { qos: 2 });
  await until(async () => {
    await far.emit('x/probe', 'probe');
    expect(heard.near).toContain('probe');
  });
  await near.emit('x/1', 'up', { qos: 2, retain: true });
  await until(() => expect(heard.far).toContain('up'));
  await far.emit('x/2', 'down', { qos: 2, retain: true });
  await until(() => expect(heard.near).toContain('down'));
  expect(heard.near.filter((text) => text !== 'probe')).toEqual(['up', 'down']);
  expect(heard.far.filter((text) => text !== 'probe')).toEqual(['up', 'down']);
  const late: string[] = [];
  await (await connectTo(here.tcp)).subscribe('x/+', ({ text }) => void late.push(text));
  await until(() => expect(late.sort()).toEqual(['down', 'up']));
});
