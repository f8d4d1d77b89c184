import type { IConnectPacket } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import type { HubLimits } from '../../../src/gateway/hub.js';
import { NO_FAULTS } from '../../support/faulty-wire.js';
import { EngineDevice, Simulation } from '../../support/simulation.js';
import { SimulatedClient } from './simulated-client.js';

type Will = NonNullable<IConnectPacket['will']>;

function gateway(hub: Partial<HubLimits> = {}) {
  const simulation = new Simulation(1, { hub });
  const watcher = new SimulatedClient(simulation);
  watcher.connect('watcher');
  watcher.subscribe('will/#', 1);
  const connect = (
    will: Partial<Will>,
    {
      clean = false,
      sessionExpiryInterval = 1000,
      level = 5,
    }: { clean?: boolean; sessionExpiryInterval?: number; level?: 4 | 5 } = {},
  ) => {
    const client = new SimulatedClient(simulation, level);
    client.connect('meter', {
      clean,
      ...(level === 5 && { properties: { sessionExpiryInterval } }),
      will: { topic: 'will/meter', payload: Buffer.from('lost'), qos: 1, retain: false, ...will },
    });
    return client;
  };
  return { simulation, watcher, clock: simulation.clock, connect };
}

/** Somebody who is absent, and would hear everything, holds as much as it may. */
function fillUp(simulation: Simulation): void {
  const full = new SimulatedClient(simulation, 4);
  full.connect('full', { clean: false });
  full.subscribe('#', 1);
  full.cut();
  const sender = new SimulatedClient(simulation);
  sender.connect('sender');
  sender.publish('full', 'now', { qos: 1 });
}

