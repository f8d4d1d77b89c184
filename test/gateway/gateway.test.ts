import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Address } from '../../src/gateway/gateway.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { hello, RawTcp } from '../support/raw-peers.js';
import { SkippingClock } from '../support/skipping-clock.js';
import { UdpDevice } from '../support/udp-device.js';

/** A port that somebody else listens on. */
async function takenPort(): Promise<number> {
  const server = createServer().listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function peerName({ socket }: RawTcp): string {
  return `tcp:127.0.0.1:${socket.localPort}`;
}

describe('starting a gateway', () => {
  it('says which address it cannot listen on, and leaves nothing open', async () => {
    const port = await takenPort();
    const free = (await startGateway()).gateway;
    const [{ port: first } = { port: 0 }] = free.addresses.tcp;
    await free.stop();
    const listen = { tcp: [{ port: first }, { port }], udp: false };
    await expect(startGateway({ listen })).rejects.toMatchObject({
      name: 'SlipwayError',
      code: 'listen_failed',
      message: expect.stringContaining(`cannot listen on tcp:127.0.0.1:${port}: the port is taken`),
    });
    await startGateway({ listen: { tcp: { port: first } } });
  });

  it('listens on several addresses at once, or on none', async () => {
    const { gateway } = await startGateway({ listen: { tcp: [{ port: 0 }, { port: 0 }], udp: false } });
    const [one, other] = gateway.addresses.tcp as [Address, Address];
    expect(gateway.addresses.udp).toEqual([]);
    const got: string[] = [];
    await (await connectTo(one)).subscribe('x', ({ text }) => void got.push(text));
    await (await connectTo(other)).emit('x', 'over there');
    await until(() => expect(got).toEqual(['over there']));
    const none = await startGateway({ listen: { tcp: false, udp: false } });
    expect(none.gateway.addresses).toEqual({ tcp: [], udp: [], mqtt: [], ws: [] });
  });
});

describe('a connection to a gateway', () => {
  it('cannot fill the log with what it is refused, nor put anything into it that a terminal obeys', async () => {
    const { tcp, log, count } = await startGateway({ limits: { sessions: 1 } });
    const peer = await RawTcp.open(tcp);
    for (let i = 0; i < 100; i++) peer.send(hello('\u001b[2J\u009bboom'));
    await until(() => expect(count('session.refused.identity_invalid')).toBe(100));
    const refused = () => log.map(({ msg }) => msg).filter((msg) => msg.startsWith('refused'));
    expect(refused().length).toBeLessThanOrEqual(20);
    expect(refused()[0]).toBe(`refused "\\u{1b}[2J\\u{9b}boom" on ${peerName(peer)}: identity_invalid`);

    await (await RawTcp.open(tcp)).introduce('the-only-one');
    const second = await RawTcp.open(tcp);
    second.send(hello('one-too-many'));
    await until(() =>
      expect(refused()).toContain(`refused "one-too-many" on ${peerName(second)}: limit_reached`),
    );
  });

  it('is closed when it opens no session', async () => {
    const clock = new SkippingClock();
    const { tcp } = await startGateway({}, { clock });
    const [silent, offered, open] = [await RawTcp.open(tcp), await RawTcp.open(tcp), await RawTcp.open(tcp)];
    offered.send(hello('offered'));
    await until(() => expect(offered.all('welcome')).toHaveLength(1));
    await open.introduce('open');
    clock.skip(30_000);
    await until(() => expect(silent.closed).toBe(true));
    clock.skip(30_000);
    await until(() => expect(offered.closed).toBe(true));
    clock.skip(3_600_000);
    open.send({ type: 'ping', token: 7 });
    await until(() => expect(open.all('pong')).toEqual([{ type: 'pong', token: 7 }]));
  });

  it('is let go when its peer is silent for longer than it promised', async () => {
    const clock = new SkippingClock();
    const { tcp, gateway } = await startGateway({}, { clock });
    const peer = await RawTcp.open(tcp);
    await peer.introduce('silent', { keepAlive: 20 });
    clock.skip(31_000);
    await until(() => expect(peer.closed).toBe(true));
    expect(peer.all('bye')).toEqual([{ type: 'bye', reason: 'timeout' }]);
    expect(gateway.statistics().sessions).toEqual({ open: 0, held: 1 });
    clock.skip(60_000);
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 0, held: 0 }));
  });

  it('is closed by half: what was said before is acted on, and the other half follows', async () => {
    const { tcp, gateway } = await startGateway();
    const peer = await RawTcp.open(tcp);
    await peer.introduce('half', { expiry: 0 });
    const got: string[] = [];
    await (await connectTo(tcp)).subscribe('last', ({ text }) => void got.push(text));
    peer.send({ type: 'emit', qos: 0, retain: false, name: 'last', payload: Buffer.from('words') });
    peer.socket.end();
    await until(() => expect([got, peer.closed]).toEqual([['words'], true]));
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 1, held: 0 }));
  });

  it('is refused what is malformed, and stands; a bad length ends it', async () => {
    const { tcp, count } = await startGateway();
    const peer = await RawTcp.open(tcp);
    await peer.introduce('clumsy');
    peer.sendPacket(Uint8Array.of(0x80));
    await until(() => expect(peer.all('refuse')).toMatchObject([{ reason: 'malformed', head: 0x80 }]));
    peer.send({ type: 'ping', token: 1 });
    await until(() => expect(peer.all('pong')).toHaveLength(1));
    peer.socket.write(Uint8Array.of(0xff, 0xff, 0xff, 0x7f));
    await until(() => expect(peer.closed).toBe(true));
    expect([count('session.drop.malformed'), count('tcp.drop.oversize')]).toEqual([1, 1]);
  });

  it('is refused what needs a session, ten times a second at most', async () => {
    const clock = new SkippingClock();
    const { tcp, count } = await startGateway({}, { clock });
    const peer = await RawTcp.open(tcp);
    const ping = { type: 'ping', token: 1 } as const;
    for (let n = 0; n < 200; n++) peer.send(ping);
    await until(() => expect(count('session.refused.no_session')).toBe(200));
    await until(() => expect(peer.all('refuse').length).toBeGreaterThanOrEqual(10));
    const heard = peer.all('refuse').length;
    // The 200 may have fallen into two seconds, not into more.
    expect(heard).toBeLessThanOrEqual(20);
    clock.skip(1000);
    peer.send(ping);
    await until(() => expect(peer.all('refuse')).toHaveLength(heard + 1));
    expect(peer.all('refuse').every(({ reason }) => reason === 'no_session')).toBe(true);
  });
});

