import dgram from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Counters } from '../../../src/counters.js';
import { connectUdp } from '../../../src/links/udp/udp-connect.js';
import type { UdpAddress, UdpLink } from '../../../src/links/udp/udp-link.js';
import { listenUdp, type UdpListenOptions } from '../../../src/links/udp/udp-listener.js';
import { Recorder, until } from '../recorder.js';

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.address === '::1');

/** A listener on a free port, and what came to it from addresses without a link. */
async function listen(options: Partial<UdpListenOptions> = {}) {
  const strangers: { packet: Buffer; from: UdpAddress }[] = [];
  const counters = new Counters();
  const lines: string[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  const listener = await listenUdp(
    { host: '127.0.0.1', port: 0, maxPacket: 1472, maxLinks: 10, ...options },
    (packet, from) => strangers.push({ packet: Buffer.from(packet), from }),
    logger,
    counters,
  );
  onTestFinished(() => listener.close());
  return { listener, strangers, counters, lines, ...listener.address };
}

/** A peer that knows nothing of Slipway. */
async function rawSocket(type: 'udp4' | 'udp6' = 'udp4') {
  const socket = dgram.createSocket(type);
  const received: Buffer[] = [];
  socket.on('message', (message) => received.push(message));
  socket.bind(0, type === 'udp4' ? '127.0.0.1' : '::1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  const { address: host, port } = socket.address();
  return { socket, received, host, port };
}

describe('listenUdp', () => {
  it('hands over what strangers send, and what they send once they have a link', async () => {
    const { listener, strangers, port } = await listen();
    const peer = await rawSocket();
    peer.socket.send('hello', port, '127.0.0.1');
    await until(() => expect(strangers).toHaveLength(1));
    expect(strangers[0]).toEqual({
      packet: Buffer.from('hello'),
      from: { host: peer.host, port: peer.port },
    });

    const recorder = new Recorder();
    const link = listener.linkTo(peer, () => recorder);
    expect(link?.name).toBe(`udp:127.0.0.1:${peer.port}`);
    expect([link?.kind, link?.reliable, link?.ordered, link?.maxPacket]).toEqual(['udp', false, false, 1472]);
    expect(link?.wireSize(Buffer.alloc(7))).toBe(7);
    peer.socket.send('again', port, '127.0.0.1');
    await until(() => expect(recorder.packets).toEqual([Buffer.from('again')]));
    expect(strangers).toHaveLength(1);

    link?.send(Buffer.from('welcome'));
    await until(() => expect(peer.received).toEqual([Buffer.from('welcome')]));
  });

  it('gives one link to an address, however often it is asked', async () => {
    const { listener } = await listen();
    const peer = { host: '127.0.0.1', port: 9 };
    const link = listener.linkTo(peer, () => new Recorder());
    expect(listener.linkTo({ ...peer }, () => expect.unreachable())).toBe(link);
    expect(listener.linkTo({ ...peer, port: 10 }, () => new Recorder())).not.toBe(link);
  });

  it('receives a burst of 500 datagrams whole, from several peers', async () => {
    const { listener, port } = await listen();
    const peers = await Promise.all([rawSocket(), rawSocket()]);
    const recorders = peers.map((peer) => {
      const recorder = new Recorder();
      listener.linkTo(peer, () => recorder);
      return recorder;
    });
    for (let n = 0; n < 250; n++) {
      for (const { socket } of peers) socket.send(Buffer.of(0x80, n), port, '127.0.0.1');
    }
    const wanted = Array.from({ length: 250 }, (_, n) => Buffer.of(0x80, n));
    for (const { packets } of recorders) {
      await until(() => expect(packets).toHaveLength(250));
      expect(packets).toEqual(wanted);
    }
  });

  it('copies what it sends, and says when it is gone', async () => {
    const { listener } = await listen();
    const peer = await rawSocket();
    const recorder = new Recorder();
    const link = listener.linkTo(peer, () => recorder) as UdpLink;
    const packet = Buffer.from('first');
    link.send(packet);
    packet.write('other');
    link.send(packet);
    expect(link.backlog()).toBe(10);
    await until(() => expect(peer.received.map(String)).toEqual(['first', 'other']));
    await until(() => expect(recorder.drains).toBe(1));
    expect(link.backlog()).toBe(0);
  });

  it('answers a stranger without a link', async () => {
    const { listener } = await listen();
    const peer = await rawSocket();
    listener.sendTo(Buffer.from('no'), peer);
    await until(() => expect(peer.received.map(String)).toEqual(['no']));
  });

  it('drops and counts datagrams that are empty, too large, or too many to wait', async () => {
    const { listener, strangers, counters, port } = await listen({ maxPacket: 16, maxBacklog: 40 });
    const peer = await rawSocket();
    const link = listener.linkTo(peer, () => new Recorder()) as UdpLink;
    for (let n = 0; n < 5; n++) link.send(Buffer.alloc(16));
    link.send(Buffer.alloc(17));
    await until(() => expect(peer.received).toHaveLength(2));
    expect([counters.get('udp.drop.backlog'), counters.get('udp.drop.too_large')]).toEqual([3, 1]);

    const other = await rawSocket();
    for (const size of [0, 17, 16]) other.socket.send(Buffer.alloc(size), port, '127.0.0.1');
    await until(() => expect(strangers).toHaveLength(1));
    expect(strangers[0]?.packet).toHaveLength(16);
    expect([counters.get('udp.drop.empty'), counters.get('udp.drop.oversize')]).toEqual([1, 1]);
  });

  it('has no more links than it may, and says so once', async () => {
    const { listener, counters, lines } = await listen({ maxLinks: 1 });
    const first = listener.linkTo({ host: '127.0.0.1', port: 1 }, () => new Recorder());
    for (const port of [2, 3]) {
      expect(listener.linkTo({ host: '127.0.0.1', port }, () => expect.unreachable())).toBeUndefined();
    }
    expect(counters.get('udp.refused.too_many')).toBe(2);
    expect(lines.filter((line) => line.includes('turned away'))).toHaveLength(1);
    await first?.close();
    expect(listener.linkTo({ host: '127.0.0.1', port: 2 }, () => new Recorder())).toBeDefined();
  });

  it('survives datagrams that the system refuses to send, and counts them', async () => {
    const { listener, counters } = await listen({ maxPacket: 100_000 });
    const peer = await rawSocket();
    const link = listener.linkTo(peer, () => new Recorder()) as UdpLink;
    link.send(Buffer.alloc(70_000));
    await until(() => expect(counters.get('udp.drop.EMSGSIZE')).toBe(1));
    listener.sendTo(Buffer.of(1), { host: '255.255.255.255', port: 9 });
    await until(() => expect(counters.get('udp.drop.EACCES')).toBe(1));
    listener.sendTo(Buffer.of(1), { host: '127.0.0.1', port: 0 });
    await until(() => expect(counters.get('udp.drop.ERR_SOCKET_BAD_PORT')).toBe(1));
    link.send(Buffer.from('still here'));
    await until(() => expect(peer.received.map(String)).toEqual(['still here']));
    expect(link.backlog()).toBe(0);
  });

  it('loses no datagram to an earlier error of the socket', async () => {
    const sockets: dgram.Socket[] = [];
    const createSocket = ((options: dgram.SocketOptions) => {
      const socket = dgram.createSocket(options);
      sockets.push(socket);
      return socket;
    }) as typeof dgram.createSocket;
    const { listener, counters, lines } = await listen({ dgram: { ...dgram, createSocket } });
    const peer = await rawSocket();
    const link = listener.linkTo(peer, () => new Recorder()) as UdpLink;
    sockets[0]?.emit('error', Object.assign(new Error('recvmsg ECONNREFUSED'), { code: 'ECONNREFUSED' }));
    link.send(Buffer.of(1));
    link.send(Buffer.of(2));
    await until(() => expect(peer.received).toHaveLength(2));
    expect(counters.get('udp.socket_error.ECONNREFUSED')).toBe(1);
    expect(lines.join()).toContain('recvmsg ECONNREFUSED');
  });

  it('says that a port is taken, and what to do', async () => {
    const { port } = await listen();
    await expect(listen({ port })).rejects.toMatchObject({
      code: 'listen_failed',
      message: `cannot listen on udp:127.0.0.1:${port}: the port is taken: stop the program that listens there, or give listen.udp another port`,
    });
    await expect(listen({ host: '192.0.2.1' })).rejects.toThrow('this machine has no such address');
  });

  it('says once that a link is closed, also to an owner that then closes it too', async () => {
    const { listener } = await listen();
    const reasons: string[] = [];
    const link: UdpLink | undefined = listener.linkTo({ host: '127.0.0.1', port: 9 }, () => ({
      packet: () => undefined,
      closed(reason) {
        reasons.push(reason);
        void link?.close();
      },
    }));
    await listener.close();
    expect(reasons).toEqual(['closed on this side']);
  });

  it('may be closed at any time and any number of times', async () => {
    const { listener, counters } = await listen();
    const peer = await rawSocket();
    const recorder = new Recorder();
    const link = listener.linkTo(peer, () => recorder) as UdpLink;
    link.send(Buffer.from('bye'));
    await Promise.all([listener.close(), listener.close(), link.close()]);
    await listener.close();
    expect(recorder.reasons).toEqual(['closed on this side']);
    await until(() => expect(peer.received.map(String)).toEqual(['bye']));
    link.send(Buffer.of(1));
    listener.sendTo(Buffer.of(1), peer);
    await until(() => expect(counters.get('udp.drop.ERR_SOCKET_DGRAM_NOT_RUNNING')).toBe(1));
    expect(counters.get('udp.drop.closed')).toBe(1);
    expect(listener.linkTo(peer, () => expect.unreachable())).toBeUndefined();
  });

  it('treats a peer as a stranger again when its link is closed', async () => {
    const { listener, strangers, port } = await listen();
    const peer = await rawSocket();
    const recorder = new Recorder();
    await listener.linkTo(peer, () => recorder)?.close();
    peer.socket.send('hello', port, '127.0.0.1');
    await until(() => expect(strangers).toHaveLength(1));
    expect([recorder.packets.length, recorder.reasons.length]).toEqual([0, 1]);
  });

  describe.skipIf(!hasIpv6)('over IPv6', () => {
    it('carries datagrams both ways', async () => {
      const { strangers, listener, port } = await listen({ host: '::1' });
      const peer = await rawSocket('udp6');
      peer.socket.send('six', port, '::1');
      await until(() => expect(strangers).toHaveLength(1));
      const link = listener.linkTo(strangers[0]?.from as UdpAddress, () => new Recorder());
      expect(link?.name).toBe(`udp:[::1]:${peer.port}`);
      link?.send(Buffer.from('back'));
      await until(() => expect(peer.received.map(String)).toEqual(['back']));
    });

    it('shows an IPv4 peer of a socket for both families by its plain address', async () => {
      const { strangers, listener, port } = await listen({ host: '::' });
      const peer = await rawSocket();
      peer.socket.send('four', port, '127.0.0.1');
      await until(() => expect(strangers[0]?.from).toEqual({ host: '127.0.0.1', port: peer.port }));
      const recorder = new Recorder();
      listener.linkTo(peer, () => recorder)?.send(Buffer.from('back'));
      await until(() => expect(peer.received.map(String)).toEqual(['back']));
      peer.socket.send('linked', port, '127.0.0.1');
      await until(() => expect(recorder.packets.map(String)).toEqual(['linked']));
    });
  });
});

describe('connectUdp', () => {
  it.each(['127.0.0.1', ...(hasIpv6 ? ['::1', '0:0:0:0:0:0:0:1'] : [])])(
    'carries datagrams both ways: %s',
    async (host) => {
      const { strangers, listener, port } = await listen({ host });
      const recorder = new Recorder();
      const counters = new Counters();
      const link = await connectUdp({ host, port, maxPacket: 1472, counters }, () => recorder);
      link.send(Buffer.from('ping'));
      await until(() => expect(strangers.map(({ packet }) => String(packet))).toEqual(['ping']));
      listener.sendTo(Buffer.from('pong'), strangers[0]?.from as UdpAddress);
      await until(() => expect(recorder.packets.map(String)).toEqual(['pong']));

      const stranger = await listen({ host });
      stranger.listener.sendTo(Buffer.from('psst'), strangers[0]?.from as UdpAddress);
      await until(() => expect(counters.get('udp.drop.stranger')).toBe(1));
      await link.close();
      await link.close();
      expect(recorder.reasons).toEqual(['closed on this side']);
      expect(recorder.packets).toHaveLength(1);
    },
  );

  it('says when it cannot', async () => {
    const connecting = connectUdp({ host: 'x'.repeat(300), port: 1, maxPacket: 64 }, () => new Recorder());
    await expect(connecting).rejects.toMatchObject({ code: 'connect_failed' });
  });
});
