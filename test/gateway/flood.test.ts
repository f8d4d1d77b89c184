import dgram from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Address } from '../../src/gateway/gateway.js';
import { decodePacket } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { hello, RawTcp, RawUdp } from '../support/raw-peers.js';
import { UdpDevice } from '../support/udp-device.js';

/**
 * Sends one datagram from each of many addresses of 127/8. One in fifty waits for its answer, and asks again as a peer does, for
 * a gateway that is overrun does not answer; returns those answers, and how many bytes each cost.
 */
async function fromManyAddresses(udp: Address, count: number, packet: (n: number) => Uint8Array) {
  const answers: { sent: number; answer: Uint8Array }[] = [];
  for (let n = 0; n < count; n++) {
    const socket = dgram.createSocket('udp4');
    let answer: Uint8Array | undefined;
    socket.on('message', (datagram) => {
      answer ??= datagram;
    });
    socket.bind(0, `127.1.${n >> 8}.${1 + (n % 250)}`);
    await once(socket, 'listening');
    const bytes = packet(n);
    const ask = () => new Promise((resolve) => socket.send(bytes, udp.port, udp.host, resolve));
    await ask();
    if (n % 50 === 0) {
      await until(() => {
        if (answer) return;
        void ask();
        throw new Error('no answer');
      });
      answers.push({ sent: bytes.length, answer: answer as unknown as Uint8Array });
    }
    socket.close();
  }
  return answers;
}

describe('a flood of datagrams', () => {
  it('with HELLOs from addresses that prove nothing leaves nothing behind, and a good peer is served meanwhile', async () => {
    const { tcp, udp, gateway, count } = await startGateway({ limits: { sessions: 50 } });
    const device = new UdpDevice('good');
    await device.connect(udp);
    const client = await connectTo(tcp);
    const got: string[] = [];
    await client.subscribe('up', ({ text }) => void got.push(text));
    device.emit('up', 'first');
    await until(() => expect(got.splice(0)).toEqual(['first']));
    const before = gateway.statistics();
    const flood = fromManyAddresses(udp, 1000, (n) => encodePacket([hello(`flood-${n}`, { cookie: n })]));
    for (let n = 0; n < 20; n++) {
      device.emit('up', `${n}`);
      await until(() => expect(got).toHaveLength(n + 1));
    }
    const answers = await flood;
    expect(answers).toHaveLength(20);
    for (const { sent, answer } of answers) {
      expect(decodePacket(answer, 'gateway')).toMatchObject([{ type: 'refuse', reason: 'prove_address' }]);
      expect(answer.length).toBeLessThanOrEqual(sent);
    }
    await until(() =>
      expect(count('udp.rx.packets') - (before.counters['udp.rx.packets'] ?? 0)).toBeGreaterThan(900),
    );
    expect(gateway.statistics()).toMatchObject({ sessions: before.sessions, router: before.router });
    expect(count('udp.refused.too_many')).toBe(0);
    const newcomer = new UdpDevice('newcomer');
    await newcomer.connect(udp);
  });

  it('with HELLOs that prove their address takes places from each other, not from newcomers', async () => {
    const { udp, count } = await startGateway({
      limits: { sessions: 20, per_address: { links: 30 } },
    });
    const good = new UdpDevice('good');
    await good.connect(udp);
    for (let n = 0; n < 40; n++) {
      const peer = await RawUdp.open(udp);
      await peer.greet(`half-open-${n}`);
    }
    expect(count('udp.closed.half_open')).toBeGreaterThanOrEqual(20);
    const newcomer = new UdpDevice('newcomer');
    await newcomer.connect(udp);
    good.emit('x', 'still here');
    await until(() => expect(good.outcomes).toEqual(['ok']));
  });

  it('from one address has no more links than it may, others do', async () => {
    const { udp, count, log } = await startGateway({ limits: { per_address: { links: 3 } } });
    for (let n = 0; n < 3; n++) await new UdpDevice(`one-${n}`).connect(udp);
    const fourth = await RawUdp.open(udp);
    await fourth.hail('one-3');
    await fourth.hail('one-3');
    await until(() => expect(count('udp.refused.too_many_of_address')).toBe(2));
    expect(fourth.all('welcome')).toEqual([]);
    await until(() =>
      expect(fourth.all('refuse').filter(({ reason }) => reason === 'limit_reached')).toHaveLength(2),
    );
    expect(log.filter(({ msg }) => msg.includes('limits.per_address.links'))).toHaveLength(1);
    const elsewhere = await RawUdp.open(udp, '127.0.0.2');
    await elsewhere.introduce('two');
  });

  it('with new peers from one address is refused beyond its rate', async () => {
    const { udp, count } = await startGateway({ limits: { per_address: { hellos: 1 } } });
    for (let n = 0; n < 10; n++) await (await RawUdp.open(udp)).greet(`peer-${n}`);
    const beyond = await RawUdp.open(udp);
    await beyond.hail('beyond');
    await until(() => expect(beyond.all('refuse').map(({ reason }) => reason)).toContain('limit_reached'));
    expect(count('udp.refused.too_many_hellos')).toBe(1);
    await (await RawUdp.open(udp, '127.0.0.2')).greet('elsewhere');
  });

  it('with one-shots is taken at its rate, the rest is counted', async () => {
    const { tcp, udp, count } = await startGateway({
      listen: { udp: { port: 0, one_shot: { channels: ['up/#'] } } },
      limits: { per_address: { one_shots: 2 } },
    });
    const client = await connectTo(tcp);
    let got = 0;
    await client.subscribe('up/#', () => {
      got += 1;
    });
    const sensor = await RawUdp.open(udp);
    const shot = { type: 'emit', qos: 0, retain: false, name: 'up/x', payload: Buffer.from('1') } as const;
    for (let n = 0; n < 50; n++) sensor.send({ ...shot });
    sensor.send(...Array.from({ length: 50 }, () => ({ ...shot })));
    await until(() => expect(count('udp.one_shots') + count('udp.drop.too_many_one_shots')).toBe(100));
    expect(count('udp.one_shots')).toBeLessThan(40);
    await until(() => expect(got).toBe(count('udp.one_shots')));
  });
});

