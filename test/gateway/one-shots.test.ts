import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { Emit, Message } from '../../src/wire/messages.js';
import { connectTo, type RunningGateway, startGateway, until } from '../support/gateways.js';
import { hello, RawTcp, RawUdp } from '../support/raw-peers.js';

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.address === '::1');

function oneShot(name: string, text: string, more: Partial<Emit> = {}): Emit {
  return { type: 'emit', qos: 0, retain: false, name, payload: Buffer.from(text), ...more };
}

/** A gateway that takes one-shots as `policy` says, what a subscriber to everything hears, and a sensor. */
async function start(policy: object | false, host = '127.0.0.1', more: object = {}) {
  const running: RunningGateway = await startGateway({
    listen: { udp: { port: 0, host, one_shot: policy } },
    ...more,
  });
  const heard: string[] = [];
  const client = await connectTo(running.tcp);
  await client.subscribe(
    '#',
    ({ channel, text, retained }) => void heard.push(`${channel} ${text}${retained ? ' retained' : ''}`),
  );
  const sensor = await RawUdp.open(running.udp);
  return { ...running, client, heard, sensor };
}

/** What the gateway answers to a packet, and that it is no larger; undefined when it says nothing. */
async function answerTo(sensor: RawUdp, ...messages: Message[]): Promise<object | undefined> {
  const { length } = sensor.received;
  sensor.send(...messages);
  await until(() => expect(sensor.received.length).toBeGreaterThan(length));
  return sensor.received.at(-1);
}

describe('one-shots', () => {
  it('are routed, several in a datagram too, from whom and on what the config allows', async () => {
    const { sensor, heard, client, count } = await start({ channels: ['garden/+'], from: ['127.0.0.0/8'] });
    sensor.send(oneShot('garden/soil', '40 %', { retain: true }), oneShot('garden/rain', 'none'));
    await until(() => expect(heard).toEqual(['garden/soil 40 %', 'garden/rain none']));
    await client.subscribe('garden/soil', ({ retained }) => void heard.push(`last value ${retained}`));
    await until(() => expect(heard).toContain('last value true'));
    expect(sensor.received).toEqual([]);
    expect(count('udp.one_shots')).toBe(2);
  });

  it('are refused on other channels', async () => {
    const { sensor, heard, count } = await start({ channels: ['garden/+', '#'] });
    const channel = '$slipway/stats';
    expect(await answerTo(sensor, oneShot(channel, 'x'))).toMatchObject({
      type: 'refuse',
      reason: 'not_allowed',
    });
    const other = await start({ channels: ['garden/+'] });
    expect(await answerTo(other.sensor, oneShot('lock/open', 'x'))).toMatchObject({
      reason: 'not_allowed',
      head: 0x84,
    });
    expect([heard, other.heard]).toEqual([[], []]);
    expect(count('session.refused.not_allowed')).toBe(1);
  });

  it('are judged one by one: what is refused does not take the others with it', async () => {
    const { sensor, heard, tcp, count } = await start({ channels: ['garden/+'] });
    const small = await RawTcp.open(tcp);
    const { nextIn } = await small.introduce('small', { maxPacket: 48 });
    const pattern = { noLocal: false, noLastValue: true, id: 0, pattern: 'garden/+' } as const;
    small.send({ type: 'subscribe', seq: nextIn, qos: 0, ...pattern });
    await until(() => expect(small.all('ack').at(-1)?.next).toBe((nextIn + 1) & 0xffff));
    const long = 'x'.repeat(60);
    const answer = await answerTo(
      sensor,
      oneShot('garden/soil', long),
      oneShot('lock/open', 'now'),
      oneShot('garden/rain', 'none'),
    );
    expect(answer).toMatchObject({ type: 'refuse', reason: 'too_large_for_receiver' });
    await until(() => expect(heard).toEqual([`garden/soil ${long}`, 'garden/rain none']));
    expect(count('session.refused.not_allowed')).toBe(1);
    expect(sensor.received).toHaveLength(1);
  });

  it('are refused from other addresses', async () => {
    const { sensor, heard } = await start({ channels: ['#'], from: ['192.0.2.0/24', '2001:db8::1'] });
    expect(await answerTo(sensor, oneShot('garden/soil', 'x'))).toMatchObject({ reason: 'not_allowed' });
    expect(heard).toEqual([]);
  });

  it('are refused where they are off', async () => {
    const { sensor, heard } = await start(false);
    expect(await answerTo(sensor, oneShot('garden/soil', 'x'))).toMatchObject({ reason: 'no_session' });
    expect(heard).toEqual([]);
  });

  it('are refused when they are no one-shots: reliable, by id, or among other messages', async () => {
    const { sensor, heard } = await start({ channels: ['#'] });
    const one = oneShot('x', 'y');
    for (const messages of [
      [oneShot('x', 'y', { qos: 1, seq: 1 })],
      [{ type: 'emit', qos: 0, retain: false, id: 5, gatewayId: false, payload: Buffer.alloc(3) } as Emit],
      [one, { type: 'ping', token: 1 } as const],
      [{ type: 'begin', token: 7 } as const, one],
    ]) {
      expect(await answerTo(sensor, ...messages)).toMatchObject({ type: 'refuse', reason: 'no_session' });
    }
    expect(heard).toEqual([]);
  });

  it.runIf(hasIpv6)('come over IPv6 as well', async () => {
    const { sensor, heard } = await start({ channels: ['#'], from: ['::1'] }, '::1');
    sensor.send(oneShot('x', 'six'));
    await until(() => expect(heard).toEqual(['x six']));
  });

  it.runIf(hasIpv6)('come from IPv4 addresses to a socket for both', async () => {
    const {
      sensor: six,
      udp,
      heard,
    } = await start({ channels: ['#'], from: ['127.0.0.1'] }, '::', {
      access: { rules: [{ who: 'loopback', emit: '#', subscribe: '#' }] },
    });
    const four = await RawUdp.open({ host: '127.0.0.1', port: udp.port });
    four.send(oneShot('x', 'four'));
    await until(() => expect(heard).toEqual(['x four']));
    expect(six.received).toEqual([]);
  });
});

