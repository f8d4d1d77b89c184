import { describe, expect, test } from 'vitest';
import {
  type IncomingMessage,
  type QueuedMessage,
  type UpstreamConnection,
  UpstreamError,
  type UpstreamEvents,
  type UpstreamRecords,
} from '../../src/bridges/upstream.js';
import type { Qos } from '../../src/wire/messages.js';
import { forSeedsInTurn } from '../support/seeds.js';
import { type BrokerOptions, SimulatedBroker } from '../support/simulated-broker/broker.js';
import type { BrokerNode } from '../support/simulated-broker/session.js';
import { SimulatedUpstream } from '../support/simulated-broker/upstream.js';
import { advance, until } from '../support/turns.js';
import { VirtualClock } from '../support/virtual-clock.js';

/** Records that are safe as soon as they are put. */
class SafeRecords extends Map<string, Uint8Array> implements UpstreamRecords {
  override delete(key: string): boolean {
    return super.delete(key);
  }
  put(key: string, value: Uint8Array): void {
    this.set(key, value);
  }
  settled(task: () => void): void {
    task();
  }
}

/** The simplest bridge: it connects again at once, publishes what is not settled, and notes what comes. */
class PlainClient implements UpstreamEvents {
  readonly upstream: SimulatedUpstream;
  readonly received: string[] = [];
  readonly messages: IncomingMessage[] = [];
  readonly refusals: string[] = [];
  readonly losses: UpstreamError[] = [];
  readonly queue: QueuedMessage[] = [];
  connection: UpstreamConnection | undefined;
  /** Takes nothing while it is set: what is to be called when it takes again. */
  waiting: (() => void) | undefined;
  busy = false;
  #published = 0;
  #records = 0;
  readonly #name: string;

  constructor(broker: SimulatedBroker, name: string, records: UpstreamRecords = new SafeRecords()) {
    this.#name = name;
    this.upstream = new SimulatedUpstream({ broker, client: name, gateway: name, instance: name, records });
  }

  async connect(): Promise<void> {
    this.connection = await this.upstream.connect(this, new AbortController().signal);
    this.#published = 0;
    this.publish();
  }