describe("the gateway's own channels", () => {
  it('say who is there: a device, not a program', async () => {
    const { tcp, udp } = await startGateway();
    const program = await connectTo(tcp, { identity: 'program' });
    const got: string[] = [];
    const watch = ({ channel, text, retained }: { channel: string; text: string; retained: boolean }) =>
      void got.push(`${channel} ${text}${retained ? ' retained' : ''}`);
    await program.subscribe('$slipway/devices/+/state', watch);
    const device = new UdpDevice('uno-1');
    await device.connect(udp);
    await until(() => expect(got).toEqual(['$slipway/devices/uno-1/state online']));
    const raw = await RawTcp.open(tcp);
    await raw.introduce('uno-2');
    raw.socket.destroy();
    await until(() =>
      expect(got.slice(1)).toEqual([
        '$slipway/devices/uno-2/state online',
        '$slipway/devices/uno-2/state offline',
      ]),
    );
    got.length = 0;
    await (await connectTo(tcp)).subscribe('$slipway/devices/+/state', watch);
    await until(() => expect(got).toHaveLength(2));
    expect(got.toSorted()).toEqual([
      '$slipway/devices/uno-1/state online retained',
      '$slipway/devices/uno-2/state offline retained',
    ]);
  });

  it('say who is there also when one watcher has no room left', async () => {
    const { gateway, tcp, log } = await startGateway({ limits: { queue: { messages: 2 } } });
    const stuck = await RawTcp.open(tcp);
    const { nextIn: seq } = await stuck.introduce('stuck', { window: 1 });
    const pattern = '$slipway/devices/+/state';
    stuck.send({ type: 'subscribe', seq, qos: 1, noLocal: false, noLastValue: true, id: 0, pattern });
    await until(() => expect(stuck.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));
    for (const device of ['a', 'b', 'c', 'd']) await (await RawTcp.open(tcp)).introduce(device);
    expect(gateway.emit('$slipway/devices/x/state', '', { qos: 1 })).toBe('queue_full');
    const got: string[] = [];
    const watcher = await connectTo(tcp);
    await watcher.subscribe(pattern, ({ channel, text }) => void got.push(`${channel} ${text}`));
    await until(() => expect(got).toContain('$slipway/devices/d/state online'));
    expect(log.some(({ msg }) => msg.includes('could not be kept'))).toBe(false);
  });

  it('are out of reach of # and +', async () => {
    const { gateway, tcp } = await startGateway();
    const client = await connectTo(tcp);
    const got: string[] = [];
    for (const pattern of ['#', '+/x'])
      await client.subscribe(pattern, ({ channel }) => void got.push(channel));
    expect(gateway.emit('$slipway/x', '1')).toBeUndefined();
    expect(gateway.emit('a/x', '2')).toBeUndefined();
    await until(() => expect(got).toEqual(['a/x', 'a/x']));
  });

  it('say what a gateway emits itself, and why it could not', async () => {
    const { gateway, tcp } = await startGateway();
    expect(gateway.emit('x', 'kept', { qos: 1, retain: true })).toBeUndefined();
    expect(gateway.emit('x/#', '')).toBe('bad_channel');
    const got: string[] = [];
    await (await connectTo(tcp)).subscribe('x', ({ text }) => void got.push(text));
    await until(() => expect(got).toEqual(['kept']));
  });
});

