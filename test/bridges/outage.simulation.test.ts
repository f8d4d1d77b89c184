import { describe, expect, test } from 'vitest';
import type { BridgeReport } from '../../src/bridges/report.js';
import { UpstreamError } from '../../src/bridges/upstream.js';
import type { Qos } from '../../src/wire/messages.js';
import { BridgedGateway, type BridgedGatewayOptions, type BridgeSetup } from '../support/bridged-gateway.js';
import { Disk } from '../support/memory-backend.js';
import { forSeedsInTurn } from '../support/seeds.js';
import { type BrokerOptions, SimulatedBroker } from '../support/simulated-broker/broker.js';
import { advance, until } from '../support/turns.js';
import { VirtualClock } from '../support/virtual-clock.js';

const RULES = [
  { pattern: 'up/#', direction: 'out', qos: 2 },
  { pattern: 'down/#', direction: 'in', qos: 2 },
] as const;

interface Setup extends Partial<Omit<BridgeSetup, 'broker'>> {
  readonly seed?: number;
  readonly broker?: BrokerOptions;
  readonly gateway?: Partial<BridgedGatewayOptions>;
}

function scene({ seed = 1, broker: options = {}, gateway: more = {}, ...bridge }: Setup = {}) {
  const clock = new VirtualClock();
  const broker = new SimulatedBroker(clock, seed, options);
  const gateway = new BridgedGateway({
    clock,
    seed,
    disk: new Disk(),
    bridges: [{ broker, rules: RULES, ...bridge }],
    ...more,
  });
  const said = (part: string) => gateway.log.filter(({ msg }) => msg.includes(part)).map(({ msg }) => msg);
  return { clock, broker, gateway, said };
}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `${from + n}`);

