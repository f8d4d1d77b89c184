import { randomInt } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { generate, type Packet, parser } from 'mqtt-packet';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Address } from '../../../src/gateway/gateway.js';
import { connectTo, until } from '../../support/gateways.js';
import { Random } from '../../support/random.js';
import { startMqttGateway } from './mqtt-gateway.js';
import { randomConnect, randomPacket } from './random-packets.js';

const SEED = Number(process.env.SEED ?? randomInt(2 ** 32));
const PACKETS = 1_000_000;
/** What one connection sends, unless it is closed before. */
const PACKETS_OF_ONE = 300;
const AT_ONCE = 8;
const MANY = { per_address: { links: 2000, connections: 1_000_000 } };

/** A raw connection, and what came over it. */
class RawMqtt {
  readonly socket: Socket;
  readonly got: Packet[] = [];
  closed = false;
  readonly #level: 4 | 5;

  private constructor(socket: Socket, level: 4 | 5) {
    this.socket = socket;
    this.#level = level;
    const decoder = parser({ protocolVersion: level });
    decoder.on('packet', (packet) => this.got.push(packet));
    socket.on('data', (bytes: Buffer) => decoder.parse(bytes));
    socket.on('error', () => {}); // 'close' follows.
    socket.on('close', () => {
      this.closed = true;
    });
    onTestFinished(() => void socket.destroy());
  }

  static async open(at: Address, level: 4 | 5): Promise<RawMqtt> {
    const socket = connect(at);
    const raw = new RawMqtt(socket, level);
    await new Promise((resolve) => socket.once('connect', resolve));
    return raw;
  }

  static async introduced(at: Address, level: 4 | 5, clientId: string): Promise<RawMqtt> {
    const raw = await RawMqtt.open(at, level);
    raw.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: level,
      clientId,
      clean: true,
      keepalive: 0,
    });
    await until(() => expect(raw.of('connack')).toHaveLength(1));
    return raw;
  }

  encoded(packet: Packet): Buffer {
    return generate(packet, { protocolVersion: this.#level });
  }

  send(packet: Packet): void {
    this.socket.write(this.encoded(packet));
  }

  of<C extends Packet['cmd']>(cmd: C): Extract<Packet, { cmd: C }>[] {
    return this.got.filter((packet): packet is Extract<Packet, { cmd: C }> => packet.cmd === cmd);
  }

  async subscribe(topic: string, qos: 0 | 1): Promise<void> {
    this.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] });
    await until(() => expect(this.of('suback')).toHaveLength(1));
  }
}

/** Packets to draw from: to make a million takes longer than to take them. */
const DRAWN = 5000;

type Pool = Readonly<Record<4 | 5, readonly Buffer[]>>;

function poolOf(random: Random): Pool {
  const drawn = (level: 4 | 5) => Array.from({ length: DRAWN }, () => randomPacket(random, level));
  return { 4: drawn(4), 5: drawn(5) };
}

/** One connection that sends random packets until it is closed, or is done. Resolves with how many it had sent. */
function pour({ host, port }: Address, pool: Pool, random: Random): Promise<number> {
  return new Promise((resolve) => {
    const level = random.chance(0.5) ? 5 : 4;
    let sent = 0;
    const socket = connect({ host, port, noDelay: true });
    const more = (): void => {
      if (socket.destroyed || !socket.writable) return;
      if (sent >= PACKETS_OF_ONE) return void (random.chance(0.5) ? socket.end() : socket.destroy());
      const packets = Array.from({ length: 100 }, () => pool[level][random.below(DRAWN)] as Buffer);
      sent += packets.length;
      socket.write(Buffer.concat(packets), more);
    };
    socket.on('connect', () => socket.write(randomConnect(random, level), more));
    socket.on('error', () => {}); // 'close' follows.
    socket.on('close', () => resolve(sent));
    socket.resume();
  });
}

describe(`a million random packets to the MQTT port (SEED=${SEED})`, () => {
  it('disturb nobody else, and leave nothing behind', async () => {
    const { running, mqtt } = await startMqttGateway({ limits: MANY });
    const good = await connectTo(running.tcp);
    const random = new Random(SEED);
    const pool = poolOf(random);
    let total = 0;
    const one = async (): Promise<void> => {
      while (total < PACKETS) {
        const sent = await pour(mqtt, pool, random);
        total += sent;
      }
    };
    const answered: string[] = [];
    await good.subscribe('good/+', ({ text }) => void answered.push(text));
    const all = Promise.all(Array.from({ length: AT_ONCE }, one));
    let asked = 0;
    let over = false;
    void all.then(() => {
      over = true;
    });
    while (!over) {
      await good.emit('good/1', `${++asked}`, { qos: 1 });
      await until(() => expect(answered).toHaveLength(asked));
    }
    expect(total).toBeGreaterThanOrEqual(PACKETS);
    // Their sessions end within 2 s of their connections.
    await until(() => expect(running.gateway.statistics().sessions).toMatchObject({ open: 1, held: 0 }));
    expect(running.gateway.statistics().router.subscriptions).toBe(1);
    expect(running.count('mqtt.closed.malformed_packet')).toBeGreaterThan(100);
  }, 120_000);
});

