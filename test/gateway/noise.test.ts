import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Address } from '../../src/gateway/gateway.js';
import { recordSize, writeRecord } from '../../src/links/tcp/tcp-framing.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { Random } from '../support/random.js';
import { RawTcp, RawUdp, RawWs } from '../support/raw-peers.js';
import { UdpDevice } from '../support/udp-device.js';

const TOTAL_BYTES = 1_000_000;
const SEED = Number(process.env.SEED ?? randomInt(2 ** 32));

/** Packets of 1 to `longest` random bytes, about every second one with a first byte that can begin a packet. */
function* noise(random: Random, longest: number): Generator<Uint8Array> {
  for (let bytes = 0; bytes < TOTAL_BYTES; ) {
    const packet = random.bytes(1 + random.below(longest));
    if (random.chance(0.5)) packet[0] = 0x80 | (packet[0] as number);
    bytes += packet.length;
    yield packet;
  }
}

/** One connection that sends bytes until it is closed; resolves with how many it sent. */
function pour({ host, port }: Address, random: Random): Promise<number> {
  return new Promise((resolve) => {
    let sent = 0;
    const socket = connect({ host, port });
    const more = (): void => {
      if (socket.destroyed || !socket.writable) return;
      if (sent >= 20_000) {
        socket.end();
        return;
      }
      const bytes = random.bytes(1 + random.below(2000));
      sent += bytes.length;
      socket.write(bytes, more);
    };
    socket.on('connect', more);
    socket.on('error', () => {}); // 'close' follows.
    socket.on('close', () => resolve(sent));
    socket.resume();
  });
}

describe(`noise (SEED=${SEED})`, () => {
  it('on TCP connections disturbs nobody else', async () => {
    const { tcp, gateway } = await startGateway();
    const good = await connectTo(tcp);
    const random = new Random(SEED);
    for (let bytes = 0; bytes < TOTAL_BYTES; ) {
      bytes += (await Promise.all(Array.from({ length: 8 }, () => pour(tcp, random)))).reduce(
        (a, b) => a + b,
        8,
      );
    }
    const got: string[] = [];
    await good.subscribe('x', ({ text }) => void got.push(text));
    await good.emit('x', 'still here');
    await until(() => expect(got).toEqual(['still here']));
    const { counters } = gateway.statistics();
    expect((counters['tcp.drop.malformed'] ?? 0) + (counters['tcp.drop.oversize'] ?? 0)).toBeGreaterThan(10);
  });

  it('on a WebSocket, before and after its handshake, disturbs nobody else', async () => {
    const { gateway, tcp, count } = await startGateway({ listen: { ws: { port: 0 } } });
    const [address] = gateway.addresses.ws as [Address];
    const good = await RawWs.open(address);
    await good.introduce('good');
    const random = new Random(SEED);
    await Promise.all(Array.from({ length: 40 }, () => pour(address, random)));
    for (let n = 0; n < 100; n++) {
      const ws = new WebSocket(`ws://${address.host}:${address.port}`, n % 2 === 0 ? 'mqtt' : 'slipway');
      ws.on('error', () => {});
      await once(ws, 'open');
      for (let sent = 0; sent < 20 && ws.readyState === ws.OPEN; sent++)
        ws.send(random.bytes(random.below(2000)), { binary: random.chance(0.95), fin: random.chance(0.9) });
      ws.terminate();
    }
    await until(() => expect(count('ws.refused.not_websocket')).toBe(40));
    good.send({ type: 'ping', token: 99 });
    await until(() => expect(good.all('pong').some(({ token }) => token === 99)).toBe(true));
    await (await connectTo(tcp)).emit('x', 'all is well');
  });

  it('in whole TCP packets is refused; the session that says it stands and is answered', async () => {
    const { tcp, count } = await startGateway();
    const peer = await RawTcp.open(tcp);
    await peer.introduce('noisy', { window: 1 });
    for (const packet of noise(new Random(SEED), 500)) {
      // What ends the session (BYE, HELLO) is not the point here.
      const type = (packet[0] as number) & 0xbf;
      if (type === 0xb0 || type === 0xb4 || type === 0xb3) continue;
      const record = new Uint8Array(recordSize(packet));
      writeRecord(record, 0, packet);
      if (!peer.socket.write(record)) await new Promise((resolve) => peer.socket.once('drain', resolve));
    }
    await until(() => expect(count('session.drop.malformed')).toBeGreaterThan(100));
    const fresh = await connectTo(tcp);
    await fresh.emit('x', 'answered');
    peer.send({ type: 'ping', token: 99 });
    await until(() => expect(peer.closed || peer.all('pong').some(({ token }) => token === 99)).toBe(true));
  });

  it('on UDP disturbs neither a session nor a newcomer', async () => {
    const { udp, count, tcp } = await startGateway({
      listen: { udp: { port: 0, one_shot: { channels: ['#'] } } },
    });
    const device = new UdpDevice('good');
    await device.connect(udp);
    const sources = await Promise.all(Array.from({ length: 4 }, () => RawUdp.open(udp)));
    let sent = 0;
    for (const packet of noise(new Random(SEED), 1400)) {
      const { socket } = sources[sent++ % sources.length] as RawUdp;
      await new Promise((resolve) => socket.send(packet, udp.port, udp.host, resolve));
    }
    await until(() => expect(count('session.drop.malformed')).toBeGreaterThan(100));
    device.emit('x', 'still here');
    await until(() => expect(device.outcomes).toEqual(['ok']));
    const newcomer = new UdpDevice('newcomer');
    await newcomer.connect(udp);
    const client = await connectTo(tcp);
    await client.emit('x', 'all is well');
  });
});