describe('an upstream that is down', () => {
  test('leaves everything here as it was, and gets what waited when it is back', async () => {
    const { clock, broker, gateway } = scene();
    broker.stop();
    const [sender, receiver] = [gateway.device('sender'), gateway.device('receiver')];
    receiver.subscribe('#', 2);
    await advance(clock, 1000);
    for (const [n, text] of numbers(30).entries()) sender.emit(`up/${n % 3}`, text, (n % 3) as Qos);
    await advance(clock, 1000);
    // Just as if there were no bridge.
    expect(sender.outcomes).toHaveLength(20);
    expect(sender.outcomes.every((outcome) => outcome.endsWith(' ok'))).toBe(true);
    expect(receiver.received.map(({ text }) => Number(text)).sort((a, b) => a - b)).toEqual(
      numbers(30).map(Number),
    );
    expect(gateway.count('drop.offline')).toBe(10);
    expect(gateway.bridge.report()).toMatchObject({ state: 'down', queue: { messages: 20, in_flight: 0 } });
    await advance(clock, 3_600_000);
    expect(gateway.bridge.report().queue.oldest_s).toBeGreaterThan(3600);
    broker.start();
    await until(clock, () => broker.taken.length === 20, 60_000, 'what waited is there');
    expect(broker.taken.map(({ text }) => text)).toEqual(numbers(30).filter((text) => Number(text) % 3 > 0));
    await advance(clock, 1000);
    expect(gateway.bridge.report()).toMatchObject({
      state: 'up',
      queue: { messages: 0, bytes: 0, oldest_s: 0 },
    });
    expect(gateway.simulation.counters.get('router.refused.queue_full')).toBe(0);
    expect(broker.violations).toEqual([]);
  });

  test('with a queue that is full and `refuse`: what it should carry reliably is refused, nothing else', async () => {
    const { clock, broker, gateway, said } = scene({ queue: { messages: 10, when_full: 'refuse' } });
    broker.stop();
    const [sender, receiver] = [gateway.device('sender'), gateway.device('receiver')];
    receiver.subscribe('#', 1);
    await advance(clock, 1000);
    for (const text of numbers(15)) sender.emit('up/x', text, 1);
    sender.emit('up/x', 'unreliable', 0);
    sender.emit('here', 'local', 2);
    await advance(clock, 1000);
    expect(sender.outcomes.filter((outcome) => outcome.endsWith(' ok'))).toHaveLength(11);
    expect(sender.outcomes.filter((outcome) => outcome.endsWith(' queue_full'))).toHaveLength(5);
    const heard = receiver.received.map(({ text }) => text).sort();
    expect(heard).toEqual([...numbers(10), 'unreliable', 'local'].sort());
    expect(gateway.simulation.counters.get('router.refused.queue_full')).toBe(5);
    expect(gateway.bridge.report()).toMatchObject({ full: true, queue: { messages: 10 } });
    gateway.bridge.publish();
    expect(JSON.parse(gateway.lastValue('$slipway/bridges/up/stats') ?? '')).toMatchObject({ full: true });
    expect(said('is full')).toHaveLength(1);
    broker.start();
    await until(clock, () => broker.taken.length === 10, 60_000, 'what waited is there');
    await advance(clock, 1000);
    expect(gateway.bridge.report()).toMatchObject({ full: false, queue: { messages: 0 } });
    expect(said('has room again')).toHaveLength(1);
    sender.emit('up/x', 'more', 1);
    await advance(clock, 1000);
    expect(sender.outcomes.at(-1)).toBe('more ok');
    expect(broker.taken.map(({ text }) => text)).toEqual([...numbers(10), 'more']);
  });

  test('with a queue that is full and `drop_oldest`: the newest remain, and the others are counted', async () => {
    const { clock, broker, gateway, said } = scene({ queue: { messages: 10, when_full: 'drop_oldest' } });
    broker.stop();
    const sender = gateway.device('sender');
    await advance(clock, 1000);
    for (const text of numbers(35)) sender.emit('up/x', text, 2);
    await advance(clock, 1000);
    expect(sender.outcomes).toEqual(numbers(35).map((text) => `${text} ok`));
    expect(gateway.count('drop.queue_full')).toBe(25);
    expect(said('is full')).toHaveLength(1);
    broker.start();
    await advance(clock, 60_000);
    expect(broker.taken.map(({ text }) => text)).toEqual(numbers(10, 25));
    expect(broker.violations).toEqual([]);
  });

  test('forgets what waited too long or has expired, and counts it', async () => {
    const { clock, broker, gateway } = scene({ queue: { age: '1h' } });
    broker.stop();
    const { router } = gateway.simulation;
    const emit = (text: string, expiresAt?: number) =>
      router.emit('up/x', Buffer.from(text), {
        qos: 1,
        retain: false,
        ...(expiresAt && { extras: { expiresAt } }),
      });
    emit('old');
    await advance(clock, 1_800_000);
    emit('short', clock.now() + 1000);
    emit('long', clock.now() + 100_000_000);
    await advance(clock, 1_900_000);
    broker.start();
    await advance(clock, 60_000);
    expect(broker.taken.map(({ text }) => text)).toEqual(['long']);
    expect(gateway.count('drop.too_old')).toBe(1);
    expect(gateway.count('drop.expired')).toBe(1);
    expect(broker.violations).toEqual([]);
  });

  test('is tried again after pauses that grow, and of which no two gateways have the same', () =>
    forSeedsInTurn(20, async (seed) => {
      const { clock, broker, gateway } = scene({ seed });
      broker.stop();
      await advance(clock, 600_000);
      const { attempts } = gateway.upstream;
      const pauses = attempts.slice(1).map((at, n) => at - (attempts[n] ?? 0));
      for (const [n, pause] of pauses.entries()) {
        const longest = Math.min(500 * 2 ** n, 30_000);
        // An attempt takes up to 100 ms.
        expect(pause).toBeGreaterThanOrEqual(longest / 2);
        expect(pause).toBeLessThanOrEqual(longest + 100);
      }
      expect(new Set(pauses.map(Math.round)).size).toBeGreaterThan(pauses.length - 3);
      broker.start();
      await until(clock, () => gateway.bridge.report().state === 'up', 31_000, 'it is back');
      // What has carried something was good: the next pause is a short one.
      broker.publish('up/x', 'x');
      gateway.device('one').emit('up/x', 'x', 1);
      await advance(clock, 5000);
      const before = attempts.length;
      broker.cut();
      await advance(clock, 700);
      expect(attempts.length).toBeGreaterThan(before);
    }));

  test('is one line of the log when it goes, one for each thing that is wrong, and one when it comes', async () => {
    const { clock, broker, gateway, said } = scene({ broker: { nodes: 3 } });
    await advance(clock, 1000);
    expect(said('connected to')).toHaveLength(1);
    broker.stop();
    await advance(clock, 3_600_000);
    expect(said('broke')).toHaveLength(1);
    expect(said('is down')).toHaveLength(3);
    gateway.upstream.problem = new UpstreamError('login_refused', 'the login is refused: see password_file');
    await advance(clock, 3_600_000);
    expect(said('the login is refused')).toHaveLength(1);
    gateway.upstream.problem = undefined;
    broker.start();
    await advance(clock, 120_000);
    expect(said('connected to')).toHaveLength(2);
    expect(gateway.log).toHaveLength(7);
    // And all that again when it goes again.
    broker.stop();
    await advance(clock, 3_600_000);
    expect(said('broke')).toHaveLength(2);
    expect(said('is down')).toHaveLength(6);
    expect(gateway.log.every(({ msg }) => !msg.includes('\n'))).toBe(true);
  });

  test('is told on its channel, each change once', async () => {
    const { clock, broker, gateway } = scene();
    const device = gateway.device('watcher');
    device.subscribe('$slipway/bridges/+/state', 1);
    await advance(clock, 1000);
    for (let n = 0; n < 3; n++) {
      broker.stop();
      await advance(clock, 5000);
      broker.start();
      await advance(clock, 60_000);
    }
    const states = device.received.map(({ channel, text }) => `${channel.split('/')[2]} ${text}`);
    const changes = ['down', 'up', 'down', 'up', 'down', 'up'].map((state) => `up ${state}`);
    expect(states.slice(-6)).toEqual(changes);
    expect(states.slice(0, -6).length).toBeLessThanOrEqual(2);
    expect(gateway.lastValue('$slipway/bridges/up/state')).toBe('up');
    expect(gateway.bridge.report().reconnects).toBe(3);
  });

  test('is told with its problem as soon as that is another one, and not again while it stays the same', async () => {
    const { clock, broker, gateway } = scene({ broker: { nodes: 3 } });
    const device = gateway.device('watcher');
    device.subscribe('$slipway/bridges/+/stats', 0);
    await advance(clock, 1000);
    const problems = () => device.received.map(({ text }) => (JSON.parse(text) as BridgeReport).problem);
    const { attempts } = gateway.upstream;
    const [told, tried] = [problems().length, attempts.length];
    broker.stop();
    await until(clock, () => problems().at(-1) !== undefined, 10_000, 'it is told that it broke');
    await advance(clock, 600_000);
    // Three servers that are tried in turn are three problems: told once an attempt at most.
    const meanwhile = problems().slice(told);
    expect(new Set(meanwhile).size).toBe(4);
    expect(meanwhile.length).toBeLessThanOrEqual(attempts.length - tried + 1);
    expect(meanwhile.filter((problem, at) => problem === meanwhile[at - 1])).toEqual([]);

    gateway.upstream.problem = new UpstreamError('login_refused', 'the login is refused: see password_file');
    const before = attempts.length;
    await until(clock, () => attempts.length > before, 60_000, 'it is tried again');
    await advance(clock, 1000);
    expect(problems().at(-1)).toBe('the login is refused: see password_file');
    const count = problems().length;
    await advance(clock, 3_600_000);
    expect(problems()).toHaveLength(count);

    gateway.upstream.problem = undefined;
    broker.start();
    await until(clock, () => problems().length > count, 120_000, 'it is told that it is there');
    expect(problems().slice(count)).toEqual([undefined]);
  });
});

