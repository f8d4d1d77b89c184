import { beforeEach, describe, expect, it } from 'vitest';
import { bytes, Inbox } from '../router/inbox.js';
import { SimulatedBroker } from '../support/simulated-broker/broker.js';
import { advance } from '../support/turns.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { PlainGateway } from './plain-gateway.js';

const BROADCAST = { direction: 'both', remote: 'fleet/broadcast' };

let clock: VirtualClock;
let broker: SimulatedBroker;

beforeEach(() => {
  clock = new VirtualClock();
  broker = new SimulatedBroker(clock, 1);
});

function gateway(name: string, broadcast: object = BROADCAST): [PlainGateway, Inbox] {
  const made = new PlainGateway(name, [{ broker, settings: { broadcast } }]);
  const inbox = new Inbox();
  made.router.connect(inbox);
  return [made, inbox];
}

const heard = (inbox: Inbox) => inbox.read().map((each) => each.replace('$slipway/broadcast=', ''));

describe('a broadcast', () => {
  it('reaches everyone at all gateways once, at QoS 1 at most, but its sender', async () => {
    const [[a, near], [, far], [, other]] = [gateway('a'), gateway('b'), gateway('c')];
    const sender = new Inbox();
    a.router.connect(sender);
    await advance(clock, 1000);
    for (const qos of [0, 1, 2] as const)
      a.router.broadcast(bytes(`q${qos}`), { qos, retain: false }, sender);
    await advance(clock, 1000);
    expect(heard(near)).toEqual(['q0@0', 'q1@1', 'q2@2']);
    expect(heard(far).sort()).toEqual(['q0@0', 'q1@1', 'q2@1']);
    expect(heard(other).sort()).toEqual(['q0@0', 'q1@1', 'q2@1']);
    expect(heard(sender)).toEqual([]);
    expect(broker.lastValues.size).toBe(0);
    expect(broker.violations).toEqual([]);
  });

  it('crosses the way that the config says', async () => {
    const [[a, atA], [b, atB]] = [gateway('a', { ...BROADCAST, direction: 'out' }), gateway('b')];
    const [, atC] = gateway('c', { ...BROADCAST, direction: 'in' });
    await advance(clock, 1000);
    a.router.broadcast(bytes('from a'), { qos: 1, retain: false });
    b.router.broadcast(bytes('from b'), { qos: 1, retain: false });
    await advance(clock, 1000);
    expect(heard(atA)).toEqual(['from a@1']);
    expect(heard(atB).sort()).toEqual(['from a@1', 'from b@1']);
    expect(heard(atC).sort()).toEqual(['from a@1', 'from b@1']);
  });

  it('goes on by another bridge, and never comes back', async () => {
    const beyond = new SimulatedBroker(clock, 2);
    const middle = new PlainGateway('m', [
      { broker, settings: { broadcast: BROADCAST } },
      { broker: beyond, settings: { broadcast: BROADCAST } },
    ]);
    const [[a, atA], inTheMiddle] = [gateway('a'), new Inbox()];
    middle.router.connect(inTheMiddle);
    const end = new PlainGateway('z', [{ broker: beyond, settings: { broadcast: BROADCAST } }]);
    const atEnd = new Inbox();
    end.router.connect(atEnd);
    await advance(clock, 1000);
    a.router.broadcast(bytes('hello'), { qos: 1, retain: false });
    await advance(clock, 5000);
    expect([atA, inTheMiddle, atEnd].map(heard)).toEqual([['hello@1'], ['hello@1'], ['hello@1']]);
    expect([broker, beyond].map(({ taken }) => taken.map(({ via }) => via))).toEqual([[['a']], [['a', 'm']]]);
  });

  it('that could not cross within a minute is dropped', async () => {
    const [[a], [, far]] = [gateway('a'), gateway('b')];
    await advance(clock, 1000);
    broker.stop();
    await advance(clock, 100);
    a.router.broadcast(bytes('old'), { qos: 1, retain: false });
    a.router.broadcast(bytes('lost'), { qos: 0, retain: false });
    await advance(clock, 30_000);
    a.router.broadcast(bytes('new'), { qos: 1, retain: false });
    await advance(clock, 31_000);
    broker.start();
    await advance(clock, 29_000);
    expect(heard(far)).toEqual(['new@1']);
    expect(a.counters.get('bridges.b0.drop.expired')).toBe(1);
    expect(a.counters.get('bridges.b0.drop.offline')).toBe(1);
  });

  it('is not kept from the others by one peer that takes nothing', async () => {
    const [[a], [b, far]] = [gateway('a'), gateway('b')];
    const stuck = new Inbox();
    stuck.room = 0;
    b.router.connect(stuck);
    await advance(clock, 1000);
    a.router.broadcast(bytes('hello'), { qos: 1, retain: false });
    await advance(clock, 1000);
    expect(heard(far)).toEqual(['hello@0']);
    expect(b.counters.get('bridges.b0.in')).toBe(1);
  });
});
