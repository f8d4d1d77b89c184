import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { recordSize, writeRecord } from '../../src/links/tcp/tcp-framing.js';
import { encodePacket } from '../../src/wire/encode.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { hello, RawTcp } from '../support/raw-peers.js';

const SUBSCRIBE = { type: 'subscribe', noLocal: false, noLastValue: false, id: 0 } as const;

describe('a peer on TCP that stands still', () => {
  it('and does not finish a packet is told, and cut off', async () => {
    const { tcp, count, gateway, log } = await startGateway({ limits: { tcp_stall: '1s' } });
    const peer = await RawTcp.open(tcp);
    await peer.introduce('drip', { expiry: 0 });
    peer.socket.write(Buffer.of(100, 0xb5)); // A record of 100 bytes, of which one comes.
    await until(() => expect(peer.closed).toBe(true));
    expect(peer.all('bye')).toMatchObject([{ reason: 'timeout' }]);
    expect(count('tcp.closed.unfinished')).toBe(1);
    expect(gateway.statistics().sessions.open).toBe(0);
    expect(log.map(({ msg }) => msg).join('\n')).toMatch(/drip is offline.*did not finish a packet/);
  });

  it('and does not finish its HELLO is cut off too', async () => {
    const { tcp, count } = await startGateway({ limits: { tcp_stall: '1s' } });
    const socket = connect(tcp);
    onTestFinished(() => void socket.destroy());
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    socket.resume();
    const packet = encodePacket([hello('half')]);
    const record = new Uint8Array(recordSize(packet));
    writeRecord(record, 0, packet);
    socket.write(record.subarray(0, 10));
    await until(() => expect(closed).toBe(true));
    expect(count('tcp.closed.unfinished')).toBe(1);
  });

  it('and reads nothing of what waits for it is cut off, whoever reads is not', async () => {
    const { tcp, count, gateway, log } = await startGateway({ limits: { tcp_stall: '1s' } });
    const slow = await RawTcp.open(tcp);
    const { nextIn: seq } = await slow.introduce('slow', { maxPacket: 100_000, expiry: 600 });
    slow.send({ ...SUBSCRIBE, qos: 0, seq, pattern: 'x' });
    await until(() => expect(slow.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));
    slow.stopReading();
    const [emitter, good] = [await connectTo(tcp), await connectTo(tcp)];
    let heard = 0;
    await good.subscribe('x', () => {
      heard++;
    });
    let emitted = 0;
    // Until the system takes no more of it.
    while (count('tcp.closed.too_slow') === 0) {
      for (let n = 0; n < 10; n++, emitted++) await emitter.emit('x', Buffer.alloc(30_000), { qos: 0 });
      await until(() => expect(heard).toBe(emitted));
    }
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 2, held: 1 }));
    expect(log.map(({ msg }) => msg).join('\n')).toMatch(/slow is offline.*does not read what it is sent/);
    await emitter.emit('x', 'still here');
    await until(() => expect(heard).toBe(emitted + 1));
  });
});

describe('connections', () => {
  it('of one address are limited, others get in', async () => {
    const { tcp, count, log } = await startGateway({ limits: { per_address: { links: 2 } } });
    const peers = [await RawTcp.open(tcp), await RawTcp.open(tcp)];
    await Promise.all(peers.map((peer, n) => peer.introduce(`peer-${n}`)));
    const third = await RawTcp.open(tcp);
    await until(() => expect(third.closed).toBe(true));
    expect(count('tcp.refused.too_many_of_address')).toBe(1);
    expect(log.filter(({ msg }) => msg.includes('limits.per_address.links'))).toHaveLength(1);
    await (await RawTcp.open(tcp, '127.0.0.2')).introduce('elsewhere');
    peers[0]?.socket.destroy();
    let welcomed = false;
    while (!welcomed) {
      const again = await RawTcp.open(tcp);
      again.send(hello('again'));
      await until(() => expect(again.closed || again.all('welcome').length > 0).toBe(true));
      welcomed = again.all('welcome').length > 0;
    }
  });
});