describe('a will of MQTT', () => {
  it.each([4, 5] as const)('is emitted when the connection is lost [MQTT-3.1.2-8] (level %i)', (level) => {
    const { watcher, connect } = gateway();
    connect({}, { level }).cut();
    expect(watcher.messages).toEqual(['will/meter lost']);
  });

  it('is not when its client takes its leave [MQTT-3.14.4-3], unless it asks for it', () => {
    const { watcher, connect } = gateway();
    connect({}).send({ cmd: 'disconnect', reasonCode: 0 });
    connect({}, { level: 4 }).send({ cmd: 'disconnect' });
    expect(watcher.messages).toEqual([]);
    connect({}).send({ cmd: 'disconnect', reasonCode: 4 });
    expect(watcher.messages).toEqual(['will/meter lost']);
  });

  it('is when its client breaks the protocol or the keep-alive', () => {
    const { watcher, connect } = gateway();
    const client = connect({});
    client.send({ cmd: 'pubrel', messageId: 1, reasonCode: 0 });
    expect(client.ended).toBeUndefined();
    client.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'again', clean: true });
    expect(client.ended).toBeDefined();
    expect(watcher.messages).toEqual(['will/meter lost']);
  });

  it('waits for its delay, in which its client may come back [MQTT-3.1.3-9]', () => {
    const { watcher, connect, clock } = gateway();
    const delayed = { properties: { willDelayInterval: 10 } };
    connect(delayed).cut();
    clock.advance(9900);
    const back = connect(delayed);
    clock.advance(20_000);
    expect(watcher.messages).toEqual([]);
    back.cut();
    clock.advance(10_001);
    expect(watcher.messages).toEqual(['will/meter lost']);
  });

  it('does not wait beyond the end of its session', () => {
    const { watcher, connect, clock } = gateway();
    const delayed = { properties: { willDelayInterval: 100 } };
    connect(delayed, { sessionExpiryInterval: 5 }).cut();
    clock.advance(4990);
    expect(watcher.messages).toEqual([]);
    clock.advance(20);
    expect(watcher.messages).toEqual(['will/meter lost']);
    connect(delayed, { sessionExpiryInterval: 0 }).cut();
    expect(watcher.messages).toHaveLength(2);
  });

  it('of a connection that is taken over is emitted, but for a delay that the newcomer goes on with', () => {
    const { watcher, connect } = gateway();
    const delayed = { properties: { willDelayInterval: 100 } };
    connect({});
    connect(delayed);
    expect(watcher.messages).toEqual(['will/meter lost']);
    connect(delayed);
    expect(watcher.messages).toHaveLength(1);
    connect(delayed, { clean: true });
    expect(watcher.messages).toHaveLength(2);
  });

  it('is replaced by the next CONNECT, or taken back', () => {
    const { watcher, simulation, connect } = gateway();
    connect({});
    expect(watcher.messages).toEqual([]);
    connect({ payload: Buffer.from('newer') }).cut();
    expect(watcher.messages).toEqual(['will/meter lost', 'will/meter newer']);
    const without = new SimulatedClient(simulation);
    without.connect('meter', { clean: false });
    without.cut();
    expect(watcher.messages).toHaveLength(2);
  });

  it.each([{ clean: false }, { clean: true }])(
    'that found no room is emitted all the same when its client is back before (%o)',
    ({ clean }) => {
      const { simulation, watcher, connect, clock } = gateway({ queue: { messages: 1, bytes: 1000 } });
      fillUp(simulation);
      connect({}).cut();
      expect(watcher.messages).toEqual([]);
      connect({ payload: Buffer.from('newer') }, { clean });
      expect(watcher.messages).toEqual(['will/meter lost']);
      clock.advance(100_000);
      expect(watcher.messages).toEqual(['will/meter lost']);
      expect(simulation.commons.wills.bytes).toBe('will/meter'.length + 'newer'.length);
    },
  );

  it('that found no room is not called off by somebody of another protocol who has the same name', () => {
    const { simulation, watcher, connect, clock } = gateway({ queue: { messages: 1, bytes: 1000 } });
    fillUp(simulation);
    connect({}, { sessionExpiryInterval: 0 }).cut();
    const namesake = new EngineDevice(simulation, 'meter');
    simulation.connect('udp', namesake, NO_FAULTS);
    clock.until(() => namesake.session.state === 'ready', 5000, 'the namesake is online');
    clock.advance(100_000);
    expect(watcher.messages).toEqual(['will/meter lost']);
  });

  it('that is refused with a CONNECT changes nothing of the session that stands', () => {
    const { simulation, watcher, connect, clock } = gateway();
    const client = connect({});
    const will = { topic: '$slipway/stats', payload: Buffer.from('x'), qos: 0 as const, retain: false };
    const refused = new SimulatedClient(simulation);
    expect(refused.connect('meter', { clean: false, will })).toMatchObject({ reasonCode: 0x87 });
    expect(client.ended).toBeUndefined();
    expect(watcher.messages).toEqual([]);
    client.cut();
    const again = new SimulatedClient(simulation);
    expect(again.connect('meter', { clean: true, will })).toMatchObject({ reasonCode: 0x87 });
    expect(simulation.mqttHub.sessions.has('meter')).toBe(true);
    clock.advance(1_000_001);
    expect(simulation.mqttHub.sessions.has('meter')).toBe(false);
  });

  it('for which there is no room leaves the session that stands with its time', () => {
    const { simulation, connect, clock } = gateway({ willBytes: 20 });
    connect({}).cut();
    const large = { payload: Buffer.alloc(100) };
    expect(connect(large).of('connack')).toMatchObject([{ reasonCode: 0x97 }]);
    expect(simulation.mqttHub.sessions.has('meter')).toBe(true);
    clock.advance(1_000_001);
    expect(simulation.mqttHub.sessions.has('meter')).toBe(false);
  });

  it('keeps its properties, its QoS and whether it is retained', () => {
    const { watcher, simulation, connect } = gateway();
    connect({
      retain: true,
      qos: 2,
      properties: { contentType: 'text/plain', messageExpiryInterval: 60, userProperties: { why: 'power' } },
    }).cut();
    expect(watcher.of('publish')).toMatchObject([
      {
        qos: 1,
        retain: false,
        properties: {
          contentType: 'text/plain',
          messageExpiryInterval: 60,
          userProperties: { why: 'power' },
        },
      },
    ]);
    const late = new SimulatedClient(simulation);
    late.connect('late');
    late.subscribe('will/#', 2);
    expect(late.of('publish')).toMatchObject([{ topic: 'will/meter', qos: 2, retain: true }]);
  });

  it('on a channel of the gateway is refused', () => {
    const { simulation } = gateway();
    const client = new SimulatedClient(simulation);
    const will = { topic: '$slipway/stats', payload: Buffer.from('x'), qos: 0 as const, retain: false };
    expect(client.connect('meter', { will })).toMatchObject({ reasonCode: 0x87 });
    expect(client.ended).toBeDefined();
    expect(simulation.mqttHub.sessions.has('meter')).toBe(false);
  });
});
