import { describe, expect, it, vi } from 'vitest';
import { Simulation } from '../../support/simulation.js';
import { SimulatedClient } from './simulated-client.js';

const HOUR_S = 3600;

function gateway(limits: ConstructorParameters<typeof Simulation>[1] = {}) {
  const simulation = new Simulation(1, limits);
  return { simulation, clock: simulation.clock };
}

describe('a session of MQTT', () => {
  it.each([4, 5] as const)('goes on when its client comes back (level %i)', (level) => {
    const { simulation } = gateway();
    const connect = (clean: boolean) => {
      const client = new SimulatedClient(simulation, level);
      const answer = client.connect('meter', {
        clean,
        ...(level === 5 && { properties: { sessionExpiryInterval: HOUR_S } }),
      });
      return { client, answer };
    };
    const first = connect(false);
    expect(first.answer).toMatchObject({ sessionPresent: false });
    first.client.subscribe('alarm/+', 1);
    first.client.cut();
    const other = new SimulatedClient(simulation);
    other.connect('other');
    other.publish('alarm/1', 'fire', { qos: 1 });
    expect(other.of('puback')).toHaveLength(1);

    const second = connect(false);
    expect(second.answer).toMatchObject({ sessionPresent: true });
    expect(second.client.messages).toEqual(['alarm/1 fire']);
    expect(connect(true).answer).toMatchObject({ sessionPresent: false });
    expect(connect(false).answer).toMatchObject({ sessionPresent: level === 5 });
  });

  it('acts on all that came before its connection broke, however much that is', () => {
    const { simulation, clock } = gateway();
    const hearer = new SimulatedClient(simulation);
    hearer.connect('hearer');
    hearer.subscribe('#');
    const client = new SimulatedClient(simulation);
    client.connect('meter', { will: { topic: 'will', payload: Buffer.from('lost'), qos: 1, retain: false } });
    const emit = { cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false } as const;
    client.send(...Array.from({ length: 10_000 }, () => emit), { cmd: 'disconnect' });
    client.cut();
    clock.advance(60_000);
    expect(hearer.messages).toHaveLength(10_000);
    expect(hearer.messages).not.toContain('will lost');
    expect(simulation.mqttHub.sessions.has('meter')).toBe(false);
  });

  it('ends when its time is over, or with its connection if it has none', () => {
    const { simulation, clock } = gateway();
    const connect = (sessionExpiryInterval: number) => {
      const client = new SimulatedClient(simulation);
      const answer = client.connect('meter', { clean: false, properties: { sessionExpiryInterval } });
      client.cut();
      return answer?.sessionPresent;
    };
    expect(connect(100)).toBe(false);
    clock.advance(99_000);
    expect(connect(100)).toBe(true);
    clock.advance(100_001);
    expect(connect(0)).toBe(false);
    expect(connect(0)).toBe(false);
    expect(simulation.mqttHub.sessions.has('meter')).toBe(false);
  });

  it('is kept no longer than sessions.expiry, which MQTT 5 is told', () => {
    const { simulation } = gateway({ hub: { expiryMs: 60_000 } });
    const client = new SimulatedClient(simulation);
    expect(client.connect('long', { properties: { sessionExpiryInterval: 0xffff_ffff } })).toMatchObject({
      properties: { sessionExpiryInterval: 60 },
    });
    const short = new SimulatedClient(simulation);
    expect(
      short.connect('short', { properties: { sessionExpiryInterval: 50 } })?.properties,
    ).not.toHaveProperty('sessionExpiryInterval');
  });

  it('may be given another time when it is left, but not be made to last [3.14.2.2.2]', () => {
    const { simulation } = gateway();
    const leave = (before: number, after: number) => {
      const client = new SimulatedClient(simulation);
      client.connect('meter', { clean: true, properties: { sessionExpiryInterval: before } });
      client.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: after } });
      return { codes: client.of('disconnect').map(({ reasonCode }) => reasonCode), ended: client.ended };
    };
    expect(leave(100, 0)).toEqual({ codes: [], ended: 'closed by the gateway' });
    expect(simulation.mqttHub.sessions.has('meter')).toBe(false);
    expect(leave(100, 200).codes).toEqual([]);
    expect(simulation.mqttHub.sessions.get('meter')?.expiryMs).toBe(200_000);
    expect(leave(0, 100).codes).toEqual([0x82]);
  });

  it('is taken over by a second connection [MQTT-3.1.4-3]', () => {
    const { simulation } = gateway();
    const first = new SimulatedClient(simulation);
    first.connect('twin', { properties: { sessionExpiryInterval: HOUR_S } });
    const second = new SimulatedClient(simulation);
    expect(second.connect('twin', { clean: false })).toMatchObject({ sessionPresent: true });
    expect(first.of('disconnect')).toMatchObject([{ reasonCode: 0x8e }]);
    expect(first.ended).toBe('closed by the gateway');
    expect(second.ended).toBeUndefined();
  });

  it('gets a name if its client has none [MQTT-3.1.3-6], [MQTT-3.2.2-16]', () => {
    const { simulation } = gateway();
    const names = [1, 2].map(
      () => new SimulatedClient(simulation).connect('')?.properties?.assignedClientIdentifier,
    );
    expect(names[0]).toMatch(/^auto-/);
    expect(names[1]).not.toBe(names[0]);
    expect(simulation.mqttHub.sessions.has(names[0] as string)).toBe(true);
    expect(new SimulatedClient(simulation, 4).connect('', { clean: true })).toMatchObject({ returnCode: 0 });
  });

  it('may have any name, which nobody else needs to see as it is', () => {
    const { simulation } = gateway();
    const client = new SimulatedClient(simulation);
    expect(client.connect('a/b #\u202e')).toMatchObject({ reasonCode: 0 });
    expect(simulation.mqttHub.sessions.get('a/b #\u202e')?.identity).toBe('a/b #\\u{202e}');
  });

  it('needs a place, which an absent one may have to give', () => {
    const { simulation } = gateway({ hub: { sessions: 1 } });
    const absent = new SimulatedClient(simulation);
    absent.connect('absent', { properties: { sessionExpiryInterval: HOUR_S } });
    expect(new SimulatedClient(simulation).connect('third')).toMatchObject({ reasonCode: 0x97 });
    expect(new SimulatedClient(simulation, 4).connect('third')).toMatchObject({ returnCode: 3 });
    absent.cut();
    expect(new SimulatedClient(simulation).connect('third')).toMatchObject({ reasonCode: 0 });
    expect(simulation.mqttHub.sessions.has('absent')).toBe(false);
  });
});

