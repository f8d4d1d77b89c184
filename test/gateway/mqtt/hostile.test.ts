import { describe, expect, it } from 'vitest';
import { harmless } from '../../../src/gateway/harmless.js';
import { Simulation } from '../../support/simulation.js';
import { SimulatedClient } from './simulated-client.js';

const QUOTA_EXCEEDED = 0x97;

function connected(simulation: Simulation, clientId = 'mallory', level: 4 | 5 = 5): SimulatedClient {
  const client = new SimulatedClient(simulation, level);
  client.connect(clientId);
  return client;
}

function userProperties(count: number): Record<string, string[]> {
  return { a: Array.from({ length: count }, () => '') };
}

const will = { topic: 'will', payload: Buffer.from('x'), qos: 0, retain: false } as const;

describe('a hostile client of MQTT', () => {
  it('cannot send very many user properties in one packet, which take far more memory than they cost', () => {
    const simulation = new Simulation(1);
    const client = connected(simulation);
    client.publish('a', 'x', { properties: { userProperties: userProperties(1024) } });
    expect(client.ended).toBeUndefined();
    client.publish('a', 'x', { properties: { userProperties: userProperties(1025) } });
    expect(client.of('disconnect')).toMatchObject([{ reasonCode: QUOTA_EXCEEDED }]);
    const other = new SimulatedClient(simulation);
    const properties = { userProperties: userProperties(1025) };
    expect(other.connect('other', { will: { ...will, properties } })).toMatchObject({
      reasonCode: QUOTA_EXCEEDED,
    });
  });

  it('cannot hold more in the properties of wills than wills may take', () => {
    const simulation = new Simulation(1);
    const connect = (clientId: string, properties: object) =>
      new SimulatedClient(simulation).connect(clientId, { will: { ...will, properties } })?.reasonCode;
    expect(connect('a', { contentType: 'x'.repeat(9000) })).toBe(0);
    expect(connect('b', { contentType: 'x'.repeat(9000) })).toBe(QUOTA_EXCEEDED);
    expect(connect('c', { userProperties: userProperties(100) })).toBe(QUOTA_EXCEEDED);
  });

  it('cannot ask for very many subscriptions in one packet', () => {
    const simulation = new Simulation(1);
    const filters = (count: number) => Array.from({ length: count }, (_, i) => `a/${i % 7}`);
    const subscribe = (client: SimulatedClient, count: number) =>
      client.send({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: filters(count).map((topic) => ({ topic, qos: 0 })),
      });
    const client = connected(simulation);
    subscribe(client, 4096);
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: filters(4096) });
    expect(client.ended).toBeUndefined();
    client.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: filters(4097) });
    expect(client.of('disconnect')).toMatchObject([{ reasonCode: QUOTA_EXCEEDED }]);
    const other = connected(simulation, 'other');
    subscribe(other, 4097);
    expect(other.of('disconnect')).toMatchObject([{ reasonCode: QUOTA_EXCEEDED }]);
  });

  it('cannot have a great many bytes kept as aliases', () => {
    const client = connected(new Simulation(1));
    const give = (topicAlias: number, topic: string) =>
      client.publish(topic, 'x', { properties: { topicAlias } });
    give(1, 'x'.repeat(65_535));
    give(1, 'x'.repeat(10));
    for (let alias = 2; alias <= 64; alias++) give(alias, `${alias}`.padEnd(1000, 'x'));
    give(1, '');
    expect(client.ended).toBeUndefined();
    give(1, 'x'.repeat(10_000));
    expect(client.of('disconnect')).toMatchObject([{ reasonCode: QUOTA_EXCEEDED }]);
  });

  it('is not listened to while it does not read its answers, and is again when it does', () => {
    const simulation = new Simulation(1, { mqtt: { backlog: 1000 } });
    const client = connected(simulation);
    client.unsent = 2001;
    client.send({ cmd: 'pingreq' }, { cmd: 'pingreq' });
    simulation.clock.advance(1000);
    expect(client.of('pingresp')).toHaveLength(0);
    expect(client.paused).toBe(true);
    client.takeUnsent();
    simulation.clock.advance(1000);
    expect(client.of('pingresp')).toHaveLength(2);
    expect(client.paused).toBe(false);
  });

  it('does not keep a session for ever by coming back to it with a will that is refused', () => {
    const simulation = new Simulation(1);
    const come = (topic: string) => {
      const client = new SimulatedClient(simulation, 4);
      client.connect('mallory', { clean: false, will: { ...will, topic } });
      return client;
    };
    come('will').cut();
    expect(come('$SYS/x').of('connack')).toMatchObject([{ returnCode: 5 }]);
    expect(simulation.mqttHub.sessions.size).toBe(1);
    simulation.clock.advance(3_600_000 + 1000);
    expect(simulation.mqttHub.sessions.size).toBe(0);
    expect(simulation.commons.places.residents.size).toBe(0);
  });

  it('does not take back the will of a device by taking its name', () => {
    const simulation = new Simulation(1);
    const { clock, router, commons } = simulation;
    const heard: string[] = [];
    let full = true;
    const watcher = {
      hasRoom: () => !full,
      deliver: ({ name }: { name: string }) => void heard.push(name),
    };
    router.subscribe(watcher, '#', { qos: 1, noLocal: false, noLastValue: false });
    const device = {
      identity: 'uno',
      owner: 'uno',
      emit: (name: string, message: { payload: Uint8Array; qos: 0 | 1 | 2; retain: boolean }) =>
        router.emit(name, message.payload, message),
      touch: () => undefined,
    };
    commons.wills.set(device, { name: 'gone', payload: Buffer.from('uno'), qos: 1, retain: false });
    commons.wills.lost(device, 0);
    commons.wills.ended(device);
    const come = () => {
      const client = new SimulatedClient(simulation, 4);
      client.connect('uno', { clean: false });
      return client;
    };
    come().cut();
    come();
    full = false;
    clock.advance(2000);
    expect(heard).toEqual(['gone']);
  });
});

it('what peers call themselves and their channels is shown on one line, and not at any length', () => {
  expect(harmless('a\nb\u001b[31m')).toBe('a\\u{a}b\\u{1b}[31m');
  expect(harmless('x'.repeat(65_535))).toBe(`${'x'.repeat(255)}…`);
  expect(harmless('Größe')).toBe('Größe');
});
