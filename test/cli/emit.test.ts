import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Counters } from '../../src/counters.js';
import type { TcpLink } from '../../src/links/tcp/tcp-link.js';
import { listenTcp } from '../../src/links/tcp/tcp-listener.js';
import { decodePacket } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Message } from '../../src/wire/messages.js';
import { connectTo, freePort, startGateway, until } from '../support/gateways.js';
import { slipway } from '../support/programs.js';

async function start() {
  const { tcp } = await startGateway();
  const got: string[] = [];
  const client = await connectTo(tcp);
  for (const pattern of ['#', '$slipway/broadcast']) {
    await client.subscribe(pattern, ({ channel, text, qos }) => void got.push(`${channel} ${text} ${qos}`));
  }
  return { got, client, port: String(tcp.port) };
}

/** A gateway that opens a session and then acknowledges only when it is told to. */
async function reluctantGateway() {
  const received: Message[] = [];
  const counters = new Counters();
  let link: TcpLink | undefined;
  const say = (message: Message): void => link?.send(encodePacket([message]));
  const answer = (message: Message): void => {
    received.push(message);
    if (message.type === 'begin') say({ type: 'ack', next: 100, bitmap: new Uint8Array() });
    if (message.type !== 'hello') return;
    const limits = { keepAlive: 0, maxPacket: 1024, window: 8, ids: 0, time: 0 };
    const flags = { resumed: false, continues: false, known: false };
    const numbers = { token: 7, nextIn: 100, nextOut: 0, received: 0 };
    say({ type: 'welcome', version: 1, nonce: message.nonce, ...flags, ...numbers, ...limits });
  };
  const listener = await listenTcp(
    { host: '127.0.0.1', port: 0, maxConnections: 1, maxPacket: 1024 },
    (accepted) => {
      link = accepted;
      return { packet: (packet) => decodePacket(packet.slice(), 'peer').forEach(answer), closed: () => {} };
    },
    pino({ level: 'silent' }),
    counters,
  );
  onTestFinished(() => listener.close());
  const emits = (): Message[] => received.filter(({ type }) => type === 'emit');
  return { port: String(listener.address.port), received, emits, say };
}

describe('slipway emit', () => {
  it.each([['0'], ['1'], ['2']])('emits its argument at QoS %s and says nothing', async (qos) => {
    const { got, port } = await start();
    const program = slipway(['emit', 'greenhouse/led', 'on', '--qos', qos, '--port', port]);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    await until(() => expect(got).toEqual([`greenhouse/led on ${qos}`]));
    expect([program.stdout, program.stderr]).toEqual(['', '']);
  });

  it('leaves out the line end that ends standard input', async () => {
    const { client, port } = await start();
    const texts: string[] = [];
    await client.subscribe('lines', ({ text }) => void texts.push(text));
    for (const input of ['on\n', 'a\nb\r\n', 'bare']) {
      const program = slipway(['emit', 'lines', '--port', port]);
      program.child.stdin.end(input);
      expect(await program.ended).toEqual({ code: 0, signal: null });
    }
    await until(() => expect(texts).toEqual(['on', 'a\nb', 'bare']));
  });

  it('emits standard input as it is with --raw, once it has ended', async () => {
    const { client, port } = await start();
    const payloads: Uint8Array[] = [];
    await client.subscribe('bytes', ({ payload }) => void payloads.push(payload));
    const bytes = Buffer.from([0, 10, 13, 0xc0, 0xff, 0xfe, 10]);
    const program = slipway(['emit', 'bytes', '--raw', '--port', port]);
    program.child.stdin.write(bytes.subarray(0, 3));
    program.child.stdin.end(bytes.subarray(3));
    expect(await program.ended).toEqual({ code: 0, signal: null });
    await until(() => expect(payloads.map((payload) => Buffer.from(payload))).toEqual([bytes]));
  });

  it('refuses to read more than a message can hold', async () => {
    const { port } = await start();
    const program = slipway(['emit', 'bytes', '--port', port]);
    program.child.stdin.end(Buffer.alloc(1_048_577));
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toBe(
      'slipway: standard input holds more than 1048576 bytes, which is the most that a message can\n',
    );
  });

  it('keeps a last value, and clears it', async () => {
    const { client, port } = await start();
    expect((await slipway(['emit', 'state', 'on', '--retain', '--port', port]).ended).code).toBe(0);
    const kept: string[] = [];
    await client.subscribe('state', ({ text, retained }) => retained && void kept.push(text));
    await until(() => expect(kept).toEqual(['on']));
    expect((await slipway(['emit', 'state', '', '--retain', '--port', port]).ended).code).toBe(0);
    await (await connectTo({ host: '127.0.0.1', port: Number(port) })).subscribe('state', () =>
      expect.unreachable(),
    );
    await client.emit('settled', '');
  });

  it('ends only when it is acknowledged', async () => {
    const gateway = await reluctantGateway();
    const program = slipway(['emit', 'x', 'important', '--port', gateway.port]);
    await until(() => expect(gateway.emits()).toHaveLength(1));
    const { seq = 0 } = gateway.emits()[0] as { seq?: number };
    expect(gateway.received.some(({ type }) => type === 'bye')).toBe(false);
    expect(program.exit).toBeUndefined();
    gateway.say({ type: 'ack', next: seq + 1, bitmap: new Uint8Array() });
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(gateway.received.at(-1)).toEqual({ type: 'bye', reason: 'end_session' });
  });

  it('says in one line that there is no gateway', async () => {
    const program = slipway(['emit', 'x', 'y', '--port', String(await freePort())]);
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toMatch(/^slipway: no gateway at 127\.0\.0\.1:\d+: connection refused: .*\n$/);
    expect(program.stdout).toBe('');
  });

  it('says in one line what the gateway refused', async () => {
    const { port } = await start();
    const [reserved, wrong] = [
      slipway(['emit', '$slipway/stats', 'x', '--port', port]),
      slipway(['emit', 'a/#', 'x', '--port', port]),
    ];
    expect(await reserved.ended).toEqual({ code: 1, signal: null });
    expect(reserved.stderr).toBe(
      'slipway: the emit on "$slipway/stats" was refused: no rule of the gateway allows it, or the channel begins with $ and is its own\n',
    );
    expect(await wrong.ended).toEqual({ code: 2, signal: null });
    expect(wrong.stderr).toMatch(/^slipway: channel "a\/#": .*\n$/);
  });
});

describe('slipway broadcast', () => {
  it('reaches everyone', async () => {
    const { got, port } = await start();
    const program = slipway(['broadcast', 'maintenance', '--port', port, '--qos', '2']);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    await until(() => expect(got).toEqual(['$slipway/broadcast maintenance 2']));
  });
});
