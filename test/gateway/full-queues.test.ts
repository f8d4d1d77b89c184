import { describe, expect, it } from 'vitest';
import { connectTo, type RunningGateway, startGateway, until } from '../support/gateways.js';
import { RawTcp } from '../support/raw-peers.js';
import { SkippingClock } from '../support/skipping-clock.js';

/** A stranger that subscribed to everything at QoS 1, has room for three messages, and acknowledges nothing. */
async function stranger({ tcp }: RunningGateway, identity: string): Promise<RawTcp> {
  const peer = await RawTcp.open(tcp);
  const { nextIn: seq } = await peer.introduce(identity, { expiry: 600, program: true });
  peer.send({ type: 'subscribe', seq, qos: 1, noLocal: false, noLastValue: false, id: 0, pattern: '#' });
  await until(() => expect(peer.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));
  return peer;
}

const QUEUE = { messages: 3 };

describe('a stranger that subscribes to everything and goes away', () => {
  it('stops reliable emits once its queue is full, by default', async () => {
    const running = await startGateway({ limits: { queue: QUEUE } });
    const peer = await stranger(running, 'stranger');
    peer.socket.destroy();
    await until(() => expect(running.gateway.statistics().sessions.held).toBe(1));
    const client = await connectTo(running.tcp);
    for (let n = 0; n < 3; n++) await client.emit('x', `${n}`);
    for (let n = 0; n < 3; n++)
      await expect(client.emit('x', 'refused')).rejects.toMatchObject({ code: 'queue_full' });
    expect(running.gateway.statistics().sessions.held).toBe(1);
  });

  it('loses its session where that is configured, and nobody else loses anything', async () => {
    const running = await startGateway({ limits: { queue: { ...QUEUE, when_full: 'end_session' } } });
    const { gateway, tcp, count, log } = running;
    const peer = await stranger(running, 'stranger');
    peer.socket.destroy();
    await until(() => expect(gateway.statistics().sessions.held).toBe(1));
    const [client, other] = [await connectTo(tcp), await connectTo(tcp)];
    const got: string[] = [];
    await other.subscribe('x', ({ text }) => void got.push(text));
    for (let n = 0; n < 3; n++) await client.emit('x', `${n}`);
    await expect(client.emit('x', '3')).rejects.toMatchObject({ code: 'queue_full' });
    for (let n = 3; n < 20; n++) await client.emit('x', `${n}`);
    await until(() => expect(got).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`)));
    expect(gateway.statistics().sessions).toEqual({ open: 2, held: 0 });
    expect([count('session.ended_full'), count('session.drop.session_ended')]).toEqual([1, 3]);
    expect(log.map(({ msg }) => msg).join('\n')).toContain(
      '3 messages for it are lost (limits.queue.when_full)',
    );
    const back = await RawTcp.open(tcp);
    expect(await back.introduce('stranger')).toMatchObject({ resumed: false });
  });

  it('and all queues together are full: the absent session that holds most is ended', async () => {
    const running = await startGateway({
      limits: { queue: { when_full: 'end_session' }, all_queues: { messages: 6 } },
    });
    const { gateway, tcp } = running;
    const client = await connectTo(tcp);
    const late = await stranger(running, 'early');
    late.socket.destroy();
    await until(() => expect(gateway.statistics().sessions.held).toBe(1));
    for (let n = 0; n < 3; n++) await client.emit('x', `${n}`);
    (await stranger(running, 'late')).socket.destroy();
    await until(() => expect(gateway.statistics().sessions.held).toBe(2));
    await client.emit('x', '3');
    await client.emit('x', '4').catch(() => undefined);
    await client.emit('x', '5').catch(() => undefined);
    await until(() => expect(gateway.statistics().sessions.held).toBe(1));
    const back = await RawTcp.open(tcp);
    expect(await back.introduce('late')).toMatchObject({ resumed: true });
  });
});

describe('a stranger that subscribes to everything and acknowledges nothing', () => {
  it('has ten seconds to catch up, then is told and ended', async () => {
    const clock = new SkippingClock();
    const running = await startGateway(
      { limits: { queue: { ...QUEUE, when_full: 'end_session' } } },
      { clock },
    );
    const { gateway, tcp } = running;
    const peer = await stranger(running, 'stranger');
    const client = await connectTo(tcp);
    for (let n = 0; n < 3; n++) await client.emit('x', `${n}`);
    await expect(client.emit('x', 'refused')).rejects.toMatchObject({ code: 'queue_full' });
    await expect(client.emit('x', 'refused')).rejects.toMatchObject({ code: 'queue_full' });
    expect(gateway.statistics().sessions.open).toBe(2);
    clock.skip(10_000);
    await expect(client.emit('x', 'refused')).rejects.toMatchObject({ code: 'queue_full' });
    await until(() => expect(peer.closed).toBe(true));
    expect(peer.all('bye')).toMatchObject([{ reason: 'too_slow' }]);
    await client.emit('x', 'on it goes');
    expect(gateway.statistics().sessions).toEqual({ open: 1, held: 0 });
  });
});