describe('sessions from one address', () => {
  it('make room among themselves, and leave those of others alone', async () => {
    const { tcp, gateway, count } = await startGateway({ limits: { per_address: { sessions: 5 } } });
    const other = await RawTcp.open(tcp, '127.0.0.2');
    await other.introduce('other', { expiry: 600 });
    other.socket.destroy();
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 0, held: 1 }));
    for (let n = 0; n < 20; n++) {
      const peer = await RawTcp.open(tcp);
      await peer.introduce(`new-${n}`, { expiry: 600 });
      peer.socket.destroy();
      await until(() => expect(gateway.statistics().sessions.open).toBe(0));
    }
    expect(gateway.statistics().sessions.held).toBe(6);
    expect(count('session.made_room')).toBe(15);
    const back = await RawTcp.open(tcp, '127.0.0.2');
    expect(await back.introduce('other')).toMatchObject({ resumed: true });
  });

  it('that are all connected are all there are', async () => {
    const { tcp } = await startGateway({ limits: { per_address: { sessions: 2 } } });
    for (let n = 0; n < 2; n++) await (await RawTcp.open(tcp)).introduce(`peer-${n}`);
    const third = await RawTcp.open(tcp);
    third.send(hello('peer-2'));
    await until(() => expect(third.all('refuse')).toMatchObject([{ reason: 'limit_reached' }]));
    await (await RawTcp.open(tcp, '127.0.0.2')).introduce('elsewhere');
  });
});

