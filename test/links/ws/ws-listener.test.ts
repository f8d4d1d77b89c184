import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect as rawConnect, type Socket } from 'node:net';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { Counters } from '../../../src/counters.js';
import type { ByteLink } from '../../../src/links/byte-link.js';
import type { Link } from '../../../src/links/link.js';
import { readCredentials } from '../../../src/links/tls/credentials.js';
import { listenWs, type WsListenOptions } from '../../../src/links/ws/ws-listener.js';
import { CertificateMaker } from '../../support/certificates.js';
import { describeWithTools } from '../../support/tools.js';
import { ByteRecorder, Recorder, until } from '../recorder.js';

const MAX_PACKET = 100_000;

/** A listener on a free port, and what came of its links. */
async function listen(options: Partial<WsListenOptions> = {}) {
  const links: Link[] = [];
  const events: Recorder[] = [];
  const byteLinks: ByteLink[] = [];
  const byteEvents: ByteRecorder[] = [];
  const lines: string[] = [];
  const counters = new Counters();
  const listener = await listenWs(
    { host: '127.0.0.1', port: 0, maxConnections: 10, maxPacket: MAX_PACKET, origins: [], ...options },
    {
      onLink: (link) => {
        links.push(link);
        events.push(new Recorder());
        return events.at(-1) as Recorder;
      },
      onMqtt: (link) => {
        byteLinks.push(link);
        byteEvents.push(new ByteRecorder());
        return byteEvents.at(-1) as ByteRecorder;
      },
    },
    pino({ base: null }, { write: (line: string) => void lines.push(line) }),
    counters,
  );
  onTestFinished(() => listener.close());
  const { port } = listener.address;
  const url = `${options.tls ? 'wss' : 'ws'}://127.0.0.1:${port}`;

  function client(protocols: string[], more: ClientOptions = {}, path = '/'): WebSocket {
    const ws = new WebSocket(url + path, protocols, more);
    ws.on('error', () => {});
    onTestFinished(() => ws.terminate());
    return ws;
  }
  async function open(protocols: string[], more: ClientOptions = {}, path = '/'): Promise<WebSocket> {
    const ws = client(protocols, more, path);
    await once(ws, 'open');
    return ws;
  }
  async function slipway(): Promise<[WebSocket, Link, Recorder]> {
    const ws = await open(['slipway']);
    return [ws, links.at(-1) as Link, events.at(-1) as Recorder];
  }
  async function mqtt(): Promise<[WebSocket, ByteLink, ByteRecorder]> {
    const ws = await open(['mqtt']);
    return [ws, byteLinks.at(-1) as ByteLink, byteEvents.at(-1) as ByteRecorder];
  }
  /** The status of HTTP that answers the request for a WebSocket. */
  function refusal(protocols: string[], more: ClientOptions = {}): Promise<number | undefined> {
    const ws = client(protocols, more);
    return new Promise((resolve) =>
      ws.once('unexpected-response', (_, { statusCode }) => resolve(statusCode)),
    );
  }
  async function raw(): Promise<Socket> {
    const socket = rawConnect(port, '127.0.0.1');
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  }
  return { listener, port, links, byteLinks, counters, lines, open, slipway, mqtt, refusal, raw };
}

/** What a WebSocket receives from now on, and the code that it is closed with. */
function received(ws: WebSocket) {
  const messages: Buffer[] = [];
  const codes: number[] = [];
  ws.on('message', (data: Buffer) => void messages.push(data));
  ws.on('close', (code) => void codes.push(code));
  return { messages, codes };
}

