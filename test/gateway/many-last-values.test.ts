import { describe, expect, it } from 'vitest';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { RawTcp } from '../support/raw-peers.js';

const VALUES = 3000;

async function withLastValues(config: Parameters<typeof startGateway>[0] = {}) {
  const running = await startGateway(config);
  for (let n = 0; n < VALUES; n++) running.gateway.emit(`value/${n}`, `${n}`, { qos: 1, retain: true });
  expect(running.gateway.statistics().router.lastValues).toBeGreaterThanOrEqual(VALUES);
  return running;
}

describe('a subscription to very many last values', () => {
  it.each([0, 1] as const)('is sent all of them, at QoS %i, though its queue holds few', async (qos) => {
    const { tcp, count } = await withLastValues({ limits: { queue: { messages: 100 } } });
    const client = await connectTo(tcp);
    const got = new Set<string>();
    await client.subscribe('value/#', ({ text, retained }) => retained && void got.add(text), { qos });
    await until(() => expect(got.size).toBe(VALUES));
    expect(count('router.drop.queue_full')).toBe(0);
    expect(count('session.drop.backlog_full')).toBe(0);
  });

  it('leaves room for live messages, which nobody is refused for it', async () => {
    const { tcp, count } = await withLastValues({ limits: { queue: { messages: 100 } } });
    const slow = await RawTcp.open(tcp);
    const { nextIn: seq } = await slow.introduce('slow'); // It acknowledges nothing.
    slow.send({ type: 'subscribe', seq, qos: 1, noLocal: false, noLastValue: false, id: 0, pattern: '#' });
    await until(() => expect(slow.all('emit').length).toBeGreaterThan(10));
    const client = await connectTo(tcp);
    for (let n = 0; n < 40; n++) await client.emit('live', `${n}`);
    expect(count('session.refused.queue_full')).toBe(0);
  });

  it('goes on with the newest values after its peer was away, and sends none twice', async () => {
    const { tcp, gateway } = await withLastValues({ limits: { queue: { messages: 100 } } });
    const first = await RawTcp.open(tcp);
    const { nextIn: seq } = await first.introduce('board', { window: 4, expiry: 600 });
    first.send({
      type: 'subscribe',
      seq,
      qos: 1,
      noLocal: false,
      noLastValue: false,
      id: 0,
      pattern: 'value/+',
    });
    await until(() => expect(first.all('emit')).toHaveLength(4));
    first.socket.destroy();
    await until(() => expect(gateway.statistics().sessions.held).toBe(1));
    gateway.emit(`value/${VALUES - 1}`, 'new', { qos: 1, retain: true });

    const second = await RawTcp.open(tcp);
    expect(await second.introduce('board', { nonce: 2, window: 2000, expiry: 600 })).toMatchObject({
      resumed: true,
    });
    for (let seen = 0; seen < VALUES; ) {
      await until(() => expect(second.all('emit').length).toBeGreaterThan(seen));
      seen = second.all('emit').length;
      const next = ((second.all('emit').at(-1)?.seq ?? 0) + 1) & 0xffff;
      second.send({ type: 'ack', next, bitmap: new Uint8Array() });
    }
    const got = second
      .all('emit')
      .map(({ name, payload }) => [name, Buffer.from(payload).toString()] as const);
    expect(new Map(got).size).toBe(VALUES);
    expect(got).toHaveLength(VALUES);
    expect(new Map(got).get(`value/${VALUES - 1}`)).toBe('new');
  });

  it('asked for again and again is answered, and others are served meanwhile', async () => {
    const { tcp } = await withLastValues();
    const greedy = await RawTcp.open(tcp);
    const { nextIn: seq } = await greedy.introduce('greedy', { maxPacket: 65_536 });
    greedy.stopReading();
    greedy.send(
      ...Array.from({ length: 500 }, (_, n) => ({
        type: 'subscribe' as const,
        seq: (seq + n) & 0xffff,
        qos: 1 as const,
        noLocal: false,
        noLastValue: false,
        id: 0,
        pattern: '#',
      })),
    );
    const good = await connectTo(tcp);
    const got: string[] = [];
    await good.subscribe('live', ({ text }) => void got.push(text));
    for (let n = 0; n < 10; n++) await good.emit('live', `${n}`);
    expect(got).toHaveLength(10);
  });
});