describe('what one address makes the gateway keep', () => {
  it('is bounded in channel ids, and counts for where a session is now', async () => {
    const { tcp, count } = await startGateway({ limits: { per_address: { ids: 3 } } });
    const declare = (peer: RawTcp, from: number, ids: number[]) =>
      peer.send(
        ...ids.map((id) => ({ type: 'declare', seq: (from + id) & 0xffff, id, name: `c/${id}` }) as const),
      );
    const one = await RawTcp.open(tcp);
    const first = await one.introduce('one', { expiry: 60 });
    declare(one, first.nextIn - 1, [1, 2, 3, 4]);
    await until(() => expect(one.all('reject')).toMatchObject([{ reason: 'limit_reached' }]));
    expect(count('session.per_address.ids')).toBe(1);
    const elsewhere = await RawTcp.open(tcp, '127.0.0.2');
    const other = await elsewhere.introduce('other');
    declare(elsewhere, other.nextIn - 1, [1]);
    await until(() => expect(elsewhere.all('ack').at(-1)?.next).toBe((other.nextIn + 1) & 0xffff));

    // It moves, and takes its ids with it.
    const moved = await RawTcp.open(tcp, '127.0.0.3');
    const again = await moved.introduce('one', { token: first.token, received: first.nextOut });
    expect(again.continues).toBe(true);
    const two = await RawTcp.open(tcp);
    const second = await two.introduce('two', { expiry: 0 });
    declare(two, second.nextIn - 1, [1, 2, 3]);
    await until(() => expect(two.all('ack').at(-1)?.next).toBe((second.nextIn + 3) & 0xffff));
    // Who is gone has none.
    two.send({ type: 'bye', reason: 'end_session' });
    const three = await RawTcp.open(tcp);
    const third = await three.introduce('three');
    declare(three, third.nextIn - 1, [1, 2, 3]);
    await until(() => expect(three.all('ack').at(-1)?.next).toBe((third.nextIn + 3) & 0xffff));
    expect(count('session.per_address.ids')).toBe(1);
  });

  it('is bounded in last values, also of one-shots', async () => {
    const { tcp, udp, count } = await startGateway({
      listen: { udp: { port: 0, one_shot: { channels: ['v/#'] } } },
      limits: { per_address: { last_values: 2 } },
    });
    const client = await connectTo(tcp);
    await client.emit('v/1', 'set', { retain: true });
    const sensor = await RawUdp.open(udp);
    const shoot = (peer: RawUdp, name: string) =>
      peer.send({ type: 'emit', qos: 0, retain: true, name, payload: Buffer.from('set') });
    shoot(sensor, 'v/2');
    await until(() => expect(count('udp.one_shots')).toBe(1));
    shoot(sensor, 'v/3');
    await until(() => expect(sensor.all('refuse')).toMatchObject([{ reason: 'limit_reached' }]));
    await expect(client.emit('v/3', 'set', { retain: true })).rejects.toMatchObject({
      code: 'limit_reached',
    });
    const elsewhere = await RawUdp.open(udp, '127.0.0.2');
    shoot(elsewhere, 'v/3');
    await until(() => expect(count('udp.one_shots')).toBe(3));
    expect(elsewhere.all('refuse')).toEqual([]);
    expect(count('router.per_address.last_values')).toBe(2);
  });
});

describe('identities that never come back', () => {
  it('leave no states for ever: the oldest are forgotten with all else about them', async () => {
    const { tcp, gateway } = await startGateway({ limits: { sessions: 5 } });
    const client = await connectTo(tcp);
    for (let n = 0; n < 30; n++) {
      const peer = await RawTcp.open(tcp);
      await peer.introduce(`passing-${n}`, { expiry: 0 });
      peer.socket.destroy();
      await until(() => expect(gateway.statistics().sessions.open).toBe(1));
    }
    const states = new Map<string, string>();
    await client.subscribe('$slipway/devices/+/state', ({ channel, text }) => void states.set(channel, text));
    await until(() => expect(states.get('$slipway/devices/passing-29/state')).toBe('offline'));
    expect(states.size).toBeLessThanOrEqual(6);
    expect(states.has('$slipway/devices/passing-1/state')).toBe(false);
  });
});
