import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/client/client.js';
import { connectTo, type RunningGateway, startGateway, until } from '../support/gateways.js';
import { Relay } from '../support/relay.js';
import { SkippingClock } from '../support/skipping-clock.js';

/** What a client tells of its connection. */
function eventsOf(client: Client): string[] {
  const events: string[] = [];
  client.on('connected', ({ resumed }) => void events.push(resumed ? 'resumed' : 'new'));
  client.on('disconnected', ({ reason }) => void events.push(`lost: ${reason}`));
  client.on('refused', ({ code }) => void events.push(`refused: ${code}`));
  return events;
}

async function stop({ gateway }: RunningGateway, ...clients: Client[]): Promise<void> {
  await gateway.stop();
  await until(() => expect(clients.filter(({ connected }) => connected)).toEqual([]));
}

const restart = ({ tcp }: RunningGateway): Promise<RunningGateway> => startGateway({ listen: { tcp } });

describe('a client whose gateway is stopped and another started', () => {
  it('reconnects, subscribes again and tells of it', async () => {
    const first = await startGateway();
    const [a, b] = [await connectTo(first.tcp), await connectTo(first.tcp)];
    const events = eventsOf(a);
    const got: string[] = [];
    await a.subscribe('x/#', ({ channel, text }) => void got.push(`${channel} ${text}`));
    const iterated = await a.subscribe('y');
    await b.emit('x/1', 'before');
    await until(() => expect(got).toEqual(['x/1 before']));

    await stop(first, a, b);
    expect(events).toEqual(['lost: shutdown']);
    const second = await restart(first);
    await until(() => expect([a.connected, b.connected]).toEqual([true, true]));
    await until(() => expect(second.gateway.statistics().router.subscriptions).toBe(2));
    expect(events).toEqual(['lost: shutdown', 'new']);
    await b.emit('x/2', 'after');
    await b.emit('y', 'after');
    await until(() => expect(got).toEqual(['x/1 before', 'x/2 after']));
    expect((await iterated[Symbol.asyncIterator]().next()).value?.text).toBe('after');
  });

  it('delivers what was emitted meanwhile at QoS 1 and 2, once and in order, and refuses QoS 0', async () => {
    const first = await startGateway();
    const relay = await Relay.to(first.tcp);
    const client = await connectTo(relay.address);
    await client.emit('n', 'early');
    relay.cut();
    await stop(first, client);

    const acknowledged: string[] = [];
    const emit = async (text: string, qos: 1 | 2): Promise<void> => {
      await client.emit('n', text, { qos });
      acknowledged.push(text);
    };
    const sent = Promise.all(['1', '2', '3', '4'].map((text, n) => emit(text, n % 2 ? 2 : 1)));
    await expect(client.emit('n', '0', { qos: 0 })).rejects.toMatchObject({ code: 'not_connected' });

    const second = await startGateway();
    const got: string[] = [];
    await (await connectTo(second.tcp)).subscribe('n', ({ text }) => void got.push(text));
    expect(acknowledged).toEqual([]);
    relay.target = second.tcp;
    relay.mend();
    await sent;
    await client.emit('n', '5');
    await until(() => expect(got).toEqual(['1', '2', '3', '4', '5']));
    expect(acknowledged).toEqual(['1', '2', '3', '4']);
  });

  it('bounds what waits meanwhile', async () => {
    const gateway = await startGateway();
    const client = await connectTo(gateway.tcp, { maxQueue: 5 });
    await stop(gateway, client);
    const outcomes = Promise.allSettled(Array.from({ length: 20 }, (_, n) => client.emit('n', String(n))));
    await client.close();
    const codes = (await outcomes).map((outcome) => (outcome as PromiseRejectedResult).reason.code);
    // One place is taken by the declaration of the channel.
    expect(codes).toEqual([...Array(4).fill('end_session'), ...Array(16).fill('queue_full')]);
  });

  it('agrees to a subscription, and forgets one, that fell into the pause', async () => {
    const first = await startGateway();
    const client = await connectTo(first.tcp);
    const ended = await client.subscribe('old', () => expect.unreachable());
    await stop(first, client);
    const got: string[] = [];
    const subscribed = client.subscribe('new', ({ text }) => void got.push(text));
    const regretted = client.subscribe('regretted', () => expect.unreachable());
    ended.unsubscribe();
    client.unsubscribe('regretted');
    const second = await restart(first);
    await Promise.all([subscribed, regretted]);
    for (const channel of ['old', 'regretted', 'new']) await client.emit(channel, channel);
    await until(() => expect(got).toEqual(['new']));
    expect(second.gateway.statistics().router.subscriptions).toBe(1);
  });

  it('tells that a subscription is refused by the new gateway', async () => {
    const first = await startGateway();
    const client = await connectTo(first.tcp);
    const events = eventsOf(client);
    for (const pattern of ['a', 'b']) await client.subscribe(pattern, () => {});
    await stop(first, client);
    await startGateway({ listen: { tcp: first.tcp }, limits: { subscriptions: 1 } });
    await until(() => expect(events).toEqual(['lost: shutdown', 'new', 'refused: limit_reached']));
  });

  it('leaves a connection on which nothing comes any more, and new ones that are no better', async () => {
    const { tcp } = await startGateway();
    const relay = await Relay.to(tcp);
    const clock = new SkippingClock();
    const client = await connectTo(relay.address, { clock });
    const events = eventsOf(client);
    await client.emit('x', 'before');
    relay.freeze();
    const sent = client.emit('x', 'meanwhile');
    const skippingUntil = (ms: number, check: () => void) =>
      until(() => {
        clock.skip(ms);
        check();
      });
    await skippingUntil(1000, () => expect(client.connected).toBe(false));
    const { connections } = relay;
    // In smaller steps, or no connection would have the time to come about.
    await skippingUntil(200, () => expect(relay.connections).toBeGreaterThan(connections + 1));
    relay.mend();
    await skippingUntil(200, () => expect(client.connected).toBe(true));
    await sent;
    expect(events).toEqual(['lost: timeout', 'resumed']);
  });

  it('is resumed by a gateway that still knows it: nothing is lost', async () => {
    const { tcp, gateway } = await startGateway();
    const relay = await Relay.to(tcp);
    const a = await connectTo(relay.address, { identity: 'a' });
    const b = await connectTo(tcp);
    const events = eventsOf(a);
    const got: string[] = [];
    await a.subscribe('n', ({ text }) => void got.push(text));
    await b.emit('n', '1');
    await until(() => expect(got).toEqual(['1']));
    relay.cut();
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 1, held: 1 }));
    for (const text of ['2', '3']) await b.emit('n', text);
    relay.mend();
    await until(() => expect(got).toEqual(['1', '2', '3']));
    expect(events).toEqual([expect.stringMatching(/^lost: /), 'resumed']);
  });
});
