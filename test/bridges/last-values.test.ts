import { beforeEach, describe, expect, it } from 'vitest';
import type { Qos } from '../../src/wire/messages.js';
import { Disk } from '../support/memory-backend.js';
import { Random } from '../support/random.js';
import { forSeedsInTurn } from '../support/seeds.js';
import { SimulatedBroker } from '../support/simulated-broker/broker.js';
import { advance } from '../support/turns.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { PlainGateway } from './plain-gateway.js';

let clock: VirtualClock;
let broker: SimulatedBroker;

beforeEach(() => {
  clock = new VirtualClock();
  broker = new SimulatedBroker(clock, 1);
});

const rule = (qos: Qos = 1, pattern = 'x/#') => ({
  pattern,
  direction: 'out',
  qos,
  remote: `there/${pattern}`,
});

/** Last values at the broker, less what all of their names begin with. */
const there = () =>
  Object.fromEntries(
    [...broker.lastValues]
      .map(([name, { payload }]) => [name.replace('there/', ''), Buffer.from(payload).toString()] as const)
      .sort(([a], [b]) => a.localeCompare(b)),
  );
/** What was published in between. */
const taken = () => broker.taken.splice(0).map(({ name, text }) => `${name.replace('there/', '')}=${text}`);

/** A gateway with that disk, and what it has before it has a bridge. */
async function gatewayWith(disk: Disk, values: Record<string, string>): Promise<void> {
  const other = new SimulatedBroker(clock, 1);
  const gateway = new PlainGateway(
    'a',
    [{ broker: other, settings: { rules: [rule(1, 'elsewhere')] } }],
    disk,
  );
  for (const [name, text] of Object.entries(values)) gateway.emit(name, text);
  await advance(clock, 3000);
  gateway.kill();
}

describe('last values that were there before their bridge', () => {
  it.each([0, 1, 2] as const)('are sent at the first start, once, by a rule of QoS %i', async (qos) => {
    const disk = new Disk();
    await gatewayWith(disk, { 'x/1': 'one', 'x/2': 'two', y: 'not this' });
    const bridges = [{ broker, settings: { name: 'new', rules: [rule(qos)] } }];
    let gateway = new PlainGateway('a', bridges, disk);
    await advance(clock, 60_000);
    expect(there()).toEqual({ 'x/1': 'one', 'x/2': 'two' });
    expect(taken().sort()).toEqual(['x/1=one', 'x/2=two']);
    gateway.kill();
    gateway = new PlainGateway('a', bridges, disk);
    broker.cut();
    await advance(clock, 60_000);
    expect(taken()).toEqual([]);
    gateway.kill();
  });

  it('are sent again when the rules are others', async () => {
    const disk = new Disk();
    await gatewayWith(disk, { 'x/1': 'one', 'y/1': 'two' });
    for (const [rules, expected] of [
      [[rule()], ['x/1=one']],
      [
        [rule(), rule(1, 'y/#')],
        ['x/1=one', 'y/1=two'],
      ],
    ] as const) {
      const gateway = new PlainGateway('a', [{ broker, settings: { name: 'new', rules } }], disk);
      await advance(clock, 60_000);
      expect(taken().sort()).toEqual(expected);
      gateway.kill();
    }
  });

  it('are sent though the connection is lost meanwhile, and though the process ends', async () => {
    const disk = new Disk();
    const values = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`x/${n}`, 'v']));
    await gatewayWith(disk, values);
    const setup = [{ broker, settings: { name: 'new', rules: [rule()], queue: { messages: 20 } } }];
    const gateway = new PlainGateway('a', setup, disk);
    await advance(clock, 120);
    broker.cut();
    await advance(clock, 700);
    gateway.kill();
    expect(Object.keys(there()).length).toBeLessThan(200);
    new PlainGateway('a', setup, disk);
    await advance(clock, 60_000);
    expect(there()).toEqual(values);
  });

  it.each(['refuse', 'drop_oldest'])('leave half of a small queue to what comes (%s)', async (whenFull) => {
    const disk = new Disk();
    const values = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`x/${n}`, 'v']));
    await gatewayWith(disk, values);
    broker.faults = { ...broker.faults, delay: 20 };
    const queue = { messages: 40, when_full: whenFull };
    const setup = [{ broker, settings: { name: 'new', rules: [rule()], queue } }];
    const gateway = new PlainGateway('a', setup, disk);
    await advance(clock, 1000);
    expect(broker.taken.length).toBeLessThan(200);
    for (let n = 0; n < 15; n++) gateway.emit('x/live', `${n}`, 1, false);
    await advance(clock, 60_000);
    expect(there()).toEqual(values);
    expect(taken().filter((one) => one.startsWith('x/live'))).toHaveLength(15);
    expect(gateway.log.filter((line) => line.includes('full'))).toEqual([]);
  });

  it('do not go back by the bridge by which they came', async () => {
    broker.publish('there/x/1', 'theirs', { retain: true });
    const disk = new Disk();
    const setup = (direction: string) => [
      { broker, settings: { name: 'new', rules: [{ ...rule(), direction }] } },
    ];
    const gateway = new PlainGateway('a', setup('in'), disk);
    gateway.watch('#');
    await advance(clock, 3000);
    expect(gateway.lastValue('x/1')).toBe('theirs');
    gateway.kill();
    taken();
    new PlainGateway('a', setup('both'), disk).emit('x/2', 'ours');
    await advance(clock, 60_000);
    expect(taken()).toEqual(['x/2=ours']);
  });
});

