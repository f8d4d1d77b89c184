import { once } from 'node:events';
import { connect as rawConnect, type Socket } from 'node:net';
import { pino } from 'pino';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Counters } from '../../../src/counters.js';
import type { ByteLink } from '../../../src/links/byte-link.js';
import { type ByteListenOptions, listenMqtt } from '../../../src/links/tcp/tcp-listener.js';
import { ByteRecorder, until } from '../recorder.js';

afterEach(() => {
  vi.useRealTimers();
});

/** One connection: the gateway's end, what it tells, and the peer's socket. */
async function connection(options: Partial<ByteListenOptions> = {}, events = new ByteRecorder()) {
  const counters = new Counters();
  const links: ByteLink[] = [];
  const listener = await listenMqtt(
    { host: '127.0.0.1', port: 0, maxConnections: 10, ...options },
    (link) => {
      links.push(link);
      return events;
    },
    pino({ level: 'silent' }),
    counters,
  );
  onTestFinished(() => listener.close());
  const socket: Socket = rawConnect(listener.address.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  await until(() => expect(links).toHaveLength(1));
  return { link: links[0] as ByteLink, events, socket, counters };
}

describe('StreamConnection', () => {
  it('carries bytes both ways as they are, and knows who is there', async () => {
    const { link, events, socket, counters } = await connection();
    link.send(Buffer.from('one '));
    link.send(Buffer.alloc(100_000, 'x'));
    link.send(Buffer.from(' two'));
    expect(link.backlog()).toBe(100_008);
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    await until(() => expect(received).toBe(`one ${'x'.repeat(100_000)} two`));
    await until(() => expect(events.drains).toBeGreaterThan(0));
    socket.write('hello');
    await until(() => expect(events.text).toBe('hello'));
    expect(link).toMatchObject({
      kind: 'mqtt',
      name: `mqtt:127.0.0.1:${socket.localPort}`,
      party: '127.0.0.1',
      secure: undefined,
    });
    expect(counters.get('mqtt.accepted')).toBe(1);
  });

  it('gives what was not taken before a pause again, before all else', async () => {
    const events = new ByteRecorder();
    const { link, socket } = await connection({}, events);
    events.take = (chunk) => {
      link.pause();
      return Math.min(3, chunk.length);
    };
    socket.write('abcdefgh');
    await until(() => expect(events.text).toBe('abc'));
    socket.end('ij');
    link.resume();
    expect(events.text).toBe('abcdef');
    expect(events.reasons).toEqual([]);
    events.take = (chunk) => chunk.length;
    link.resume();
    await until(() => expect(events.reasons).toEqual(['the other side closed the connection']));
    expect(events.text).toBe('abcdefghij');
  });

  it('gives what was read before a pause even if the connection is lost meanwhile, bit by bit', async () => {
    const events = new ByteRecorder();
    const { link, socket, counters } = await connection({}, events);
    events.take = (chunk) => {
      link.pause();
      return Math.min(3, chunk.length);
    };
    socket.write('abcdefgh');
    await until(() => expect(events.text).toBe('abc'));
    socket.resetAndDestroy();
    await until(() => {
      link.send(Buffer.from('is anybody there?'));
      expect(counters.get('mqtt.drop.closed')).toBeGreaterThan(0);
    });
    expect(events.reasons).toEqual([]);
    for (const text of ['abcdef', 'abcdefgh']) {
      link.resume();
      expect(events.text).toBe(text);
    }
    link.resume();
    await until(() => expect(events.reasons).toHaveLength(1));
  });

  it.each(['close', 'destroy'] as const)(
    'tells no more once its owner calls %s, but that it closed',
    async (how) => {
      const events = new ByteRecorder();
      const { link, socket, counters } = await connection({}, events);
      events.take = () => {
        link.pause();
        if (how === 'close') void link.close();
        else link.destroy('enough');
        return 1;
      };
      socket.write('abc');
      await once(socket.resume(), 'close');
      await until(() => expect(events.reasons).toEqual([how === 'close' ? 'closed on this side' : 'enough']));
      link.resume();
      expect([events.text, events.reasons.length]).toEqual(['a', 1]);
      link.send(Buffer.from('late'));
      expect(counters.get('mqtt.drop.closed')).toBe(1);
    },
  );

  it('drops and counts what waits when it is destroyed', async () => {
    const { link, socket, counters } = await connection();
    link.send(Buffer.alloc(5000));
    link.destroy('enough');
    await once(socket.resume(), 'close');
    expect(counters.get('mqtt.unsent.bytes')).toBe(5000);
  });

  it('sends the goodbye of an owner whose peer does not finish a packet, and closes', async () => {
    const events = new ByteRecorder();
    const { link, socket, counters } = await connection({ stallMs: 50 }, events);
    events.stalled = () => link.send(Buffer.from('bye'));
    events.unfinished = true;
    socket.write('begun');
    const [goodbye] = (await once(socket, 'data')) as [Buffer];
    expect(String(goodbye)).toBe('bye');
    await until(() =>
      expect(events.reasons).toEqual(['the other side did not finish a packet that it had begun']),
    );
    expect(counters.get('mqtt.closed.unfinished')).toBe(1);
  });

  it('counts the time for a packet from its own beginning', async () => {
    const events = new ByteRecorder();
    const { link, socket } = await connection({ stallMs: 300 }, events);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    events.unfinished = true;
    for (let n = 0; n < 20; n++) {
      // Each read ends one packet and begins another, so none is ever unfinished for long.
      const read = new Promise<void>((resolve) => {
        events.take = (chunk) => {
          link.packetEnded();
          resolve();
          return chunk.length;
        };
      });
      socket.write('x');
      await read;
      vi.advanceTimersByTime(200);
    }
    expect(events.stalls).toEqual([]);
    vi.advanceTimersByTime(300);
    expect(events.stalls).toEqual(['timeout']);
  });
});
