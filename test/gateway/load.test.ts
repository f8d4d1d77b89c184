import { describe, expect, it } from 'vitest';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { RawTcp } from '../support/raw-peers.js';

const MEBIBYTE = 1_048_576;

describe('large payloads', () => {
  it.each([0, 1, 2] as const)('pass at QoS %i up to the limit, and not beyond', async (qos) => {
    const { tcp } = await startGateway();
    const [a, b] = [await connectTo(tcp), await connectTo(tcp)];
    const got: Uint8Array[] = [];
    await a.subscribe('large', ({ payload }) => void got.push(payload), { qos });
    // Head, seq, the length of the name and the name.
    const payload = Buffer.alloc(MEBIBYTE - 1 - (qos > 0 ? 2 : 0) - 6);
    for (let at = 0; at < payload.length; at++) payload[at] = at * 31 + (at >> 8);
    await b.emit('large', payload, { qos });
    await until(() => expect(got).toHaveLength(1));
    expect(payload.equals(got[0] as Uint8Array)).toBe(true);
    const over = Buffer.concat([payload, Buffer.alloc(100)]);
    await expect(b.emit('large', over, { qos })).rejects.toMatchObject({ code: 'too_large' });
    await expect(b.emit('large', Buffer.alloc(5 * MEBIBYTE), { qos })).rejects.toMatchObject({
      code: 'too_large',
    });
  });

  it('are kept as last values, within the limit of all together', async () => {
    const { tcp } = await startGateway({ limits: { last_value_bytes: '1 MiB' } });
    const client = await connectTo(tcp);
    const payload = Buffer.alloc(900_000, 7);
    await client.emit('one', payload, { retain: true });
    await expect(client.emit('two', payload, { retain: true })).rejects.toMatchObject({
      code: 'limit_reached',
    });
    const got: number[] = [];
    await client.subscribe('#', ({ payload: bytes, retained }) => retained && void got.push(bytes.length));
    await until(() => expect(got).toEqual([900_000]));
  });
});

describe('many clients', () => {
  it('are served, 300 at once, each as the only one', async () => {
    const { tcp, gateway } = await startGateway();
    // On a slow machine the last of them is answered late.
    const patience = { timeoutMs: 30_000 };
    const clients = await Promise.all(Array.from({ length: 300 }, () => connectTo(tcp, patience)));
    const got = clients.map((): string[] => []);
    await Promise.all(
      clients.map(async (client, n) => {
        await client.subscribe('all', ({ text }) => void got[n]?.push(text));
        await client.subscribe(`own/${n}`, ({ text }) => void got[n]?.push(text));
      }),
    );
    expect(gateway.statistics()).toMatchObject({ sessions: { open: 300 }, router: { subscriptions: 600 } });
    // Each to its neighbour, one to all.
    await Promise.all(clients.map((client, n) => client.emit(`own/${(n + 1) % 300}`, `to ${(n + 1) % 300}`)));
    await clients[0]?.emit('all', 'to all', { qos: 2 });
    await until(() => expect(got.filter(({ length }) => length < 2)).toEqual([]));
    expect(got).toEqual(clients.map((_, n) => [`to ${n}`, 'to all']));
    await Promise.all(clients.map((client) => client.close()));
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 0, held: 0 }));
    expect(gateway.statistics().router.subscriptions).toBe(0);
  });
});

describe('a subscriber that does not read', () => {
  it('loses messages of QoS 0, which are counted, and nobody else does', async () => {
    const { tcp, count } = await startGateway({ limits: { backlog: '1 MiB' } });
    const slow = await RawTcp.open(tcp);
    const { nextIn: seq } = await slow.introduce('slow', { maxPacket: 100_000 });
    const options = { qos: 0, noLocal: false, noLastValue: false, id: 0 } as const;
    slow.send({ type: 'subscribe', seq, ...options, pattern: 'x' });
    await until(() => expect(slow.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));
    slow.stopReading();

    const [emitter, other] = [await connectTo(tcp), await connectTo(tcp)];
    let heard = 0;
    await other.subscribe('x', () => {
      heard++;
    });
    let emitted = 0;
    // Far more than the system's own buffers take, in pieces that the other one is seen to keep up with.
    while (count('session.drop.backlog_full') < 100) {
      for (let n = 0; n < 10; n++, emitted++) await emitter.emit('x', Buffer.alloc(30_000), { qos: 0 });
      await until(() => expect(heard).toBe(emitted));
    }
    slow.socket.resume();
    await until(() => expect(slow.all('emit').length + count('session.drop.backlog_full')).toBe(emitted));
    // It is not punished for what was: what comes now arrives.
    const before = slow.all('emit').length;
    await emitter.emit('x', 'again', { qos: 0 });
    await until(() => expect(slow.all('emit')).toHaveLength(before + 1));
  });
});
