import { expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.js';
import type { Emit, Message } from '../../src/wire/messages.js';
import { startGateway, until } from '../support/gateways.js';
import { RawTcp } from '../support/raw-peers.js';

const SUBSCRIBE = { type: 'subscribe', qos: 0, noLocal: false, noLastValue: true, pattern: 'c' } as const;
/** What the other emits of a test come between. */
const COUNT = 150;

function emit(id: number, text: string): Emit {
  return { type: 'emit', qos: 0, retain: false, id, payload: Buffer.from(text) };
}

/** What somebody was sent of it, whatever the id. */
function texts(peer: RawTcp): string[] {
  return peer.all('emit').map(({ payload }) => Buffer.from(payload).toString());
}

function counter(gateway: Gateway, name: string): number {
  return gateway.statistics().counters[name] ?? 0;
}

it('many emits of one packet on one channel reach everyone, each under its own id, in order', async () => {
  const { tcp, gateway } = await startGateway();
  const publisher = await RawTcp.open(tcp);
  const { nextIn } = await publisher.introduce('publisher', { ids: 0 });
  publisher.send(
    { type: 'declare', seq: nextIn, id: 5, name: 'c' },
    { type: 'declare', seq: nextIn + 1, id: 6, name: 'other' },
    { ...SUBSCRIBE, seq: nextIn + 2, id: 0, noLocal: true },
  );
  // The publisher's own id, another, a longer one, one that the gateway picks, none, and somebody who takes little.
  const wishes = [{ id: 5 }, { id: 6 }, { id: 300 }, { id: 0, ids: 10 }, { id: 0 }, { id: 5, maxPacket: 64 }];
  const subscribers: RawTcp[] = [];
  for (const [n, { id, ids = 0, maxPacket = 65_536 }] of wishes.entries()) {
    const peer = await RawTcp.open(tcp);
    const welcome = await peer.introduce(`subscriber-${n}`, { ids, maxPacket });
    peer.send({ ...SUBSCRIBE, seq: welcome.nextIn, id });
    subscribers.push(peer);
  }
  await until(() => expect(gateway.statistics().router.subscriptions).toBe(wishes.length + 1));

  const long = 'x'.repeat(80);
  const before = counter(gateway, 'router.emit');
  const messages: Message[] = Array.from({ length: COUNT }, (_, n) => emit(5, `${n}`));
  messages.splice(40, 0, emit(6, 'not theirs'), { type: 'ping', token: 9 });
  publisher.send(...messages);
  const numbers = Array.from({ length: COUNT }, (_, n) => `${n}`);
  for (const peer of subscribers) await until(() => expect(texts(peer)).toEqual(numbers));
  const ids = subscribers.slice(0, 3).map((peer) => new Set(peer.all('emit').map(({ id }) => id)));
  expect(ids).toEqual([new Set([5]), new Set([6]), new Set([300])]);
  await until(() => expect(publisher.all('pong')).toHaveLength(1));

  // One of them is too large for one of these: the publisher hears that once, the others get it.
  publisher.send(emit(5, 'a'), emit(5, long), emit(5, 'b'), emit(5, 'c'));
  for (const peer of subscribers.slice(0, 5))
    await until(() => expect(texts(peer).slice(COUNT)).toEqual(['a', long, 'b', 'c']));
  await until(() => expect(texts(subscribers[5] as RawTcp).slice(COUNT)).toEqual(['a', 'b', 'c']));
  await until(() => expect(publisher.all('refuse')).toHaveLength(1));
  expect(publisher.all('refuse')[0]?.reason).toBe('too_large_for_receiver');
  expect(texts(publisher)).toEqual([]);
  // All but the one that was too large, and what nobody subscribed to.
  expect(counter(gateway, 'router.emit') - before).toBe(COUNT + 5);
  expect(counter(gateway, 'router.delivered')).toBe((COUNT + 4) * wishes.length - 1);
});

it('a sleeper is kept the last of them, and one that went to sleep in between is woken with it', async () => {
  const { tcp, gateway } = await startGateway();
  const sleeper = await RawTcp.open(tcp);
  const { nextIn: first } = await sleeper.introduce('sleeper', { keepAlive: 60 });
  sleeper.send({ ...SUBSCRIBE, seq: first, id: 5 }, { type: 'sleep', seq: first + 1, seconds: 30 });
  const publisher = await RawTcp.open(tcp);
  const { nextIn } = await publisher.introduce('publisher');
  publisher.send({ type: 'declare', seq: nextIn, id: 5, name: 'c' });
  await until(() => expect(sleeper.all('ack').at(-1)?.next).toBe((first + 2) & 0xffff));
  publisher.send(...Array.from({ length: 10 }, (_, n) => emit(5, `${n}`)));
  await until(() => expect(counter(gateway, 'session.superseded')).toBe(9));
  expect(texts(sleeper)).toEqual([]);
  sleeper.send({ type: 'sleep', seq: (first + 2) & 0xffff, seconds: 0 });
  await until(() => expect(texts(sleeper)).toEqual(['9']));
});

it('what finds no room with a slow subscriber is dropped and counted, each by itself', async () => {
  const { tcp, gateway } = await startGateway({ limits: { backlog: '4 KiB' } });
  const slow = await RawTcp.open(tcp);
  const { nextIn: first } = await slow.introduce('slow', { maxPacket: 65_536 });
  slow.send({ ...SUBSCRIBE, seq: first, id: 5 });
  const publisher = await RawTcp.open(tcp);
  const { nextIn } = await publisher.introduce('publisher');
  publisher.send({ type: 'declare', seq: nextIn, id: 5, name: 'c' });
  await until(() => expect(gateway.statistics().router.subscriptions).toBe(1));
  const payload = 'y'.repeat(100);
  publisher.send(...Array.from({ length: 60 }, () => emit(5, payload)));
  await until(() => expect(texts(slow).length + counter(gateway, 'session.drop.backlog_full')).toBe(60));
  expect(counter(gateway, 'session.drop.backlog_full')).toBeGreaterThan(0);
  // 39 of 103 bytes each fit, and a run of 60 does not.
  expect(texts(slow).length).toBeGreaterThanOrEqual(39);
});