describe('a connection of MQTT', () => {
  it('is closed when its client is silent for one and a half times its keep-alive [MQTT-3.1.2-22]', () => {
    const { simulation, clock } = gateway();
    const client = new SimulatedClient(simulation);
    client.connect('meter', { keepalive: 10 });
    clock.advance(14_000);
    client.send({ cmd: 'pingreq' });
    expect(client.of('pingresp')).toHaveLength(1);
    clock.advance(14_990);
    expect(client.ended).toBeUndefined();
    clock.advance(20);
    expect(client.of('disconnect')).toMatchObject([{ reasonCode: 0x8d }]);
    expect(client.ended).toBeDefined();
  });

  it('has the longest keep-alive that the gateway allows, if its client can be told [MQTT-3.2.2-21]', () => {
    const { simulation, clock } = gateway({ mqtt: { keepAliveMs: 60_000 } });
    const told = (keepalive: number) =>
      new SimulatedClient(simulation).connect(`meter-${keepalive}`, { keepalive })?.properties
        ?.serverKeepAlive;
    expect([0, 59, 60, 61].map(told)).toEqual([60, undefined, undefined, 60]);
    clock.advance(91_000);
    expect(simulation.mqttHub.connections.size).toBe(0);
    const older = new SimulatedClient(simulation, 4);
    older.connect('older', { keepalive: 0 });
    clock.advance(200_000);
    expect(older.ended).toBeUndefined();
  });

  it('is closed when its client takes no packet as large as a CONNACK [MQTT-3.1.2-24]', () => {
    const { simulation } = gateway();
    const client = new SimulatedClient(simulation);
    expect(client.connect('small', { properties: { maximumPacketSize: 4 } })).toBeUndefined();
    expect(client.ended).toBeDefined();
    expect(simulation.mqttHub.sessions.has('small')).toBe(false);
  });

  it('is closed when nobody introduces himself', () => {
    const { simulation, clock } = gateway();
    const client = new SimulatedClient(simulation);
    clock.advance(60_000);
    expect(client.ended).toBeDefined();
    expect(client.got).toEqual([]);
  });

  it('is refused enhanced authentication with its own code [MQTT-4.12.0-1]', () => {
    const { simulation } = gateway();
    const client = new SimulatedClient(simulation);
    expect(client.connect('meter', { properties: { authenticationMethod: 'SCRAM' } })).toMatchObject({
      reasonCode: 0x8c,
    });
    expect(client.ended).toBeDefined();
  });

  it('says in words what is wrong only to who asks for words', () => {
    const { simulation } = gateway();
    const reason = (requestProblemInformation?: boolean) => {
      const client = new SimulatedClient(simulation);
      const more = requestProblemInformation === undefined ? {} : { requestProblemInformation };
      return client.connect('m', { properties: { authenticationMethod: 'SCRAM', ...more } })?.properties;
    };
    expect(reason(true)).toMatchObject({ reasonString: 'bad_method' });
    expect(reason(false) ?? {}).not.toHaveProperty('reasonString');
    expect(reason() ?? {}).not.toHaveProperty('reasonString');
  });

  it('of 3.1.1 waits while what it publishes finds no room, and is closed at last', () => {
    const { simulation, clock } = gateway({ hub: { queue: { messages: 2, bytes: 10_000 } } });
    const absent = new SimulatedClient(simulation, 4);
    absent.connect('absent', { clean: false });
    absent.subscribe('q/#', 1);
    absent.cut();
    const sender = new SimulatedClient(simulation, 4);
    sender.connect('sender');
    for (const id of [1, 2, 3, 4]) sender.publish('q/1', `${id}`, { qos: 1, messageId: id });
    expect(sender.of('puback').map(({ messageId }) => messageId)).toEqual([1, 2]);
    clock.advance(5000);
    expect(sender.paused).toBe(true);
    const back = new SimulatedClient(simulation, 4);
    back.connect('absent', { clean: false });
    for (const { messageId } of back.of('publish'))
      back.send({ cmd: 'puback', messageId: messageId as number });
    clock.advance(200);
    expect(sender.of('puback').map(({ messageId }) => messageId)).toEqual([1, 2, 3, 4]);
    expect(back.messages).toEqual(['q/1 1', 'q/1 2', 'q/1 3', 'q/1 4']);

    for (const id of [5, 6, 7]) sender.publish('q/1', `${id}`, { qos: 1, messageId: id });
    clock.advance(11_000);
    expect(sender.ended).toBe('closed by the gateway');
    const five = new SimulatedClient(simulation, 5);
    five.connect('five');
    five.publish('q/1', 'x', { qos: 1 });
    expect(five.of('puback')).toMatchObject([{ reasonCode: 0x97 }]);
  });

  it('that has no room is reported once while it is there, and once when it is not', () => {
    const { simulation } = gateway({ hub: { queue: { messages: 1, bytes: 10_000 } } });
    const full = vi.spyOn(simulation.commons.held, 'full');
    const slow = new SimulatedClient(simulation);
    slow.connect('slow', { properties: { sessionExpiryInterval: 100 } });
    slow.subscribe('q', 1);
    const sender = new SimulatedClient(simulation);
    sender.connect('sender');
    const publish = (count: number): void => {
      for (let n = 0; n < count; n++) sender.publish('q', 'x', { qos: 1 });
    };
    publish(3);
    slow.cut();
    publish(2);
    expect(full.mock.calls.map(([, , , first]) => first)).toEqual([true, false, true, false]);
  });

  it('hears broadcasts if it has subscribed to them, and may send them', () => {
    const { simulation } = gateway();
    const [one, two, three] = ['one', 'two', 'three'].map((name) => {
      const client = new SimulatedClient(simulation);
      client.connect(name);
      return client;
    }) as [SimulatedClient, SimulatedClient, SimulatedClient];
    two.subscribe('$slipway/broadcast', 1);
    one.publish('$slipway/broadcast', 'hello', { qos: 1 });
    expect(one.of('puback')).toHaveLength(1);
    expect(two.messages).toEqual(['$slipway/broadcast hello']);
    expect(three.messages).toEqual([]);
    one.publish('$slipway/stats', 'mine', { qos: 1 });
    expect(one.of('puback').at(-1)).toMatchObject({ reasonCode: 0x87 });
  });
});