describe('an upstream that has forgotten this gateway', () => {
  test('is asked again, and gets what it has not acknowledged', async () => {
    const { clock, broker, gateway } = scene();
    const device = gateway.device('device');
    device.subscribe('down/#', 1);
    await advance(clock, 1000);
    broker.stop();
    broker.forgetSessions();
    for (const text of numbers(5)) device.emit('up/x', text, 2);
    await advance(clock, 10_000);
    broker.start();
    await advance(clock, 30_000);
    broker.publish('down/x', 'later');
    await advance(clock, 1000);
    expect(broker.taken.map(({ text }) => text)).toEqual([...numbers(5), 'later']);
    expect(device.received.map(({ text }) => text)).toEqual(['later']);
  });
});

test('nothing reliable leaves, and nothing is acknowledged upstream, before the store has it', async () => {
  const disk = new Disk();
  const { clock, broker, gateway } = scene({ gateway: { disk } });
  const device = gateway.device('device');
  device.subscribe('down/#', 1);
  await advance(clock, 1000);
  disk.stuck = true;
  for (const text of numbers(5)) {
    device.emit('up/x', text, 1);
    broker.publish('down/x', text);
  }
  device.emit('up/x', 'unreliable', 0);
  await advance(clock, 1000);
  expect(broker.taken.filter(({ from }) => from !== 'outsider').map(({ text }) => text)).toEqual([
    'unreliable',
  ]);
  expect(broker.session('site-up').held).toHaveLength(5);
  expect(device.outcomes).toEqual([]);
  disk.stuck = false;
  await advance(clock, 1000);
  expect(broker.taken.filter(({ from }) => from !== 'outsider')).toHaveLength(6);
  expect(broker.session('site-up').held).toEqual([]);
  expect(device.received.map(({ text }) => text)).toEqual(numbers(5));
});

