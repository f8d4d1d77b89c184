import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { Emit } from '../../src/wire/messages.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { RawUdp } from '../support/raw-peers.js';
import { UdpDevice } from '../support/udp-device.js';

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.address === '::1');

describe.each([
  ['IPv4', '127.0.0.1', true],
  ['IPv6', '::1', hasIpv6],
])('sessions over UDP, %s', (_family, host, available) => {
  it.runIf(available)('carry messages both ways, at every QoS, in order', async () => {
    const { tcp, udp } = await startGateway({ listen: { udp: { port: 0, host } } });
    const client = await connectTo(tcp);
    const fromDevice: string[] = [];
    await client.subscribe('up/#', ({ text }) => void fromDevice.push(text));
    const device = new UdpDevice('uno');
    await device.connect(udp);
    device.subscribe('down');
    await until(() => expect(device.outcomes).toEqual(['ok']));

    const numbers = Array.from({ length: 500 }, (_, n) => String(n));
    for (const n of numbers) {
      device.emit('up/reliable', n, Number(n) % 2 ? 1 : 2);
      void client.emit('down', n, { qos: Number(n) % 2 ? 2 : 1 });
    }
    await until(() => expect(device.received).toHaveLength(500));
    await until(() => expect(fromDevice).toHaveLength(500));
    expect([fromDevice, device.received]).toEqual([numbers, numbers.map((n) => `down ${n}`)]);
    expect(device.outcomes.filter((outcome) => outcome !== 'ok')).toEqual([]);
    device.emit('up/unreliable', 'once', 0);
    await until(() => expect(fromDevice).toContain('once'));
  });

  it.runIf(available)('go on from another address with what was held meanwhile', async () => {
    const { tcp, udp } = await startGateway({ listen: { udp: { port: 0, host } } });
    const client = await connectTo(tcp);
    const device = new UdpDevice('uno');
    await device.connect(udp);
    device.subscribe('down');
    await until(() => expect(device.outcomes).toEqual(['ok']));
    await client.emit('down', '1');
    await until(() => expect(device.received).toEqual(['down 1']));
    await device.disconnect();
    await client.emit('down', '2');
    await client.emit('down', '3', { qos: 2 });
    await device.connect(udp);
    expect(device.sessions).toEqual([false, true]);
    await until(() => expect(device.received).toEqual(['down 1', 'down 2', 'down 3']));
  });
});

describe('UDP', () => {
  it('carries several messages in one datagram, both ways', async () => {
    const { tcp, udp } = await startGateway();
    const client = await connectTo(tcp);
    const got: string[] = [];
    await client.subscribe('up', ({ text }) => void got.push(text));
    const raw = await RawUdp.open(udp);
    const { nextIn: seq } = await raw.introduce('raw');
    const emit = (n: number): Emit => ({
      type: 'emit',
      qos: 0,
      retain: false,
      name: 'up',
      payload: Buffer.from(String(n)),
    });
    raw.send(...Array.from({ length: 100 }, (_, n) => emit(n)));
    await until(() => expect(got).toEqual(Array.from({ length: 100 }, (_, n) => String(n))));

    const options = { qos: 0, noLocal: false, noLastValue: false, id: 0 } as const;
    raw.send({ type: 'subscribe', seq, ...options, pattern: 'down' });
    await until(() => expect(raw.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));
    const before = raw.sizes.length;
    // They reach the gateway in one packet, and so leave it together.
    await Promise.all(Array.from({ length: 20 }, (_, n) => client.emit('down', String(n), { qos: 0 })));
    await until(() => expect(raw.all('emit')).toHaveLength(20));
    expect(raw.sizes.length - before).toBeLessThan(20);
  });

  it('refuses an identity that another address has', async () => {
    const { udp, count } = await startGateway();
    const first = new UdpDevice('twin');
    await first.connect(udp);
    const second = await RawUdp.open(udp);
    await second.hail('twin', { nonce: 99 });
    await until(() => expect(second.all('refuse').at(-1)?.reason).toBe('identity_in_use'));
    expect(count('session.identity_collisions')).toBe(1);
    first.emit('still', 'here');
    await until(() => expect(first.outcomes).toEqual(['ok']));
  });

  it('forgets the address of a peer that left', async () => {
    const { udp, gateway } = await startGateway();
    const raw = await RawUdp.open(udp);
    await raw.introduce('leaver');
    raw.send({ type: 'bye', reason: 'end_session' });
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 0, held: 0 }));
    raw.send({ type: 'begin', token: 1 });
    await until(() => expect(raw.all('refuse').at(-1)?.reason).toBe('no_session'));
  });
});