describe('a client that does not finish', () => {
  it('but sends one byte after the other is served', async () => {
    const { mqtt } = await startMqttGateway();
    const client = await RawMqtt.open(mqtt, 5);
    const packets: Packet[] = [
      { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'drip', clean: true, keepalive: 0 },
      { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 0 }] },
      { cmd: 'publish', topic: 'a', payload: 'x', qos: 2, messageId: 2, dup: false, retain: false },
      { cmd: 'pubrel', messageId: 2 },
      { cmd: 'pingreq' },
    ];
    for (const byte of Buffer.concat(packets.map((packet) => client.encoded(packet)))) {
      client.socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => expect(client.of('pingresp')).toHaveLength(1));
    const told = ['connack', 'suback', 'publish', 'pubrec', 'pubcomp', 'pingresp'];
    expect(client.got.map(({ cmd }) => cmd).toSorted()).toEqual(told.toSorted());
  });

  it('a packet, or its CONNECT, is cut off', async () => {
    const { running, mqtt } = await startMqttGateway({ limits: { tcp_stall: '1s' } });
    const [half, unknown] = [await RawMqtt.introduced(mqtt, 5, 'half'), await RawMqtt.open(mqtt, 4)];
    const publish = {
      cmd: 'publish',
      topic: 'a',
      payload: 'x'.repeat(100),
      qos: 0,
      dup: false,
      retain: false,
    } as const;
    half.socket.write(half.encoded(publish).subarray(0, 50));
    unknown.socket.write(Buffer.of(0x10, 0x20, 0x00, 0x04, 0x4d));
    await until(() => expect([half.closed, unknown.closed]).toEqual([true, true]));
    expect(half.of('disconnect')).toMatchObject([{ reasonCode: 0x81 }]);
    expect(unknown.got).toEqual([]);
    await until(() => expect(running.gateway.statistics().sessions.open).toBe(0));
  });
});

describe('a client that does not read', () => {
  it('misses messages of QoS 0 and is cut off in the end; whoever reads misses nothing', async () => {
    const { running, mqtt } = await startMqttGateway({ limits: { tcp_stall: '1s' } });
    const slow = await RawMqtt.introduced(mqtt, 5, 'slow');
    await slow.subscribe('flood', 0);
    slow.socket.pause();
    const [good, speaker] = [
      await RawMqtt.introduced(mqtt, 4, 'good'),
      await RawMqtt.introduced(mqtt, 4, 'speaker'),
    ];
    await good.subscribe('flood', 0);
    const payload = Buffer.alloc(30_000);
    let sent = 0;
    while (running.count('mqtt.closed.quota_exceeded') === 0) {
      for (let n = 0; n < 10; n++, sent++)
        speaker.send({ cmd: 'publish', topic: 'flood', payload, qos: 0, dup: false, retain: false });
      await until(() => expect(good.of('publish')).toHaveLength(sent));
    }
    expect(running.count('mqtt.drop.backlog_full')).toBeGreaterThan(0);
    await until(() => expect(running.gateway.statistics().sessions.open).toBe(2));
  });

  it('or acknowledge makes those wait who publish at QoS 1, and are told in MQTT 5; nothing is lost', async () => {
    const { mqtt } = await startMqttGateway({ limits: { queue: { messages: 20 } } });
    const slow = await RawMqtt.introduced(mqtt, 4, 'slow');
    await slow.subscribe('work', 1);
    const [told, waiting] = [
      await RawMqtt.introduced(mqtt, 5, 'told'),
      await RawMqtt.introduced(mqtt, 4, 'waiting'),
    ];
    const publish = (client: RawMqtt, messageId: number) =>
      client.send({
        cmd: 'publish',
        topic: 'work',
        payload: `${messageId}`,
        qos: 1,
        messageId,
        dup: false,
        retain: false,
      });
    for (let id = 1; id <= 25; id++) publish(told, id);
    await until(() => expect(told.of('puback')).toHaveLength(25));
    const codes = told.of('puback').map(({ reasonCode }) => reasonCode ?? 0);
    expect(codes).toEqual([...Array(20).fill(0), ...Array(5).fill(0x97)]);
    for (let id = 101; id <= 110; id++) publish(waiting, id);
    waiting.send({ cmd: 'pingreq' });
    const got = () => slow.of('publish').map(({ payload }) => Number(payload.toString()));
    await until(() => expect(got()).toHaveLength(20));
    expect(waiting.got.map(({ cmd }) => cmd)).toEqual(['connack']);
    for (const { messageId } of slow.of('publish'))
      slow.send({ cmd: 'puback', messageId: messageId as number });
    await until(() => expect(waiting.of('pingresp')).toHaveLength(1));
    expect(waiting.of('puback').map(({ messageId }) => messageId)).toEqual([
      101, 102, 103, 104, 105, 106, 107, 108, 109, 110,
    ]);
    const numbers = (from: number, count: number) => Array.from({ length: count }, (_, n) => from + n);
    await until(() => expect(got()).toEqual([...numbers(1, 20), ...numbers(101, 10)]));
  });
});
