import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { OutgoingBytes } from '../../../src/links/stream/outgoing-bytes.js';
import { writeRecord } from '../../../src/links/tcp/tcp-framing.js';
import { until } from '../../support/gateways.js';
import { Random } from '../../support/random.js';

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

async function pair(): Promise<[Socket, Socket]> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  cleanUps.push(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return [near, far];
}

function record(packet: Uint8Array): Buffer {
  const bytes = Buffer.alloc(packet.length + 4);
  return bytes.subarray(0, writeRecord(bytes, 0, packet));
}

describe('OutgoingBytes', () => {
  it('sends everything whole and in order, records and other bytes, whatever their sizes, while the other side reads now and then', async () => {
    const random = new Random(7);
    const [near, far] = await pair();
    const [other, otherFar] = await pair();
    const received: Buffer[] = [];
    far.on('data', (chunk: Buffer) => void received.push(chunk));
    otherFar.resume();
    let told = 0;
    const outgoing: OutgoingBytes = new OutgoingBytes(near, (bytes) => {
      told += bytes;
      outgoing.write();
    });
    // Another connection takes over the pieces that this one is done with.
    const second: OutgoingBytes = new OutgoingBytes(other, () => second.write());
    const sent: Buffer[] = [];
    for (let n = 0; n < 3000; n++) {
      const largest = random.chance(0.01) ? 200_000 : random.chance(0.1) ? 20_000 : 100;
      const packet = Buffer.alloc(1 + random.below(largest), n);
      if (random.chance(0.5)) {
        sent.push(record(packet));
        outgoing.appendRecord(packet);
      } else {
        sent.push(packet);
        outgoing.append(packet);
      }
      second.append(Buffer.alloc(5000, 0xee));
      if (random.chance(0.1)) {
        outgoing.write();
        second.write();
      }
      if (random.chance(0.01)) far.pause();
      if (random.chance(0.02)) await new Promise((resolve) => setImmediate(resolve));
      if (random.chance(0.02)) far.resume();
    }
    far.resume();
    outgoing.write();
    const all = Buffer.concat(sent);
    await until(() => expect(outgoing.bytes).toBe(0));
    await until(() => expect(received.reduce((sum, { length }) => sum + length, 0)).toBe(all.length));
    expect(told).toBe(all.length);
    expect(Buffer.concat(received).equals(all)).toBe(true);
  });

  it('counts what waits, and forgets what the system was not given', async () => {
    const [near, far] = await pair();
    far.pause();
    const outgoing = new OutgoingBytes(near, () => {});
    outgoing.appendRecord(Buffer.alloc(100));
    expect(outgoing.bytes).toBe(101);
    outgoing.write();
    outgoing.appendRecord(Buffer.alloc(100));
    outgoing.appendRecord(Buffer.alloc(30_000));
    expect(outgoing.bytes).toBe(101 + 101 + 30_003);
    expect(outgoing.discard()).toBe(101 + 30_003);
    await until(() => expect(outgoing.bytes).toBe(0));
  });
});
