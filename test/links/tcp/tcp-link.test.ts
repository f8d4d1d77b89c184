import { once } from 'node:events';
import { type AddressInfo, createServer, connect as rawConnect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { pino } from 'pino';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Counters } from '../../../src/counters.js';
import { connectTcp } from '../../../src/links/tcp/tcp-connect.js';
import { writeRecord } from '../../../src/links/tcp/tcp-framing.js';
import type { TcpLink } from '../../../src/links/tcp/tcp-link.js';
import { listenTcp, type TcpListenOptions } from '../../../src/links/tcp/tcp-listener.js';
import { Recorder, until } from '../recorder.js';

afterEach(() => {
  vi.useRealTimers();
});

/** A listener on a free port, what came of its links, and its log. */
async function listen(options: Partial<TcpListenOptions> = {}) {
  const links: TcpLink[] = [];
  const events: Recorder[] = [];
  const counters = new Counters();
  const lines: string[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  const listener = await listenTcp(
    { host: '127.0.0.1', port: 0, maxConnections: 10, maxPacket: 1_048_576, ...options },
    (link) => {
      const recorder = new Recorder();
      links.push(link);
      events.push(recorder);
      return recorder;
    },
    logger,
    counters,
  );
  onTestFinished(() => listener.close());
  const { host, port } = listener.address;

  /** The gateway's end of the connection that was made last, once it is there. */
  async function accepted(count = 1): Promise<[TcpLink, Recorder]> {
    await until(() => expect(links).toHaveLength(count));
    return [links[count - 1] as TcpLink, events[count - 1] as Recorder];
  }

  async function connect(recorder = new Recorder()): Promise<[TcpLink, Recorder]> {
    const link = await connectTcp({ host, port, maxPacket: 1_048_576, timeoutMs: 5000 }, () => recorder);
    onTestFinished(() => link.close());
    return [link, recorder];
  }

  async function connectRaw(allowHalfOpen = false): Promise<Socket> {
    const socket = rawConnect({ host, port, allowHalfOpen });
    socket.setNoDelay(true);
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  return { listener, host, port, links, events, counters, lines, accepted, connect, connectRaw };
}

function packetOf(n: number): Buffer {
  const packet = Buffer.alloc(2 + (n % 50), n);
  packet.writeUInt16BE(n);
  return packet;
}

describe('TcpLink', () => {
  it('carries packets both ways, whole and in order', async () => {
    const { accepted, connect } = await listen();
    const [client, toClient] = await connect();
    const [server, toServer] = await accepted();
    const packets = Array.from({ length: 2000 }, (_, n) => packetOf(n));
    for (const packet of packets) {
      client.send(packet);
      server.send(packet);
    }
    await until(() => expect([toClient.packets.length, toServer.packets.length]).toEqual([2000, 2000]));
    expect(toClient.packets).toEqual(packets);
    expect(toServer.packets).toEqual(packets);
  });

  it('copies what it sends: the bytes may be used again at once', async () => {
    const { accepted, connect } = await listen();
    const [client] = await connect();
    const [, toServer] = await accepted();
    const packet = Buffer.from('first');
    client.send(packet);
    packet.write('other');
    client.send(packet);
    await until(() => expect(toServer.packets.map(String)).toEqual(['first', 'other']));
  });

  it('gathers what is sent in one turn and then writes it out', async () => {
    const { accepted, connect } = await listen();
    const [client] = await connect();
    const [, toServer] = await accepted();
    for (let n = 0; n < 100; n++) client.send(Buffer.alloc(9));
    expect(client.backlog()).toBe(1000);
    expect(client.wireSize(Buffer.alloc(9))).toBe(10);
    await until(() => expect(client.backlog()).toBe(0));
    await until(() => expect(toServer.packets).toHaveLength(100));
  });

  it('puts packets together that arrive byte by byte', async () => {
    const { accepted, connectRaw } = await listen();
    const socket = await connectRaw();
    const [, events] = await accepted();
    const packets = [packetOf(3), Buffer.alloc(200, 7), packetOf(4)];
    const stream = Buffer.alloc(1000);
    let length = 0;
    for (const packet of packets) length = writeRecord(stream, length, packet);
    for (const byte of stream.subarray(0, length)) {
      await new Promise<void>((resolve) => socket.write(Uint8Array.of(byte), () => resolve()));
    }
    await until(() => expect(events.packets).toEqual(packets));
  });

  it('carries a packet of a mebibyte', async () => {
    const { accepted, connect } = await listen();
    const [client] = await connect();
    const [, toServer] = await accepted();
    const packet = Buffer.alloc(1_048_576, 'slipway');
    client.send(packet);
    client.send(packetOf(1));
    await until(() => expect(toServer.packets).toHaveLength(2));
    expect(toServer.packets[0]?.equals(packet)).toBe(true);
  });

  it.each([
    ['oversize', Buffer.from([17]), 'a packet of 17 bytes is larger than the 16 bytes that are taken'],
    ['malformed', Buffer.from([0]), 'the length of a packet is zero'],
  ])('closes a connection whose framing is %s, and counts it', async (code, bytes, reason) => {
    const { accepted, connectRaw, counters } = await listen({ maxPacket: 16 });
    const socket = await connectRaw();
    const [, events] = await accepted();
    socket.write(Buffer.concat([Buffer.from([1, 0xb5]), bytes, Buffer.from([1, 0xb5])]));
    await once(socket, 'close');
    await until(() => expect(events.reasons).toEqual([reason]));
    expect(events.packets).toEqual([Buffer.from([0xb5])]);
    expect(counters.get(`tcp.drop.${code}`)).toBe(1);
  });

  it('drops and counts a packet that is too large to send', async () => {
    const { accepted, connectRaw, counters } = await listen({ maxPacket: 16 });
    const socket = await connectRaw();
    const [link] = await accepted();
    link.send(Buffer.alloc(17));
    link.send(Buffer.alloc(1, 9));
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect([...data]).toEqual([1, 9]);
    expect(counters.get('tcp.drop.too_large')).toBe(1);
  });

  it('shows a backlog when the other side does not read, and says when it has drained', async () => {
    const { accepted, connectRaw } = await listen();
    const socket = await connectRaw();
    const [link, events] = await accepted();
    const packet = Buffer.alloc(65_000);
    let sent = 0;
    // The socket is not read, so what the system takes has an end.
    await until(() => {
      link.send(packet);
      sent += link.wireSize(packet);
      expect(link.backlog()).toBeGreaterThan(1_000_000);
    });
    const drainsBefore = events.drains;
    let received = 0;
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    await until(() => expect(received).toBe(sent));
    await until(() => expect(events.drains).toBeGreaterThan(drainsBefore));
    expect(link.backlog()).toBe(0);
  });

  it('gives up a peer that never reads before its backlog grows beyond the bound', async () => {
    const { accepted, connectRaw, counters } = await listen({ maxBacklog: 500_000 });
    await connectRaw();
    const [link, events] = await accepted();
    await until(() => {
      link.send(Buffer.alloc(65_000));
      expect(link.backlog()).toBeLessThan(600_000);
      expect(events.reasons).toHaveLength(1);
    });
    expect(events.reasons[0]).toContain('the other side does not read');
    expect(counters.get('tcp.closed.too_slow')).toBe(1);
    await until(() => expect(counters.get('tcp.unsent.bytes')).toBeGreaterThan(400_000));
  });

  it('sends what is queued before it closes', async () => {
    const { accepted, connect } = await listen();
    const [client, toClient] = await connect();
    const [, toServer] = await accepted();
    for (let n = 0; n < 500; n++) client.send(Buffer.alloc(1000, n));
    await client.close();
    await until(() => expect(toServer.reasons).toEqual(['the other side closed the connection']));
    expect(toServer.packets).toHaveLength(500);
    expect(toClient.reasons).toEqual(['closed on this side']);
  });

  it('can be closed any number of times, and then drops what it is given', async () => {
    const { accepted, connect, counters } = await listen();
    const [, toClient] = await connect();
    const [server, toServer] = await accepted();
    expect(server.close()).toBe(server.close());
    server.send(Buffer.of(1));
    await server.close();
    await server.close();
    expect(counters.get('tcp.drop.closed')).toBe(1);
    expect(toServer.reasons).toHaveLength(1);
    await until(() => expect(toClient.reasons).toHaveLength(1));
    expect(toClient.packets).toEqual([]);
  });

  it('closes in the end when the other side neither reads nor closes', async () => {
    const { accepted, connectRaw } = await listen();
    await connectRaw(true);
    const [link, events] = await accepted();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const closed = link.close();
    vi.advanceTimersByTime(2000);
    await closed;
    expect(events.reasons).toEqual(['closed on this side']);
  });

  it('tells nothing more of a read once its owner has closed it', async () => {
    const { accepted, connectRaw } = await listen();
    const socket = await connectRaw();
    const [link, events] = await accepted();
    events.onPacket = () => void link.close();
    socket.write(Buffer.from([1, 10, 1, 11, 1, 12]));
    await until(() => expect(events.reasons).toHaveLength(1));
    expect(events.packets).toEqual([Buffer.of(10)]);
  });

  it('survives a reset', async () => {
    const { accepted, connectRaw } = await listen();
    const socket = await connectRaw();
    const [link, events] = await accepted();
    socket.resetAndDestroy();
    await until(() => expect(events.reasons).toEqual(['read ECONNRESET']));
    link.send(Buffer.of(1));
    await link.close();
  });
});

describe('listenTcp', () => {
  it('says where it listens and names its links', async () => {
    const { host, port, accepted, connectRaw } = await listen();
    const socket = await connectRaw();
    const [link] = await accepted();
    expect([host, port > 0]).toEqual(['127.0.0.1', true]);
    expect(link.name).toBe(`tcp:127.0.0.1:${socket.localPort}`);
    expect([link.kind, link.reliable, link.ordered, link.maxPacket]).toEqual(['tcp', true, true, 1_048_576]);
  });

  it.skipIf(
    !Object.values(networkInterfaces())
      .flat()
      .some((each) => each?.address === '::1'),
  )('listens on IPv6', async () => {
    const { accepted, connect } = await listen({ host: '::1' });
    const [client] = await connect();
    const [link, events] = await accepted();
    expect(link.name).toMatch(/^tcp:\[::1\]:\d+$/);
    client.send(Buffer.of(1));
    await until(() => expect(events.packets).toHaveLength(1));
  });

  it('says that a port is taken, and what to do', async () => {
    const { port } = await listen();
    await expect(listen({ port })).rejects.toMatchObject({
      code: 'listen_failed',
      message: `cannot listen on tcp:127.0.0.1:${port}: the port is taken: stop the program that listens there, or give listen.tcp another port`,
    });
  });

  it("says that a name was not found, or an address is not this machine's", async () => {
    await expect(listen({ host: '192.0.2.1' })).rejects.toThrow(
      'cannot listen on tcp:192.0.2.1:0: this machine has no such address',
    );
  });

  it('turns away what is beyond its bound, counts it, and says so once', async () => {
    const { connectRaw, accepted, counters, lines, events } = await listen({ maxConnections: 2 });
    const first = await connectRaw();
    await connectRaw();
    await accepted(2);
    for (const tries of [1, 2]) {
      const socket = await connectRaw();
      socket.on('error', () => {});
      await once(socket, 'close');
      await until(() => expect(counters.get('tcp.refused.too_many')).toBe(tries));
    }
    expect(lines.filter((line) => line.includes('listen.tcp.max_connections'))).toHaveLength(1);
    first.destroy();
    await until(() => expect(events[0]?.reasons).toHaveLength(1));
    await connectRaw();
    await accepted(3);
    expect(counters.get('tcp.accepted')).toBe(3);
  });

  it('lets one address open so many a second, counts the others, and says so once', async () => {
    const { connectRaw, accepted, counters, lines } = await listen({
      maxConnections: 50,
      acceptsPerSecond: 1,
    });
    const settled = () => counters.get('tcp.accepted') + counters.get('tcp.refused.too_fast');
    for (let n = 1; n <= 30; n++) {
      (await connectRaw()).on('error', () => {});
      await until(() => expect(settled()).toBe(n));
    }
    expect(counters.get('tcp.accepted')).toBeGreaterThanOrEqual(10);
    expect(counters.get('tcp.refused.too_fast')).toBeGreaterThan(0);
    expect(lines.filter((line) => line.includes('limits.per_address.connections'))).toHaveLength(1);
    await accepted(counters.get('tcp.accepted'));
  });

  it('closes its connections when it is closed, and may be closed twice', async () => {
    const { listener, port, connect, accepted } = await listen();
    const [, toClient] = await connect();
    const [server] = await accepted();
    server.send(Buffer.of(4));
    await Promise.all([listener.close(), listener.close()]);
    await until(() => expect(toClient.reasons).toEqual(['the other side closed the connection']));
    expect(toClient.packets).toEqual([Buffer.of(4)]);
    await expect(
      connectTcp({ host: '127.0.0.1', port, maxPacket: 64, timeoutMs: 5000 }, () => new Recorder()),
    ).rejects.toThrow('connection refused');
  });
});

describe('connectTcp', () => {
  const options = { maxPacket: 64, timeoutMs: 5000 };

  it('says what to do when nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    await expect(
      connectTcp({ host: '127.0.0.1', port, ...options }, () => new Recorder()),
    ).rejects.toMatchObject({
      code: 'connect_failed',
      message: `no gateway at 127.0.0.1:${port}: connection refused: start one with \`slipway run\`, or check host and port`,
    });
  });

  it('does not wait for ever', async () => {
    const { host, port } = await listen();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const connecting = connectTcp({ host, port, ...options }, () => new Recorder());
    vi.advanceTimersByTime(5000);
    await expect(connecting).rejects.toThrow(`no gateway at ${host}:${port}: no answer within 5000 ms`);
  });

  it('gives up when it is told to', async () => {
    const { host, port } = await listen();
    const abort = new AbortController();
    const connecting = connectTcp({ host, port, ...options, signal: abort.signal }, () => new Recorder());
    abort.abort();
    await expect(connecting).rejects.toMatchObject({ code: 'connect_failed' });
    const late = connectTcp({ host, port, ...options, signal: abort.signal }, () => new Recorder());
    await expect(late).rejects.toMatchObject({ code: 'connect_failed' });
  });

  it('loses nothing that the gateway says at once', async () => {
    const { host, port, events, links } = await listen();
    const recorder = new Recorder();
    const link = await connectTcp({ host, port, ...options }, () => recorder);
    onTestFinished(() => link.close());
    await until(() => expect(links).toHaveLength(1));
    links[0]?.send(Buffer.of(1));
    await until(() => expect(recorder.packets).toHaveLength(1));
    expect(events).toHaveLength(1);
  });
});