  emit(name: string, text: string, qos: 1 | 2 = 1, retain = false): void {
    const payload = Buffer.from(text);
    const more = { via: [this.#name], properties: undefined, expiresAt: undefined, at: 0 };
    this.queue.push({ name, payload, qos, retain, record: ++this.#records, ...more });
    this.publish();
  }

  publish(): void {
    const { connection } = this;
    if (!connection) return;
    while (this.#published < this.queue.length && this.#published < connection.window)
      connection.publish(this.queue[this.#published++] as QueuedMessage);
  }

  lost(problem: UpstreamError): void {
    this.losses.push(problem);
    this.connection = undefined;
    this.waiting = undefined;
    this.#connectAgain();
  }

  #connectAgain(): void {
    this.connect().catch(() => this.upstream.options.broker.clock.schedule(50, () => this.#connectAgain()));
  }

  settled(record: number): void {
    this.#drop(record);
  }

  refused(record: number, reason: string, why: string): void {
    this.refusals.push(`${record} ${reason}: ${why}`);
    this.#drop(record);
  }

  sendRefused(name: string, reason: string, why: string): void {
    this.refusals.push(`${name} ${reason}: ${why}`);
  }

  interestRefused(pattern: string, why: string): void {
    this.refusals.push(`${pattern}: ${why}`);
  }

  incoming(message: IncomingMessage, next: () => void): void {
    const take = () => {
      this.messages.push(message);
      const { name, payload, qos, stored } = message;
      this.received.push(`${name}=${Buffer.from(payload).toString()}@${qos}${stored ? '!' : ''}`);
      next();
    };
    if (this.busy && message.qos > 0) this.waiting = take;
    else take();
  }

  #drop(record: number): void {
    const index = this.queue.findIndex((one) => one.record === record);
    if (index < 0) return;
    this.queue.splice(index, 1);
    this.#published--;
    this.publish();
  }
}

interface Scene {
  clock: VirtualClock;
  broker: SimulatedBroker;
  client: (name: string, records?: UpstreamRecords) => Promise<PlainClient>;
}

function scene(seed = 1, options: BrokerOptions = {}): Scene {
  const clock = new VirtualClock();
  const broker = new SimulatedBroker(clock, seed, options);
  const client = async (name: string, records?: UpstreamRecords) => {
    const one = new PlainClient(broker, name, records);
    void one.connect();
    await until(clock, () => one.connection !== undefined, 1000, 'it connects');
    return one;
  };
  return { clock, broker, client };
}

const asking = (...patterns: string[]) => patterns.map((pattern) => ({ pattern, qos: 2 as Qos }));

describe('the simulated broker', () => {
  test('passes messages on to whom they interest, not to the one that they come from', async () => {
    const { clock, broker, client } = scene();
    const [a, b] = [await client('a'), await client('b')];
    a.connection?.setInterests(asking('x/#'));
    b.connection?.setInterests([{ pattern: 'x/+', qos: 1 }, ...asking('y')]);
    await advance(clock, 10);
    a.emit('x/1', 'one', 2);
    a.emit('y', 'two');
    b.emit('x', 'three');
    broker.publish('x/2/z', 'four', { qos: 0 });
    await advance(clock, 10);
    expect(a.received).toEqual(['x/2/z=four@0', 'x=three@1']);
    expect(b.received).toEqual(['x/1=one@1', 'y=two@1']);
    expect(a.queue).toEqual([]);
    expect(broker.interestsOf('b')).toEqual({ 'x/+': 1, y: 2 });
    expect(broker.violations).toEqual([]);
  });

  test('lets a client hear itself when it is told to', async () => {
    const { clock, client } = scene(1, { echo: true });
    const a = await client('a');
    a.connection?.setInterests(asking('x'));
    await advance(clock, 10);
    a.emit('x', 'one');
    await advance(clock, 10);
    expect(a.received).toEqual(['x=one@1']);
  });

  test('gives last values to a new interest, and not again to one that stays', async () => {
    const { clock, broker, client } = scene();
    broker.publish('x/1', 'old', { retain: true });
    broker.publish('x/1', 'new', { retain: true, qos: 2 });
    broker.publish('x/2', 'gone', { retain: true });
    broker.publish('x/2', '', { retain: true });
    broker.publish('y', 'zero', { retain: true, qos: 0 });
    const a = await client('a');
    a.connection?.setInterests(asking('x/#'));
    await advance(clock, 10);
    a.connection?.setInterests(asking('x/#', 'y'));
    await advance(clock, 10);
    expect(a.received).toEqual(['x/1=new@2!', 'y=zero@0!']);
    expect(a.messages.every(({ retain }) => retain)).toBe(true);
  });

  test('holds QoS 1 and 2 for a client that is away, not QoS 0, nor what has expired', async () => {
    const { clock, broker, client } = scene();
    const a = await client('a');
    a.connection?.setInterests(asking('x'));
    await advance(clock, 10);
    broker.stop();
    await advance(clock, 100);
    expect(a.losses).toHaveLength(1);
    broker.publish('x', 'zero', { qos: 0 });
    broker.publish('x', 'one');
    broker.publish('x', 'two', { expiresAt: clock.now() + 50 });
    broker.publish('x', 'three', { expiresAt: clock.now() + 5000 });
    await advance(clock, 100);
    broker.start();
    await advance(clock, 200);
    expect(a.received).toEqual(['x=one@1', 'x=three@1']);
    expect(a.messages[1]?.expiryMs).toBeLessThan(4900);
  });

  test('gives one message of QoS 1 or 2 at a time, and those of QoS 0 meanwhile', async () => {
    const { clock, broker, client } = scene();
    const a = await client('a');
    a.connection?.setInterests(asking('x'));
    await advance(clock, 10);
    a.busy = true;
    for (let n = 1; n <= 30; n++) broker.publish('x', `${n}`);
    broker.publish('x', 'zero', { qos: 0 });
    await advance(clock, 1000);
    expect(a.received).toEqual(['x=zero@0']);
    a.busy = false;
    a.waiting?.();
    await advance(clock, 1000);
    expect(a.received).toHaveLength(31);
    expect(broker.session('a').held).toEqual([]);
    expect(broker.violations).toEqual([]);
  });

  test('refuses what it is told to refuse', async () => {
    const { clock, broker, client } = scene();
    broker.refusal = ({ name }) => (name === 'no' ? { reason: 'forbidden', why: 'as told' } : undefined);
    broker.interestRefusal = (pattern) => (pattern === 'no' ? 'as told' : undefined);
    const a = await client('a');
    a.connection?.setInterests(asking('no', 'yes'));
    a.emit('no', 'one');
    const payload = Buffer.from('two');
    const more = { retain: false, properties: undefined, via: ['a'], expiresAt: undefined };
    expect(a.connection?.send({ name: 'no', payload, qos: 0, ...more })).toBe(true);
    await advance(clock, 10);
    expect(a.refusals.sort()).toEqual(['1 forbidden: as told', 'no forbidden: as told', 'no: as told']);
    expect(broker.interestsOf('a')).toEqual({ yes: 2 });
    expect(broker.taken).toEqual([]);
  });

  test('lets nobody in when it is down, refuses, or the wish is withdrawn', async () => {
    const { clock, broker } = scene();
    const a = new PlainClient(broker, 'a');
    const why = async (signal = new AbortController().signal) => {
      const outcome = a.upstream.connect(a, signal).then(
        () => 'connected',
        (error: UpstreamError) => error.code,
      );
      await advance(clock, 100);
      return outcome;
    };
    broker.stop();
    expect(await why()).toBe('unreachable');
    broker.start();
    a.upstream.problem = new UpstreamError('login_refused', 'no');
    expect(await why()).toBe('login_refused');
    a.upstream.problem = undefined;
    expect(await why(AbortSignal.abort())).toBe('unreachable');
    expect(await why()).toBe('connected');
    expect(a.upstream.attempts).toHaveLength(4);
  });

  test('in a cluster: a node that is cut off takes nothing but QoS 0 until it is joined', async () => {
    const { clock, broker, client } = scene(5, { nodes: 2 });
    const [a, b] = [await client('a'), await client('b')];
    const [left, right] = broker.nodes;
    if (!left || !right) throw new Error('two nodes');
    const move = async (client: PlainClient, node: BrokerNode) => {
      while (client.connection === undefined || client.upstream.connection?.node !== node) {
        broker.cut(client.upstream.options.client);
        await advance(clock, 200);
      }
    };
    await move(a, left);
    await move(b, right);
    b.connection?.setInterests(asking('x'));
    await advance(clock, 10);
    broker.isolate(left);
    a.emit('x', 'one');
    await advance(clock, 1000);
    expect(a.queue).toHaveLength(1);
    expect(b.received).toEqual([]);
    // Goes by the other node, and is known when the first one brings it.
    await move(a, right);
    a.emit('x', 'two');
    await advance(clock, 1000);
    broker.heal(left);
    await advance(clock, 1000);
    expect(b.received).toEqual(['x=one@1', 'x=two@1']);
    expect(a.queue).toEqual([]);
    expect(broker.violations).toEqual([]);
  });

  test('tells what a bridge does that the seam does not allow', async () => {
    const { clock, broker, client } = scene(1, { window: 1 });
    const a = await client('a');
    const { connection } = a;
    const payload = Buffer.from('x');
    const message = { name: 'x', payload, qos: 1 as const, retain: false, properties: undefined, at: 0 };
    const publish = (record: number, more: Partial<QueuedMessage> = {}) =>
      connection?.publish({ ...message, via: ['a'], expiresAt: undefined, record, ...more });
    const found = () => broker.violations.splice(0).map((line) => line.replace(/^a at \S+ ms: /, ''));

    connection?.setInterests(asking('x/#', '+/y', 'z'));
    expect(found()).toEqual(['the interests x/# and +/y overlap']);
    publish(2, { via: ['b'] });
    expect(found()).toEqual(['x: it went via b']);
    publish(1);
    expect(found()).toEqual([
      'record 1 was published after 2',
      'record 1 was published beyond the window of 1',
    ]);
    await advance(clock, 10);
    publish(2);
    expect(found()).toEqual([
      'record 2 was published after 2',
      'record 2 was published again after it was settled',
      'record 2 was another message before',
    ]);
    await advance(clock, 10);
    publish(3, { name: '$x', expiresAt: clock.now() });
    expect(found()).toEqual(['$x: what begins with $ is not for bridges', '$x: it has expired']);
    await Promise.all([a.upstream.connection?.close(), advance(clock, 10)]);
    a.upstream.connection?.send({ ...message, via: ['a'], expiresAt: undefined });
    expect(found()).toEqual(['x was sent when the connection was over']);
    for (let n = 0; n < 2; n++) void a.upstream.connect(a, new AbortController().signal);
    expect(found()).toEqual(['connects a second time']);
  });

  test('tells when a message is taken twice, or of a connection that is over', async () => {
    const { clock, broker } = scene();
    const nexts: (() => void)[] = [];
    class Twice extends PlainClient {
      override incoming(message: IncomingMessage, next: () => void): void {
        if (message.qos > 0) nexts.push(next);
      }
    }
    const a = new Twice(broker, 'a');
    void a.connect();
    await advance(clock, 200);
    a.connection?.setInterests(asking('x'));
    await advance(clock, 10);
    for (const qos of [1, 2, 0] as Qos[]) broker.publish('x', 'one', { qos });
    await advance(clock, 10);
    nexts[0]?.();
    nexts[0]?.();
    broker.cut();
    await advance(clock, 10);
    nexts[1]?.();
    expect(broker.violations.map((line) => line.replace(/^a at \S+ ms: /, ''))).toEqual([
      'next was not called at once at QoS 0',
      'next was called twice',
      'next was called when the connection was over',
    ]);
  });

  test.each([
    ['QoS 1 without duplicates', true],
    ['QoS 1 with duplicates', false],
  ])('loses and repeats nothing that it promises, whatever breaks (%s)', async (_what, exactlyOnce) => {
    let duplicates = 0;
    await forSeedsInTurn(30, async (seed) => {
      const faults = { delay: 5, jitter: 20, ackDelay: 30, loss: 0.02, notice: 200 };
      const { clock, broker, client } = scene(seed, { faults, exactlyOnce, nodes: 3 });
      const { random } = broker;
      const [a, b] = [await client('a'), await client('b')];
      while (!('x/#' in broker.interestsOf('b'))) {
        b.connection?.setInterests(asking('x/#'));
        await advance(clock, 100);
      }
      const sent = Array.from({ length: 100 }, (_, n) => ({
        text: `${n}`,
        qos: (1 + random.below(2)) as 1 | 2,
      }));
      for (const { text, qos } of sent) {
        a.emit(`x/${random.below(3)}`, text, qos);
        if (random.chance(0.5)) await advance(clock, random.below(30));
        const node = broker.nodes[random.below(3)];
        if (node && random.chance(0.02)) broker.isolate(node);
        else if (random.chance(0.1)) for (const one of broker.nodes) broker.heal(one);
      }
      for (const one of broker.nodes) broker.heal(one);
      await until(clock, () => a.queue.length === 0, 60_000, 'all is settled');
      await until(clock, () => broker.session('b').held.length === 0, 60_000, 'all is delivered');
      expect(broker.violations).toEqual([]);
      const got = b.messages.map(({ payload, qos }) => ({ text: Buffer.from(payload).toString(), qos }));
      expect(got.filter(({ text }, n) => got.findIndex((one) => one.text === text) === n)).toEqual(sent);
      const twice = got.filter(({ qos }) => qos === 2);
      expect(twice).toEqual(sent.filter(({ qos }) => qos === 2));
      duplicates += got.length - sent.length;
    });
    if (exactlyOnce) expect(duplicates).toBe(0);
    else expect(duplicates).toBeGreaterThan(0);
  });
});
