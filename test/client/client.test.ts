import { describe, expect, it, onTestFinished } from 'vitest';
import type { Client } from '../../src/client/client.js';
import type { ReceivedMessage, Subscription } from '../../src/client/subscription.js';
import { systemClock } from '../../src/clock.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { SkippingClock } from '../support/skipping-clock.js';

function textOf({ channel, text, qos, retained }: ReceivedMessage): string {
  return `${channel} ${text} ${qos}${retained ? ' retained' : ''}`;
}

/** Subscribes with a handler and returns what it notes. */
async function listen(client: Client, pattern: string, options = {}): Promise<string[]> {
  const got: string[] = [];
  await client.subscribe(pattern, (message) => void got.push(textOf(message)), options);
  return got;
}

/** Waits until the gateway has passed on everything that was emitted before. */
async function settled(emitter: Client, hearer: Client): Promise<void> {
  let heard = false;
  const mark = await hearer.subscribe('settled', () => {
    heard = true;
  });
  await emitter.emit('settled', '');
  await until(() => expect(heard).toBe(true));
  mark.unsubscribe();
}

/** Keeps what would end the process, until the test ends. */
function catchUncaught(): unknown[] {
  const uncaught: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => uncaught.push(error));
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of others) process.on('uncaughtException', listener);
  });
  return uncaught;
}

async function two(): Promise<[Client, Client]> {
  const { tcp } = await startGateway();
  return [await connectTo(tcp), await connectTo(tcp)];
}