describe('an upstream that does not want something', () => {
  test('that is dropped, counted and said, and the others go on', async () => {
    const { clock, broker, gateway, said } = scene();
    broker.refusal = ({ name }) =>
      name.endsWith('no') ? { reason: 'forbidden', why: `${name}: not allowed` } : undefined;
    const sender = gateway.device('sender');
    await advance(clock, 1000);
    for (const text of numbers(10)) sender.emit(Number(text) % 2 > 0 ? 'up/no' : 'up/yes', text, 1);
    sender.emit('up/no', 'unreliable', 0);
    await advance(clock, 5000);
    expect(broker.taken.map(({ text }) => text)).toEqual(['0', '2', '4', '6', '8']);
    expect(gateway.count('drop.forbidden')).toBe(6);
    expect(said('not allowed')).toHaveLength(1);
    expect(gateway.bridge.report().queue.messages).toBe(0);
  });

  test('lets nothing in of what it does not let this gateway hear, and says so', async () => {
    const { clock, broker, gateway, said } = scene();
    broker.interestRefusal = (pattern) => (pattern === 'down/no' ? 'no right to it' : undefined);
    const device = gateway.device('device');
    for (const pattern of ['down/no', 'down/yes']) device.subscribe(pattern, 1);
    await advance(clock, 1000);
    for (const name of ['down/no', 'down/yes']) broker.publish(name, 'x');
    await advance(clock, 1000);
    expect(device.received.map(({ channel }) => channel)).toEqual(['down/yes']);
    expect(said('no right to it')).toHaveLength(1);
  });
});