describe('last values of QoS 0', () => {
  it('that one of QoS 1 replaced while the bridge was down are not sent beside that', async () => {
    const gateway = new PlainGateway('a', [{ broker, settings: { rules: [rule()] } }]);
    await advance(clock, 20_000);
    broker.stop();
    await advance(clock, 100);
    gateway.emit('x/1', 'zero', 0);
    gateway.emit('x/1', 'one', 1);
    broker.start();
    await advance(clock, 60_000);
    expect(taken()).toEqual(['x/1=one']);
  });

  it('are not sent once more for each connection that broke before there was room for them', async () => {
    const settings = { rules: [rule()], queue: { messages: 40 } };
    const gateway = new PlainGateway('a', [{ broker, settings }]);
    await advance(clock, 20_000);
    broker.stop();
    await advance(clock, 100);
    gateway.emit('x/1', 'zero', 0);
    for (let n = 0; n < 30; n++) gateway.emit('x/live', `${n}`, 1, false);
    // Acknowledgements do not get here before the connection breaks.
    broker.faults = { ...broker.faults, delay: 5000 };
    broker.start();
    for (let n = 0; n < 5; n++) {
      await advance(clock, 2000);
      broker.cut();
    }
    broker.faults = { ...broker.faults, delay: 1 };
    await advance(clock, 120_000);
    // As what was missed, and as what changed.
    expect(taken().filter((one) => one === 'x/1=zero').length).toBeLessThanOrEqual(2);
    expect(there()).toEqual({ 'x/1': 'zero' });
  });

  it('that changed while the bridge was down are sent as they are in the end', async () => {
    const gateway = new PlainGateway('a', [{ broker, settings: { rules: [rule()] } }]);
    await advance(clock, 1000);
    gateway.emit('x/gone', 'soon', 0);
    gateway.emit('x/set', 'before', 0);
    await advance(clock, 60_000);
    broker.stop();
    await advance(clock, 100);
    taken();
    for (const text of ['1', '2', '3']) gateway.emit('x/set', text, 0);
    gateway.emit('x/gone', '', 0);
    gateway.emit('x/brief', 'for a moment', 0);
    gateway.emit('x/brief', '', 0);
    gateway.emit('x/told', 'lost', 0, false);
    await advance(clock, 10_000);
    broker.start();
    await advance(clock, 60_000);
    expect(there()).toEqual({ 'x/set': '3' });
    expect(new Set(taken())).toEqual(new Set(['x/set=3', 'x/gone=', 'x/brief=']));
    expect(gateway.counters.get('bridges.b0.drop.offline')).toBe(1);
  });

  it('that changed just before the connection broke are sent again: nobody knows whether they arrived', async () => {
    const gateway = new PlainGateway('a', [{ broker, settings: { rules: [rule()] } }]);
    await advance(clock, 60_000);
    gateway.emit('x/1', 'lost', 0);
    broker.cut();
    await advance(clock, 60_000);
    expect(there()).toEqual({ 'x/1': 'lost' });
  });

  it('are sent after a restart, if they changed while the bridge was down', async () => {
    const disk = new Disk();
    const setup = [{ broker, settings: { rules: [rule()] } }];
    const gateway = new PlainGateway('a', setup, disk);
    gateway.emit('x/old', 'told', 0);
    await advance(clock, 60_000);
    broker.stop();
    await advance(clock, 1000);
    gateway.emit('x/new', 'untold', 0);
    await advance(clock, 3000);
    gateway.kill();
    taken();
    broker.start();
    new PlainGateway('a', setup, disk);
    await advance(clock, 60_000);
    expect(taken()).toEqual(['x/new=untold']);
  });

  it('are not lost when there are more than upstream takes at once', async () => {
    const gateway = new PlainGateway('a', [{ broker, settings: { rules: [rule(0)] } }]);
    await advance(clock, 1000);
    for (let n = 0; n < 3000; n += 1) gateway.emit(`x/${n}`, 'v', 0);
    await advance(clock, 10_000);
    expect(Object.keys(there())).toHaveLength(3000);
    expect(gateway.counters.get('bridges.b0.drop.backlog')).toBe(0);
  });
});

it('are the same there as here, whatever breaks', async () => {
  await forSeedsInTurn(30, async (seed) => {
    clock = new VirtualClock();
    broker = new SimulatedBroker(clock, seed, { faults: { delay: 5, jitter: 20, loss: 0.01, notice: 500 } });
    const random = new Random(seed);
    const disk = random.chance(0.5) ? new Disk() : undefined;
    const setup = [{ broker, settings: { rules: [rule(1, 'x/#'), rule(0, 'y/#')] } }];
    let gateway = new PlainGateway('a', setup, disk);
    for (let step = 0; step < 60; step += 1) {
      const name = `${random.chance(0.5) ? 'x' : 'y'}/${random.below(5)}`;
      const qos = random.below(3) as Qos;
      const dice = random.next();
      if (dice < 0.6) gateway.emit(name, `${seed}-${step}`, qos);
      else if (dice < 0.75) gateway.emit(name, '', qos);
      else if (dice < 0.8) broker.cut();
      else if (dice < 0.85) broker.stop();
      else if (dice < 0.95) broker.start();
      else if (disk) {
        // What is cleared at QoS 0 while the bridge is down is not remembered: all is told before.
        broker.start();
        await advance(clock, 120_000);
        gateway.kill();
        gateway = new PlainGateway('a', setup, disk);
      }
      await advance(clock, random.below(3000));
    }
    broker.faults = { ...broker.faults, loss: 0 };
    broker.start();
    await advance(clock, 120_000);
    const here = gateway.router
      .lastValues('#')
      .map(({ name, payload }) => [name, Buffer.from(payload).toString()] as const)
      .sort(([a], [b]) => a.localeCompare(b));
    expect(there()).toEqual(Object.fromEntries(here));
    expect(broker.violations).toEqual([]);
    gateway.kill();
  });
});
