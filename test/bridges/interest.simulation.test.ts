import { describe, expect, test } from 'vitest';
import { BridgedGateway } from '../support/bridged-gateway.js';
import { Disk } from '../support/memory-backend.js';
import { SimulatedBroker } from '../support/simulated-broker/broker.js';
import { advance } from '../support/turns.js';
import { VirtualClock } from '../support/virtual-clock.js';

describe('what a bridge asks its upstream for', () => {
  test('stays as it was while the gateway is restarted', async () => {
    const clock = new VirtualClock();
    const broker = new SimulatedBroker(clock, 1);
    const gateway = new BridgedGateway({
      clock,
      seed: 1,
      disk: new Disk(),
      bridges: [{ broker, rules: [{ pattern: '#', direction: 'in', remote: 'all/#' }] }],
    });
    gateway.device('one').subscribe('a/+', 1);
    await advance(clock, 1000);
    expect(broker.interestsOf('site-up')).toEqual({ 'all/a/+': 1 });
    const asked = new Set<string>();
    const subscribe = broker.subscribe.bind(broker);
    broker.subscribe = (client, interests) => {
      asked.add(interests.map(({ pattern }) => pattern).join());
      subscribe(client, interests);
    };
    // However soon the connection stands: what is not asked for at any moment is lost then.
    for (let n = 0; n < 30; n++) {
      gateway.restart();
      await advance(clock, 200);
    }
    expect([...asked]).toEqual(['all/a/+']);
  });
});