describe('a client', () => {
  it.each([0, 1, 2] as const)(
    'emits at QoS %i to a handler, with payloads of text and of bytes',
    async (qos) => {
      const [a, b] = await two();
      const got = await listen(a, 'room/+');
      await b.emit('room/1', 'text', { qos });
      await b.emit('room/2', Uint8Array.of(0x41, 0x42), { qos });
      await b.emit('room/3', '', { qos });
      await until(() => expect(got).toEqual([`room/1 text ${qos}`, `room/2 AB ${qos}`, `room/3  ${qos}`]));
    },
  );

  it('emits at QoS 1 and is heard at QoS 2 unless told otherwise; a subscription lowers it', async () => {
    const [a, b] = await two();
    const usual = await listen(a, 'usual');
    const low = await listen(a, 'low', { qos: 0 });
    await b.emit('usual', 'x');
    await b.emit('low', 'y', { qos: 2 });
    await until(() => expect([usual, low]).toEqual([['usual x 1'], ['low y 0']]));
  });

  it('keeps the order of what it emits', async () => {
    const [a, b] = await two();
    const got: number[] = [];
    await a.subscribe('count', ({ text }) => void got.push(Number(text)));
    await Promise.all(
      Array.from({ length: 3000 }, (_, n) => b.emit('count', String(n), { qos: n % 2 ? 1 : 2 })),
    );
    await until(() => expect(got).toHaveLength(3000));
    expect(got).toEqual(Array.from({ length: 3000 }, (_, n) => n));
  });

  it.each([0, 1] as const)('copies a payload at QoS %i: its bytes may be used again at once', async (qos) => {
    const [a, b] = await two();
    const got = await listen(a, 'x');
    const bytes = Buffer.from('first');
    const sent = b.emit('x', bytes, { qos });
    bytes.write('other');
    await sent;
    await until(() => expect(got).toEqual([`x first ${qos}`]));
  });

  it('hands messages to an iterator, also those that came before anyone took them', async () => {
    const [a, b] = await two();
    const subscription = await a.subscribe('n');
    for (const n of ['1', '2', '3']) await b.emit('n', n);
    const got: string[] = [];
    for await (const { text } of subscription) {
      got.push(text);
      if (got.length === 3) await b.emit('n', '4');
      if (text === '4') break;
    }
    expect(got).toEqual(['1', '2', '3', '4']);
    // Leaving the loop ended the subscription.
    await b.emit('n', '5');
    await settled(b, a);
    expect(await subscription[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
  });

  it('bounds what waits for an iterator, and tells what is lost', async () => {
    const [a, b] = await two();
    const overflows: Subscription[] = [];
    a.on('overflow', (lost) => void overflows.push(lost));
    const subscription = await a.subscribe('n');
    for (let n = 0; n < 10_003; n += 1) {
      if (n % 1000 === 0) await settled(b, a);
      void b.emit('n', String(n));
    }
    await settled(b, a);
    expect(subscription.dropped).toBe(3);
    expect(overflows).toEqual([subscription, subscription, subscription]);
    const iterator = subscription[Symbol.asyncIterator]();
    for (let n = 0; n < 10_000; n++) expect((await iterator.next()).value?.text).toBe(String(n));
  });

  it('finishes iterators when it is closed', async () => {
    const { tcp } = await startGateway();
    const client = await connectTo(tcp);
    const subscription = await client.subscribe('x');
    const ended = (async () => {
      for await (const message of subscription) expect.unreachable(textOf(message));
    })();
    await client.close();
    await ended;
  });

  it('hears no more of a pattern after unsubscribing', async () => {
    const [a, b] = await two();
    const [first, second, other] = [await listen(a, 'x'), await listen(a, 'x'), await listen(a, '+')];
    await b.emit('x', '1');
    await until(() => expect([first, second, other]).toEqual([['x 1 1'], ['x 1 1'], ['x 1 1']]));
    a.unsubscribe('x');
    await b.emit('x', '2');
    await until(() => expect(other).toHaveLength(2));
    expect([first, second]).toEqual([['x 1 1'], ['x 1 1']]);
  });

  it('tells the gateway to stop only when the last subscription to a pattern ends', async () => {
    const { gateway, tcp } = await startGateway();
    const client = await connectTo(tcp);
    const kept = await client.subscribe('x', () => {});
    const ended = await client.subscribe('x', () => {});
    expect(gateway.statistics().router.subscriptions).toBe(1);
    ended.unsubscribe();
    await client.emit('y', '');
    expect(gateway.statistics().router.subscriptions).toBe(1);
    kept.unsubscribe();
    kept.unsubscribe();
    await until(() => expect(gateway.statistics().router.subscriptions).toBe(0));
  });

  it('gets a message once though several patterns match, at the highest QoS', async () => {
    const { tcp, count } = await startGateway();
    const [a, b] = [await connectTo(tcp), await connectTo(tcp)];
    const [all, one] = [await listen(a, 'a/#', { qos: 0 }), await listen(a, 'a/b', { qos: 2 })];
    const before = count('router.delivered');
    await b.emit('a/b', 'x', { qos: 2 });
    await until(() => expect([all, one]).toEqual([['a/b x 2'], ['a/b x 2']]));
    expect(count('router.delivered') - before).toBe(1);
  });

  it('shares a subscription with others: each message comes to one of them', async () => {
    const { tcp } = await startGateway();
    const workers = [await connectTo(tcp), await connectTo(tcp)] as const;
    const got = await Promise.all(workers.map((worker) => listen(worker, '$share/work/jobs/#')));
    const boss = await connectTo(tcp);
    for (const job of ['1', '2', '3']) await boss.emit('jobs/x', job);
    await until(() => expect(got).toEqual([['jobs/x 1 1', 'jobs/x 3 1'], ['jobs/x 2 1']]));
    workers[0].unsubscribe('$share/work/jobs/#');
    await workers[0].emit('elsewhere', '');
    await boss.emit('jobs/x', '4');
    await until(() => expect(got[1]).toEqual(['jobs/x 2 1', 'jobs/x 4 1']));
  });

  it('hears itself unless every subscription that matches says no local', async () => {
    const { tcp } = await startGateway();
    const client = await connectTo(tcp);
    const own = await listen(client, 'own');
    const deaf = await listen(client, 'deaf', { noLocal: true });
    await client.emit('own', '1');
    await client.emit('deaf', '1');
    await settled(client, client);
    expect([own, deaf]).toEqual([['own 1 1'], []]);
    const also = await listen(client, '+');
    await client.emit('deaf', '2');
    await until(() => expect(also).toEqual(['deaf 2 1']));
  });

  it('is sent last values when it subscribes, unless it wants none; an empty payload clears one', async () => {
    const [a, b] = await two();
    await b.emit('state/1', 'old', { retain: true });
    await b.emit('state/1', 'on', { retain: true });
    await b.emit('state/2', 'off', { retain: true, qos: 0 });
    await b.emit('state/3', 'gone', { retain: true });
    await b.emit('state/3', '', { retain: true });
    const got = await listen(a, 'state/+');
    const none = await listen(b, 'state/+', { noLastValue: true });
    await b.emit('state/1', 'live', { retain: true });
    await until(() => expect(got).toHaveLength(3));
    expect(got.toSorted()).toEqual(['state/1 live 1', 'state/1 on 1 retained', 'state/2 off 0 retained']);
    await until(() => expect(none).toEqual(['state/1 live 1']));
  });

  it('broadcasts to everyone else, subscribed or not to anything', async () => {
    const { tcp } = await startGateway();
    const clients = [await connectTo(tcp), await connectTo(tcp), await connectTo(tcp)] as const;
    const heard = await Promise.all(clients.map((client) => listen(client, '$slipway/broadcast')));
    await clients[0].broadcast('all', { qos: 2 });
    await until(() =>
      expect(heard.slice(1)).toEqual([['$slipway/broadcast all 2'], ['$slipway/broadcast all 2']]),
    );
    await settled(clients[1], clients[0]);
    expect(heard[0]).toEqual([]);
  });

  it('serves two clients of one pattern, and a client under each of two identities at once', async () => {
    const { tcp } = await startGateway();
    const [a, b] = [await connectTo(tcp, { identity: 'a' }), await connectTo(tcp, { identity: 'b' })];
    const heard = [await listen(a, 'x/#'), await listen(b, 'x/#')];
    await b.emit('x/y', '1');
    await until(() => expect(heard).toEqual([['x/y 1 1'], ['x/y 1 1']]));
  });
});

describe('a mistake of the program', () => {
  it('with the QoS is told at once', async () => {
    const [a] = await two();
    for (const qos of [3, -1, 1.5, '1'] as never[]) {
      const mistake = { code: 'invalid_option', message: expect.stringContaining('qos is ') };
      await expect(a.emit('x', '', { qos })).rejects.toMatchObject(mistake);
      await expect(a.broadcast('', { qos })).rejects.toMatchObject(mistake);
      await expect(a.subscribe('x', () => {}, { qos })).rejects.toMatchObject(mistake);
    }
    await a.emit('x', 'still fine');
  });

  it('with the name of an option is told at once', async () => {
    const [a] = await two();
    const mistake = {
      code: 'invalid_option',
      message:
        'subscribe has no option noLocals (did you mean "noLocal"?): it takes qos, noLocal, noLastValue',
    };
    await expect(a.subscribe('x', () => {}, { noLocals: true } as never)).rejects.toMatchObject(mistake);
  });

  it('in a handler is an uncaught exception, and costs nobody a message', async () => {
    const [a, b] = await two();
    const uncaught = catchUncaught();
    const mistake = new Error('a mistake');
    await a.subscribe('x', () => {
      throw mistake;
    });
    const got = await listen(a, 'x');
    await Promise.all(['1', '2', '3'].map((text) => b.emit('x', text)));
    await until(() => expect(got).toEqual(['x 1 1', 'x 2 1', 'x 3 1']));
    expect(uncaught).toEqual([mistake, mistake, mistake]);
  });

  it('in the listener of an event is one too, and costs nobody a message', async () => {
    const [a, b] = await two();
    const uncaught = catchUncaught();
    const mistake = new Error('a mistake');
    a.on('refused', () => {
      throw mistake;
    });
    const got = await listen(a, 'x');
    await a.emit('$not/mine', '', { qos: 0 });
    await a.emit('x', '1', { qos: 0 });
    await until(() => expect(got).toEqual(['x 1 0']));
    await b.emit('x', '2');
    await until(() => expect(got).toEqual(['x 1 0', 'x 2 1']));
    expect(uncaught).toEqual([mistake]);
  });
});

describe('a program that starts again under its identity', () => {
  async function restart(patterns: string[], emits: string[]): Promise<[Client, Client]> {
    const { tcp } = await startGateway();
    const before = await connectTo(tcp, { identity: 'logger' });
    for (const pattern of patterns) await before.subscribe(pattern);
    await before.close();
    const emitter = await connectTo(tcp);
    for (const channel of emits) await emitter.emit(channel, 'held');
    const after = await connectTo(tcp, { identity: 'logger' });
    // Its messages come at once, before anything could subscribe to them, and before this acknowledgement.
    await after.emit('barrier', '');
    return [after, emitter];
  }

  it('is told what was held for it when it subscribes again, in order, once, and before what is new', async () => {
    const [after, emitter] = await restart(['a/#', 'b'], ['a/1', 'b', 'a/2']);
    await emitter.broadcast('nobody subscribed to this');
    const got: string[] = [];
    const both = await Promise.all([
      after.subscribe('a/#', (message) => void got.push(textOf(message))),
      after.subscribe('a/+', (message) => void got.push(`too: ${textOf(message)}`)),
    ]);
    await emitter.emit('a/3', 'new');
    const held = ['a/1 held 1', 'too: a/1 held 1', 'a/2 held 1', 'too: a/2 held 1'];
    await until(() => expect(got).toEqual([...held, 'a/3 new 1', 'too: a/3 new 1']));
    expect(both).toHaveLength(2);
    expect(await listen(after, 'b')).toEqual(['b held 1']);
    expect(await listen(after, '$slipway/broadcast')).toEqual([]);
  });

  it('is not told what it no longer wanted', async () => {
    const [after] = await restart(['a', 'b'], ['a', 'b']);
    await listen(after, 'a');
    after.unsubscribe('a');
    expect(await listen(after, 'b', { noLastValue: true })).toEqual([]);
  });

  it('refuses what it has no room for, so that the gateway can count it', async () => {
    const { tcp, count } = await startGateway({ limits: { queue: { messages: 20_000 } } });
    const before = await connectTo(tcp, { identity: 'logger' });
    await before.subscribe('a');
    await before.close();
    const emitter = await connectTo(tcp, { maxQueue: 20_000 });
    await Promise.all(Array.from({ length: 10_005 }, (_, n) => emitter.emit('a', String(n))));
    const after = await connectTo(tcp, { identity: 'logger' });
    await until(() => expect(count('session.peer_refused.queue_full')).toBe(5));
    const got = await listen(after, 'a');
    expect(got).toHaveLength(10_000);
    expect(got.at(-1)).toBe('a 9999 1');
  });
});

describe('closing a client', () => {
  it('waits for what is not acknowledged', async () => {
    const [a, b] = await two();
    const got = await listen(a, '#');
    const sent = Array.from({ length: 500 }, (_, n) => b.emit(`c/${n}`, String(n)));
    await b.close();
    await Promise.all(sent);
    await until(() => expect(got).toHaveLength(500));
  });

  it.each([
    ['an emit of QoS 0', (client: Client) => client.emit('x', '1', { qos: 0 })],
    ['an unsubscription', async (client: Client) => client.unsubscribe('x')],
  ])('is done when %s is', async (_what, act) => {
    const { tcp } = await startGateway();
    // The grace for what is not acknowledged never ends on this clock: only being done can end the wait.
    const clock = {
      ...systemClock,
      schedule: (ms: number, task: () => void) => (ms === 2000 ? () => {} : systemClock.schedule(ms, task)),
    };
    const client = await connectTo(tcp, { clock });
    await client.subscribe('x', () => {});
    await act(client);
    await client.close();
  });

  it('leaves no timer behind, whatever it waited for', async () => {
    const { gateway, tcp } = await startGateway();
    const clock = new SkippingClock();
    const [idle, waiting] = [await connectTo(tcp, { clock }), await connectTo(tcp, { clock })];
    await idle.close();
    const done = Promise.allSettled([waiting.emit('x', 'y'), waiting.close()]);
    await gateway.stop();
    await done;
    expect(clock.waiting).toBe(0);
  });

  it('refuses nothing: its subscriptions just end', async () => {
    const { tcp } = await startGateway();
    const client = await connectTo(tcp);
    client.on('refused', (error) => expect.unreachable(error.message));
    await client.subscribe('x', () => {});
    await client.close();
  });

  it('ends a session without identity, and keeps one that has one', async () => {
    const { gateway, tcp } = await startGateway();
    const [anonymous, named] = [await connectTo(tcp), await connectTo(tcp, { identity: 'named' })];
    expect(gateway.statistics().sessions).toEqual({ open: 2, held: 0 });
    await Promise.all([anonymous.close(), named.close()]);
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 0, held: 1 }));
  });

  it('ends what waits, and everything afterwards, with end_session', async () => {
    const { gateway, tcp } = await startGateway();
    const client = await connectTo(tcp);
    await gateway.stop();
    await until(() => expect(client.connected).toBe(false));
    const waiting = [client.emit('x', '1'), client.subscribe('y')];
    await Promise.all([client.close(), client.close()]);
    const ended = { name: 'SlipwayError', code: 'end_session' };
    for (const promise of waiting) await expect(promise).rejects.toMatchObject(ended);
    await expect(client.emit('x', '1')).rejects.toMatchObject(ended);
    await expect(client.subscribe('x')).rejects.toMatchObject(ended);
    await expect(client.broadcast('x')).rejects.toMatchObject(ended);
  });
});