describe('what comes in and finds no room', () => {
  /** A device that is away, with room for 5 messages, and 20 that come for it. */
  async function waiting(seed: number, expiryMs?: number) {
    const limits = { hub: { queue: { messages: 5, bytes: 1_000_000 } } };
    const { clock, broker, gateway, said } = scene({ seed, gateway: { limits } });
    const absent = gateway.device('absent');
    absent.subscribe('down/#', 1);
    await advance(clock, 1000);
    gateway.disconnect(absent);
    await advance(clock, 100);
    const expiresAt = expiryMs === undefined ? undefined : clock.now() + expiryMs;
    const qos = seed % 2 === 0 ? 1 : 2;
    for (const text of numbers(20)) broker.publish('down/x', text, { qos, expiresAt });
    await advance(clock, 1000);
    return { clock, broker, gateway, said, absent };
  }

  test('waits upstream, is said once, and comes when there is room, in order; what is unreliable passes', () =>
    forSeedsInTurn(10, async (seed) => {
      const { clock, broker, gateway, said, absent } = await waiting(seed);
      const other = gateway.device('other');
      other.subscribe('down/y', 0);
      await advance(clock, 1000);
      expect(gateway.bridge.report().waits_for).toBe('queue_full');
      for (const text of numbers(600)) {
        broker.publish('down/y', text, { qos: 0 });
        await advance(clock, 100);
      }
      expect(gateway.bridge.report().waits_for).toBe('queue_full');
      expect(other.received.map(({ text }) => text)).toEqual(numbers(600));
      expect(said('waits')).toHaveLength(1);
      expect(broker.session('site-up').held.length).toBeGreaterThanOrEqual(15);
      gateway.connect(absent);
      await advance(clock, 20_000);
      const inOrder = absent.received.filter(({ channel }) => channel === 'down/x').map(({ text }) => text);
      expect(inOrder).toEqual(numbers(20));
      expect(gateway.bridge.report().waits_for).toBeUndefined();
      expect(broker.session('site-up').held).toEqual([]);
      expect(broker.violations).toEqual([]);
    }));

  test('comes once, also when the connection is lost or the gateway killed while it waits', () =>
    forSeedsInTurn(20, async (seed) => {
      const { clock, broker, gateway, absent } = await waiting(seed);
      const { random } = broker;
      for (let n = 0; n < 5; n++) {
        if (random.chance(0.5)) broker.cut();
        else gateway.restart();
        await advance(clock, random.below(2000));
      }
      gateway.connect(absent);
      await until(clock, () => broker.session('site-up').held.length === 0, 60_000, 'all is taken');
      await advance(clock, 20_000);
      expect(absent.received.map(({ text }) => text)).toEqual(numbers(20));
      expect(broker.violations).toEqual([]);
    }));

  test('and expires meanwhile is counted, and not delivered any more', async () => {
    const { clock, broker, gateway, absent } = await waiting(1, 5000);
    await advance(clock, 20_000);
    expect(gateway.count('drop.expired')).toBe(1);
    expect(gateway.bridge.report().waits_for).toBeUndefined();
    expect(broker.session('site-up').held).toEqual([]);
    gateway.connect(absent);
    await advance(clock, 20_000);
    expect(absent.received).toEqual([]);
  });

  test('as a last value is passed on all the same', async () => {
    const limits = { router: { maxLastValues: 5 } };
    const { clock, broker, gateway } = scene({ gateway: { limits } });
    const device = gateway.device('device');
    device.subscribe('down/#', 1);
    await advance(clock, 1000);
    for (const text of numbers(5)) broker.publish(`down/${text}`, text, { retain: true });
    await advance(clock, 1000);
    expect(device.received.map(({ text }) => text)).toEqual(numbers(5));
    // Some of the gateway's own are there, too.
    const kept = numbers(5).filter((text) => gateway.lastValue(`down/${text}`) !== undefined);
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length).toBeLessThan(5);
    expect(gateway.count('drop.last_value')).toBe(5 - kept.length);
  });
});

test('what is still taken while the gateway stops goes upstream when it is back', async () => {
  const { clock, broker, gateway } = scene();
  const device = gateway.device('device');
  await advance(clock, 1000);
  void gateway.bridge.stop();
  await advance(clock, 100);
  device.emit('up/x', 'late', 1);
  await advance(clock, 1000);
  expect(device.outcomes).toEqual(['late ok']);
  gateway.restart();
  await advance(clock, 10_000);
  expect(broker.taken.map(({ text }) => text)).toEqual(['late']);
});

test('a bridge that is stopped at any moment says no more, and asks no more', () =>
  forSeedsInTurn(50, async (seed) => {
    const faults = { delay: 5, jitter: 50, ackDelay: 100, loss: 0.02, notice: 100 };
    const { clock, broker, gateway } = scene({ seed, broker: { faults } });
    const { random } = broker;
    const device = gateway.device('device');
    device.subscribe('down/#', 1);
    for (const text of numbers(20)) {
      device.emit('up/x', text, 1);
      broker.publish('down/x', text);
      await advance(clock, random.below(40));
    }
    if (random.chance(0.3)) broker.stop();
    await advance(clock, random.below(600));
    let stopped = false;
    void gateway.bridge.stop().then(() => {
      stopped = true;
    });
    await until(clock, () => stopped, 1000, 'it is stopped');
    const { length } = gateway.upstream.attempts;
    const { length: lines } = gateway.log;
    broker.start();
    for (const text of numbers(20)) broker.publish('down/x', text);
    await advance(clock, 600_000);
    expect(gateway.upstream.attempts).toHaveLength(length);
    expect(gateway.log).toHaveLength(lines);
    expect(gateway.upstream.connection?.isOpen ?? false).toBe(false);
    expect(gateway.lastValue('$slipway/bridges/up/state')).toBe('down');
    expect(broker.violations).toEqual([]);
  }));
