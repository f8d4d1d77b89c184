import { describe, expect, it } from 'vitest';
import type { SlipwayError } from '../../src/errors.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { RawTcp } from '../support/raw-peers.js';

describe('what is refused', () => {
  it.each(['', 'a/+', '#', 'nul\0', 'x'.repeat(256)])(
    'fails with bad_channel: an emit on "%s"',
    async (channel) => {
      const { tcp } = await startGateway();
      const client = await connectTo(tcp);
      await expect(client.emit(channel, 'x')).rejects.toMatchObject({
        name: 'SlipwayError',
        code: 'bad_channel',
      });
    },
  );

  it.each(['', 'a+', 'a/#/b', 'nul\0', 'x'.repeat(256)])(
    'fails with bad_channel: a subscription to "%s"',
    async (pattern) => {
      const { tcp } = await startGateway();
      const client = await connectTo(tcp);
      await expect(client.subscribe(pattern)).rejects.toMatchObject({ code: 'bad_channel' });
    },
  );

  it.each([1, 2] as const)(
    "fails with not_allowed: an emit at QoS %i on the gateway's channels",
    async (qos) => {
      const { tcp, count } = await startGateway();
      const client = await connectTo(tcp);
      await expect(client.emit('$slipway/stats', 'x', { qos })).rejects.toMatchObject({
        code: 'not_allowed',
        message:
          'the emit on "$slipway/stats" was refused: no rule of the gateway allows it, or the channel begins with $ and is its own',
      });
      expect(count('session.refused.not_allowed')).toBe(1);
      await client.emit('fine', 'x', { qos });
    },
  );

  it('is told by an event at QoS 0, where nobody waits', async () => {
    const { tcp } = await startGateway();
    const client = await connectTo(tcp);
    const refused: SlipwayError[] = [];
    client.on('refused', (error) => void refused.push(error));
    await client.emit('$slipway/stats', 'x', { qos: 0 });
    await until(() => expect(refused.map(({ code }) => code)).toEqual(['not_allowed']));
  });

  it.each([0, 1, 2] as const)('fails with too_large: more at QoS %i than the gateway takes', async (qos) => {
    const { tcp } = await startGateway({ limits: { packet: { tcp: 1024 } } });
    const client = await connectTo(tcp);
    await expect(client.emit('x', Buffer.alloc(1024), { qos })).rejects.toMatchObject({
      code: 'too_large',
      message: expect.stringContaining('limits.packet'),
    });
    await client.emit('x', Buffer.alloc(1000), { qos });
  });

  it('fails with too_large_for_receiver, and the others get it', async () => {
    const { tcp } = await startGateway();
    const small = await RawTcp.open(tcp);
    const { nextIn: seq } = await small.introduce('small', { maxPacket: 64 });
    const options = { qos: 1, noLocal: false, noLastValue: false, id: 0 } as const;
    small.send({ type: 'subscribe', seq, ...options, pattern: 'x' });
    await until(() => expect(small.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));

    const client = await connectTo(tcp);
    const got: number[] = [];
    await client.subscribe('x', ({ payload }) => void got.push(payload.length));
    await expect(client.emit('x', Buffer.alloc(100))).rejects.toMatchObject({
      code: 'too_large_for_receiver',
    });
    await until(() => expect(got).toEqual([100]));
    expect(small.all('emit')).toEqual([]);
  });

  it('fails with limit_reached: a subscription too many; the others stand', async () => {
    const { tcp } = await startGateway({ limits: { subscriptions: 1 } });
    const client = await connectTo(tcp);
    const got: string[] = [];
    await client.subscribe('x', ({ text }) => void got.push(text));
    await expect(client.subscribe('y')).rejects.toMatchObject({ code: 'limit_reached' });
    await client.emit('x', '1');
    await until(() => expect(got).toEqual(['1']));
  });

  it('fails with limit_reached: a last value too many', async () => {
    const { tcp } = await startGateway({ limits: { last_values: 1 }, stats: { interval: 0 } });
    const client = await connectTo(tcp);
    await client.emit('x', '1', { retain: true });
    await expect(client.emit('y', '1', { retain: true })).rejects.toMatchObject({ code: 'limit_reached' });
  });

  it('fails with queue_full while a subscriber does not read; nobody gets it, and later it works again', async () => {
    const { tcp, count } = await startGateway({ limits: { queue: { messages: 10 } } });
    const stuck = await RawTcp.open(tcp);
    const { nextIn: seq, nextOut } = await stuck.introduce('stuck');
    const options = { qos: 1, noLocal: false, noLastValue: false, id: 0 } as const;
    stuck.send({ type: 'subscribe', seq, ...options, pattern: 'x' });
    await until(() => expect(stuck.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));

    const client = await connectTo(tcp);
    const got: string[] = [];
    await client.subscribe('x', ({ text }) => void got.push(text));
    for (let n = 0; n < 10; n++) await client.emit('x', String(n));
    await expect(client.emit('x', 'refused')).rejects.toMatchObject({ code: 'queue_full' });
    await client.emit('y', 'on another channel');
    await client.emit('x', 'QoS 0 needs no queue', { qos: 0 });
    await until(() => expect(stuck.all('emit')).toHaveLength(11));
    expect(count('session.refused.queue_full')).toBe(1);

    stuck.send({ type: 'ack', next: (nextOut + 10) & 0xffff, bitmap: new Uint8Array() });
    await expect
      .poll(() =>
        client.emit('x', 'again').then(
          () => 'taken',
          (error) => error.code,
        ),
      )
      .toBe('taken');
    await until(() =>
      expect(got).toEqual([
        '0',
        '1',
        '2',
        '3',
        '4',
        '5',
        '6',
        '7',
        '8',
        '9',
        'QoS 0 needs no queue',
        'again',
      ]),
    );
  });
});