describe('one-shots where there are rules', () => {
  const rules = [
    { who: 'anyone', emit: 'garden/+' },
    { who: 'device:greenhouse', emit: '#' },
    { who: 'loopback', subscribe: '#', emit: 'yard/#' },
  ];

  it('are what anyone there may emit', async () => {
    const { sensor, heard } = await start({ channels: ['#'] }, '127.0.0.1', { access: { rules } });
    sensor.send(oneShot('garden/soil', 'dry'), oneShot('yard/gate', 'open'));
    await until(() => expect(heard).toEqual(['garden/soil dry', 'yard/gate open']));
    for (const channel of ['lock/open', 'garden/soil/deep', 'garden'])
      expect(await answerTo(sensor, oneShot(channel, 'x'))).toMatchObject({ reason: 'not_allowed' });
    expect(heard).toHaveLength(2);
  });
});

describe('a datagram from an address without a session', () => {
  it('gets an answer that is never larger than itself, or none', async () => {
    const { udp } = await start(false);
    const packets = [
      'b0',
      'f0',
      'b001',
      'b500',
      'b5',
      'b402',
      'b50101',
      '800501',
      'b200000001',
      '00',
      'ffff',
    ];
    for (const hex of packets) {
      const packet = Buffer.from(hex, 'hex');
      const stranger = await RawUdp.open(udp);
      stranger.sendPacket(packet);
      // What answers the packet, if anything, comes before the cookie and the WELCOME.
      await stranger.greet(`after-${hex}`);
      const answers = stranger.sizes.slice(0, -2);
      expect(answers.length).toBeLessThan(2);
      expect(answers[0] ?? 0, `the answer to ${hex}`).toBeLessThanOrEqual(packet.length);
    }
  });

  it('is refused with no_session', async () => {
    const { sensor } = await start(false);
    expect(await answerTo(sensor, { type: 'begin', token: 7 })).toMatchObject({
      reason: 'no_session',
      head: 0xb2,
    });
    expect(
      await answerTo(sensor, {
        type: 'emit',
        qos: 0,
        retain: false,
        id: 5,
        gatewayId: false,
        payload: Buffer.alloc(9),
      }),
    ).toMatchObject({ reason: 'no_session' });
  });

  it('is told the versions when it speaks another', async () => {
    const { sensor } = await start(false);
    expect(await answerTo(sensor, hello('old', { version: 0 }))).toMatchObject({
      type: 'refuse',
      reason: 'version',
      head: 0xb0,
      detail: Buffer.of(1, 1),
    });
  });
});