describe('a WebSocket that speaks Slipway', () => {
  it('carries packets both ways, one a message, whole and in order', async () => {
    const { slipway } = await listen();
    const [ws, link, events] = await slipway();
    const { messages } = received(ws);
    expect(ws.protocol).toBe('slipway');
    expect(link).toMatchObject({
      kind: 'tcp',
      reliable: true,
      ordered: true,
      maxPacket: MAX_PACKET,
      party: '127.0.0.1',
    });
    expect(link.name).toMatch(/^ws:127\.0\.0\.1:\d+$/);
    const packets = Array.from({ length: 500 }, (_, n) => Buffer.alloc(1 + ((n * 997) % 70_000), n));
    for (const packet of packets) {
      link.send(packet);
      ws.send(packet);
    }
    await until(() => expect([messages.length, events.packets.length]).toEqual([500, 500]));
    expect(messages.every((message, n) => packets[n]?.equals(message))).toBe(true);
    expect(events.packets.every((packet, n) => packets[n]?.equals(packet))).toBe(true);
    await until(() => expect(link.backlog()).toBe(0));
    expect(
      [1, 125, 126, 65_535, 65_536].map((length) => link.wireSize(Buffer.alloc(length)) - length),
    ).toEqual([2, 2, 4, 4, 10]);
  });

  it.each([
    ['too large', Buffer.alloc(MAX_PACKET + 1), 'oversize', 1006],
    ['far too large', Buffer.alloc(3 * MAX_PACKET), 'oversize', 1009],
    ['empty', Buffer.alloc(0), 'malformed', 1006],
    ['text', 'hello', 'text', 1006],
  ] as const)('is closed over a message that is %s, and counted', async (_, message, fault, code) => {
    const { slipway, counters } = await listen();
    const [ws, , events] = await slipway();
    const { codes } = received(ws);
    ws.send(message);
    await until(() => expect(codes).toEqual([code]));
    await until(() => expect(events.reasons).toHaveLength(1));
    expect(events.packets).toEqual([]);
    expect(counters.get(`ws.drop.${fault}`)).toBe(1);
  });

  it('drops and counts what is too large to send, or comes after the end', async () => {
    const { slipway, counters } = await listen();
    const [ws, link] = await slipway();
    const { messages, codes } = received(ws);
    link.send(Buffer.alloc(MAX_PACKET + 1));
    link.send(Buffer.of(1));
    await link.close();
    link.send(Buffer.of(2));
    await until(() => expect(codes).toHaveLength(1));
    expect(messages).toEqual([Buffer.of(1)]);
    expect([counters.get('ws.drop.too_large'), counters.get('ws.drop.closed')]).toEqual([1, 1]);
  });

  it('hands on nothing while it is paused', async () => {
    const { slipway } = await listen();
    const [ws, link, events] = await slipway();
    events.onPacket = () => link.pause?.();
    for (let n = 0; n < 100; n++) ws.send(Buffer.of(n));
    await until(() => expect(events.packets).toHaveLength(1));
    ws.close();
    await until(() => expect(ws.bufferedAmount).toBe(0));
    expect([events.packets.length, events.reasons.length]).toEqual([1, 0]);
    events.onPacket = () => {};
    link.resume?.();
    await until(() => expect(events.reasons).toEqual(['the other side closed the connection']));
    expect(events.packets.map(([n]) => n)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });

  it('gives up a peer that does not read', async () => {
    const { slipway, counters } = await listen({ maxBacklog: 500_000 });
    const [ws, link, events] = await slipway();
    ws.pause();
    await until(() => {
      for (let n = 0; n < 20; n++) link.send(Buffer.alloc(65_000));
      expect(events.reasons).toHaveLength(1);
    });
    expect(events.reasons[0]).toContain('the other side does not read');
    expect(counters.get('ws.closed.too_slow')).toBe(1);
  });

  it('gives up a peer that does not finish a message, however slowly it goes on, but not one that is silent', async () => {
    const { slipway, counters } = await listen({ stallMs: 60 });
    const [silent, link] = await slipway();
    silent.send(Buffer.of(1));
    const [ws, , events] = await slipway();
    ws.send(Buffer.of(2));
    await until(() => expect(events.packets).toHaveLength(1));
    const timer = setInterval(() => ws.send(Buffer.of(3), { fin: false }), 5);
    await until(() =>
      expect(events.reasons).toEqual(['the other side did not finish a message that it had begun']),
    );
    clearInterval(timer);
    expect(counters.get('ws.closed.unfinished')).toBe(1);
    link.send(Buffer.of(4));
    const [packet] = (await once(silent, 'message')) as [Buffer];
    expect(packet).toEqual(Buffer.of(4));
  });

  it('answers pings, but not those of a peer that does not read the answers', async () => {
    const { slipway, counters } = await listen();
    const [ws, link] = await slipway();
    const pongs: string[] = [];
    ws.on('pong', (data) => void pongs.push(String(data)));
    ws.ping('hello');
    await until(() => expect(pongs).toEqual(['hello']));
    ws.pause();
    // More than the system takes for somebody who does not read.
    for (let n = 0; n < 400; n++) link.send(Buffer.alloc(65_000));
    await until(() => {
      ws.ping('again');
      expect(counters.get('ws.drop.pong')).toBeGreaterThan(0);
    });
  });
});

describe('a WebSocket that speaks MQTT', () => {
  it.each([
    [['mqtt'], 'mqtt'],
    [['other', 'mqtt', 'slipway'], 'mqtt'],
    [['mqttv3.1', 'mqtt'], 'mqttv3.1'],
  ])('is offered %j and answered %s', async (offered, answered) => {
    const { open, byteLinks } = await listen();
    const ws = await open(offered, {}, '/any/path?and=query');
    expect(ws.protocol).toBe(answered);
    expect(byteLinks[0]).toMatchObject({ kind: 'ws', party: '127.0.0.1', secure: undefined });
    expect(ws.extensions).toBe('');
  });

  it('carries bytes, wherever messages begin and end', async () => {
    const { mqtt } = await listen();
    const [ws, link, events] = await mqtt();
    const { messages } = received(ws);
    for (const part of ['ab', '', 'c', 'defg']) ws.send(Buffer.from(part));
    await until(() => expect(events.text).toBe('abcdefg'));
    for (let n = 0; n < 10; n++) link.send(Buffer.from(String(n)));
    link.send(Buffer.alloc(50_000, 'x'));
    const expected = `0123456789${'x'.repeat(50_000)}`;
    await until(() => expect(Buffer.concat(messages).toString()).toBe(expected));
    // What is sent in one turn is gathered.
    expect(messages.length).toBeLessThan(4);
    await until(() => expect(link.backlog()).toBe(0));
    await link.close();
    expect(events.reasons).toEqual(['closed on this side']);
  });

  it('is closed over text [MQTT-6.0.0-1]', async () => {
    const { mqtt, counters } = await listen();
    const [ws, , events] = await mqtt();
    ws.send('text');
    await until(() => expect(events.reasons).toEqual(['it sent text, where only binary messages may come']));
    expect(events.text).toBe('');
    expect(counters.get('ws.drop.text')).toBe(1);
  });

  it('tells what closed it when what it sends is no WebSocket frame', async () => {
    const { mqtt, counters } = await listen();
    const [ws, , events] = await mqtt();
    (ws as unknown as { _socket: Socket })._socket.write(Buffer.of(0xff, 0xff, 0xff, 0xff));
    await until(() => expect(events.reasons).toHaveLength(1));
    expect(events.reasons[0]).toContain('Invalid WebSocket frame');
    expect(counters.get('ws.drop.malformed')).toBe(1);
  });
});

describe('listenWs', () => {
  it('refuses who offers no subprotocol of its, or an origin that is not allowed', async () => {
    const { refusal, open, counters, lines } = await listen({ origins: ['https://dash.example'] });
    expect(await refusal([])).toBe(400);
    expect(await refusal(['wamp'])).toBe(400);
    expect(await refusal(['mqtt'], { origin: 'https://evil.example' })).toBe(403);
    expect(await refusal(['mqtt'], { origin: 'null' })).toBe(403);
    await open(['mqtt'], { origin: 'https://dash.example' });
    await open(['mqtt']);
    expect([counters.get('ws.refused.subprotocol'), counters.get('ws.refused.origin')]).toEqual([2, 2]);
    expect(lines.join()).toMatch(
      /ws:127\.0\.0\.1:\d+ was turned away: pages of \\"https:\/\/evil\.example\\" may not connect \(listen\.ws\.origins\)/,
    );
    expect(lines).toHaveLength(2);
  });

  it('lets pages of every site connect when told to', async () => {
    const { open } = await listen({ origins: ['*'] });
    await open(['slipway'], { origin: 'https://any.example' });
  });

  it('answers what is no request for a WebSocket, and goes on', async () => {
    const { port, raw, counters, open } = await listen();
    const status = await new Promise((resolve) =>
      httpRequest({ port, host: '127.0.0.1' }, ({ statusCode, headers }) =>
        resolve([statusCode, headers.upgrade]),
      ).end(),
    );
    expect(status).toEqual([426, 'websocket']);
    const upgrade = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
    for (const sent of [
      'nonsense\r\n\r\n',
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`,
      `${upgrade}Sec-WebSocket-Protocol: mqtt\r\n\r\n`,
      `${upgrade}Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n`,
    ]) {
      const socket = await raw();
      socket.write(sent);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(String(answer)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
      await until(() => expect(socket.closed).toBe(true));
    }
    expect(counters.get('ws.refused.not_websocket')).toBe(5);
    await open(['mqtt']);
  });

  it('gives up who does not ask for a WebSocket in time', async () => {
    const { raw, counters } = await listen({ handshakeMs: 20 });
    const socket = await raw();
    socket.write('GET / HTTP/1.1\r\n');
    await until(() => expect(socket.closed).toBe(true));
    expect(counters.get('ws.refused.handshake')).toBe(1);
  });

  it('closes everything when it is closed, also who has not asked yet', async () => {
    const { listener, raw, slipway, counters } = await listen();
    const waiting = await raw();
    const [ws, , events] = await slipway();
    const { codes } = received(ws);
    await until(() => expect(counters.get('ws.accepted')).toBe(2));
    await listener.close();
    await until(() => expect(waiting.closed).toBe(true));
    await until(() => expect(codes).toHaveLength(1));
    expect(events.reasons).toEqual(['closed on this side']);
  });
});

describeWithTools(['openssl'], 'a WebSocket over TLS', () => {
  it('knows the user by the certificate', async () => {
    const maker = new CertificateMaker();
    onTestFinished(() => maker.remove());
    const authority = maker.authority('ca');
    const files = { ...maker.server('server', authority), client_ca: authority.cert };
    const { credentials } = await readCredentials((key) => key, files);
    const { open, byteLinks, counters } = await listen({ tls: credentials });
    const { cert, key } = maker.client('ada', authority);
    const ca = readFileSync(authority.cert);
    const ws = await open(['mqtt'], { ca, cert: readFileSync(cert), key: readFileSync(key) });
    expect(byteLinks[0]?.secure).toEqual({ user: 'ada' });
    const { messages } = received(ws);
    byteLinks[0]?.send(Buffer.from('hello'));
    await until(() => expect(messages.map(String)).toEqual(['hello']));
    await expect(open(['mqtt'], { ca })).rejects.toThrow();
    expect(counters.get('ws.refused.tls')).toBe(1);
  });
});