describe('stopping a gateway', () => {
  it('says goodbye to every peer after what waits for it, and leaves no timer behind', async () => {
    const clock = new SkippingClock();
    const { gateway, tcp, udp } = await startGateway({}, { clock });
    const idle = await RawTcp.open(tcp);
    idle.send(hello('never-begins'));
    const held = await RawTcp.open(tcp);
    await held.introduce('held');
    held.socket.destroy();
    const peer = await RawTcp.open(tcp);
    const { nextIn: seq } = await peer.introduce('hearer');
    const options = { qos: 1, noLocal: false, noLastValue: false, id: 0 } as const;
    peer.send({ type: 'subscribe', seq, ...options, pattern: 'x' });
    await until(() => expect(peer.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));
    const device = new UdpDevice('uno');
    await device.connect(udp);
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 2, held: 1 }));

    gateway.emit('x', 'last words', { qos: 1 });
    await Promise.all([gateway.stop(), gateway.stop()]);
    await until(() => expect(peer.closed && idle.closed).toBe(true));
    expect(peer.received.slice(-2)).toMatchObject([{ type: 'emit' }, { type: 'bye', reason: 'shutdown' }]);
    await until(() => expect(device.session.state).toBe('greeting'));
    expect(clock.waiting).toBe(0);
  });

  it('does not wait for a peer that reads nothing', async () => {
    const { gateway, tcp } = await startGateway();
    const stuck = await RawTcp.open(tcp);
    const { nextIn: seq } = await stuck.introduce('stuck', { maxPacket: 100_000 });
    const options = { qos: 0, noLocal: false, noLastValue: false, id: 0 } as const;
    stuck.send({ type: 'subscribe', seq, ...options, pattern: 'x' });
    await until(() => expect(stuck.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));
    stuck.stopReading();
    const emitter = await connectTo(tcp);
    while (gateway.statistics().counters['session.drop.backlog_full'] === undefined) {
      for (let n = 0; n < 16; n++) await emitter.emit('x', Buffer.alloc(60_000), { qos: 0 });
      await emitter.emit('y', '');
    }
    await gateway.stop();
    expect(stuck.closed).toBe(false);
  });
});
