import { describe, expect, it } from 'vitest';
import { Disk } from '../../support/memory-backend.js';
import { Simulation } from '../../support/simulation.js';
import { SimulatedClient } from './simulated-client.js';

const HOUR_S = 3600;

function gateway() {
  const disk = new Disk();
  const simulation = new Simulation(1);
  simulation.startGateway(disk);
  const connect = (clientId: string, more: Parameters<SimulatedClient['connect']>[1] = {}) => {
    const client = new SimulatedClient(simulation);
    client.connect(clientId, { clean: false, properties: { sessionExpiryInterval: HOUR_S }, ...more });
    simulation.clock.advance(100);
    return client;
  };
  /** The process is killed, and starts again. */
  const restart = (...clients: SimulatedClient[]) => {
    for (const client of clients) client.ended = 'killed';
    simulation.startGateway(disk);
  };
  return { simulation, clock: simulation.clock, disk, connect, restart };
}

describe('what MQTT clients were told, when the gateway is killed (PROTOCOL.md §5.1)', () => {
  it('is told only when it is kept', () => {
    const { connect, clock, disk } = gateway();
    const absent = connect('absent');
    absent.subscribe('a', 1);
    clock.advance(100);
    expect(absent.of('suback')).toHaveLength(1);
    absent.cut();
    const sender = connect('sender');
    disk.stuck = true;
    sender.publish('a', 'held', { qos: 1 });
    clock.advance(100);
    expect(sender.of('puback')).toEqual([]);
    disk.stuck = false;
    clock.advance(100);
    expect(sender.of('puback')).toHaveLength(1);
  });

  it('holds: sessions, subscriptions and messages, with all that belongs to them', () => {
    const { connect, clock, restart } = gateway();
    const absent = connect('a/b');
    absent.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 'alarm/#', qos: 2, nl: true, rap: true }],
      properties: { subscriptionIdentifier: 77 },
    });
    clock.advance(100);
    absent.cut();
    const sender = connect('sender');
    const properties = {
      contentType: 'text/plain',
      correlationData: Buffer.of(0, 255),
      userProperties: { a: ['1', '2'] },
      messageExpiryInterval: 100,
    };
    sender.publish('alarm/1', 'fire', { qos: 1, retain: true, properties });
    sender.publish('alarm/2', 'short', { qos: 1, messageId: 8, properties: { messageExpiryInterval: 10 } });
    clock.advance(100);
    expect(sender.of('puback')).toHaveLength(2);
    restart(sender);
    clock.advance(20_000);
    const back = connect('a/b');
    expect(back.of('connack')).toMatchObject([{ sessionPresent: true }]);
    const { messageExpiryInterval: _, ...kept } = properties;
    expect(back.of('publish')).toMatchObject([
      { topic: 'alarm/1', qos: 1, retain: true, properties: { ...kept, subscriptionIdentifier: 77 } },
    ]);
    expect(back.of('publish')[0]?.properties?.messageExpiryInterval).toBe(80);
    const again = connect('sender');
    again.publish('alarm/3', 'again', { qos: 1 });
    clock.advance(100);
    expect(back.messages.at(-1)).toBe('alarm/3 again');
  });

  it('a message of QoS 2 that was taken is not taken twice', () => {
    const { connect, clock, restart } = gateway();
    const absent = connect('absent');
    absent.subscribe('a', 2);
    clock.advance(100);
    absent.cut();
    const sender = connect('sender');
    sender.publish('a', 'once', { qos: 2, messageId: 5 });
    clock.advance(100);
    expect(sender.of('pubrec')).toHaveLength(1);
    restart(sender);
    const again = connect('sender');
    again.publish('a', 'once', { qos: 2, messageId: 5, dup: true });
    clock.advance(100);
    again.send({ cmd: 'pubrel', messageId: 5 });
    clock.advance(100);
    expect(again.of('pubcomp')).toMatchObject([{ messageId: 5, reasonCode: 0 }]);
    again.publish('a', 'next', { qos: 2, messageId: 5 });
    clock.advance(100);
    expect(connect('absent').messages).toEqual(['a once', 'a next']);
  });

  it('identifiers of QoS 2 are kept one by one, and go with their session', () => {
    const { connect, clock, disk } = gateway();
    const kept = () => [...disk.records.keys()].filter((key) => key.startsWith('mqtt-taken/'));
    const written: string[] = [];
    const sender = connect('sender');
    for (let id = 1; id <= 5; id++) sender.publish('a', 'x', { qos: 2, messageId: id });
    clock.advance(100);
    expect(kept()).toHaveLength(5);
    disk.begun = (changes) => written.push(...changes.map(({ key }) => key));
    sender.send({ cmd: 'pubrel', messageId: 3 });
    clock.advance(2000);
    expect(kept().map((key) => key.split('/').at(-1))).toEqual(['1', '2', '4', '5']);
    expect(written.filter((key) => key.startsWith('mqtt-taken/'))).toEqual(['mqtt-taken/sender/3']);
    connect('sender', { clean: true });
    clock.advance(2000);
    expect(kept()).toEqual([]);
  });

  it('a message of QoS 2 that was sent goes on under its identifier', () => {
    const { connect, clock, restart } = gateway();
    const receiver = connect('receiver');
    receiver.subscribe('a', 2);
    clock.advance(100);
    connect('sender').publish('a', 'once', { qos: 2 });
    clock.advance(100);
    const [{ messageId } = { messageId: 0 }] = receiver.of('publish');
    restart(receiver);
    const back = connect('receiver');
    expect(back.of('publish')).toMatchObject([{ messageId, dup: true, qos: 2 }]);
    back.send({ cmd: 'pubrec', messageId: messageId as number });
    clock.advance(100);
    expect(back.of('pubrel')).toMatchObject([{ messageId }]);
    restart(back);
    const third = connect('receiver');
    expect(third.of('publish')).toEqual([]);
    expect(third.of('pubrel')).toMatchObject([{ messageId }]);
  });

  it('a session that was discarded does not come back', () => {
    const { connect, clock, restart } = gateway();
    const first = connect('meter');
    first.subscribe('a', 1);
    clock.advance(100);
    first.cut();
    const second = connect('meter', { clean: true });
    expect(second.of('connack')).toMatchObject([{ sessionPresent: false }]);
    restart(second);
    const third = connect('meter');
    expect(third.of('connack')).toMatchObject([{ sessionPresent: true }]);
    third.publish('a', 'x', { qos: 1 });
    clock.advance(100);
    expect(third.messages).toEqual([]);
  });

  it('a session expires by the time that the gateway runs', () => {
    const { connect, clock, restart, simulation } = gateway();
    connect('meter', { properties: { sessionExpiryInterval: 100 } }).cut();
    clock.advance(61_000);
    restart();
    expect(simulation.mqttHub.sessions.has('meter')).toBe(true);
    clock.advance(101_000);
    expect(simulation.mqttHub.sessions.has('meter')).toBe(false);
    restart();
    expect(simulation.mqttHub.sessions.has('meter')).toBe(false);
  });

  it('wills of those who do not come back go out', () => {
    const { connect, clock, restart } = gateway();
    const will = { topic: 'will', payload: Buffer.from('lost'), qos: 1 as const, retain: true };
    const [lost, back] = [connect('lost', { will }), connect('back', { will: { ...will, topic: 'other' } })];
    clock.advance(2000);
    restart(lost, back);
    const watcher = connect('watcher');
    watcher.subscribe('#', 1);
    connect('back', { will: { ...will, topic: 'other' } });
    clock.advance(120_000);
    expect(watcher.messages).toEqual(['will lost']);
  });

  it('of a session without expiry nothing is kept', () => {
    const { connect, clock, disk, restart } = gateway();
    const client = connect('brief', { properties: { sessionExpiryInterval: 0 } });
    client.subscribe('a', 1);
    client.publish('a', 'x', { qos: 1 });
    clock.advance(2000);
    expect(client.messages).toEqual(['a x']);
    expect([...disk.records.keys()].filter((key) => key.startsWith('mqtt'))).toEqual([]);
    restart(client);
    expect(connect('brief').of('connack')).toMatchObject([{ sessionPresent: false }]);
  });
});
