import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { until } from '../../support/gateways.js';
import { Random } from '../../support/random.js';
import { listenRaw } from '../../support/raw-server.js';
import { forSeedsInTurn } from '../../support/seeds.js';
import { queued, Rig, type RigOptions } from './rig.js';

const CONNACK = [0x20, 3, 0, 0, 0];

/** A broker that takes connections, answers CONNECT so, and says what the test does. */
class FakeBroker {
  readonly url: string;
  socket: Socket | undefined;
  /** What came after CONNECT. */
  readonly heard: Buffer[] = [];
  connack: readonly number[] = CONNACK;

  static async start(): Promise<FakeBroker> {
    const fake: FakeBroker = new FakeBroker(await listenRaw((socket) => fake.#accept(socket)));
    return fake;
  }

  private constructor(port: number) {
    this.url = `mqtt://127.0.0.1:${port}`;
  }

  say(...bytes: readonly number[]): void {
    this.socket?.write(Buffer.from(bytes));
  }

  #accept(socket: Socket): void {
    this.socket = socket;
    socket.once('data', () => {
      this.say(...this.connack);
      socket.on('data', (chunk: Buffer) => void this.heard.push(chunk));
    });
  }
}

async function connected(options?: RigOptions): Promise<{ fake: FakeBroker; rig: Rig }> {
  const fake = await FakeBroker.start();
  return { fake, rig: await Rig.connected(fake.url, options) };
}

test('a second CONNACK ends the connection', async () => {
  const { fake, rig } = await connected();
  fake.say(...CONNACK);
  await until(() => expect(rig.problems).toMatchObject([{ code: 'unreachable' }]));
});

test.each([
  ['no messages at once', [0x20, 6, 0, 0, 3, 0x21, 0, 0]],
  ['packets of 0 bytes', [0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 0]],
])('a broker that takes %s is not given any: nothing is dropped for it', async (_, connack) => {
  const fake = await FakeBroker.start();
  fake.connack = connack;
  await expect(new Rig(fake.url).connect()).rejects.toMatchObject({
    code: 'unsuitable',
    message: expect.stringContaining('it says that it takes nothing'),
  });
});

test.each([
  ['a property that does not exist', [0x20, 5, 0, 0, 2, 0x7f, 3]],
  ['properties cut short', [0x20, 4, 0, 0, 9, 1]],
  ['a length without end', [0x20, 0xff, 0xff, 0xff, 0xff, 1]],
  ['flags that are none', [0x20, 3, 0xff, 0, 0]],
])('a CONNACK with %s is no connection', async (_, connack) => {
  const fake = await FakeBroker.start();
  fake.connack = connack;
  await expect(new Rig(fake.url).connect()).rejects.toMatchObject({ name: 'UpstreamError' });
});

/** A packet of any type that a broker may send, or not, whose body is mostly nonsense. */
function packet(random: Random): number[] {
  const type = 3 + random.below(13);
  if (type === 3) return [0x30 | random.below(6), 6, 0, 1, 97, 0, 1 + random.below(4), 0];
  const body = [...random.bytes(random.below(12))];
  if (random.chance(0.5)) body.splice(0, 2, 0, 1 + random.below(25));
  return [(type << 4) | ([6, 8, 10].includes(type) ? 2 : 0), body.length, ...body];
}

test('whatever a broker says: the connection stands or ends with one line, and closes', () =>
  forSeedsInTurn(40, async (seed) => {
    const random = new Random(seed);
    const { fake, rig } = await connected({ version: random.chance(0.5) ? 5 : '3.1.1' });
    rig.up.setInterests([{ pattern: 'a/#', qos: 2 }]);
    for (let n = 1; n <= 20; n++) rig.up.publish(queued(n, 'a', 'x', { qos: random.chance(0.5) ? 1 : 2 }));
    for (let n = 0; n < 30 && rig.connection; n++) {
      fake.say(...packet(random));
      if (random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve));
    }
    const { connection } = rig;
    await connection?.close();
    expect(rig.problems.length).toBeLessThanOrEqual(1);
    for (const { message } of rig.problems) expect(message).not.toContain('\n');
    expect(new Set(rig.settledRecords).size).toBe(rig.settledRecords.length);
  }));

test('a broker that speaks on and on, and does not read what it is answered, is left', async () => {
  const { fake, rig } = await connected();
  const { socket } = fake;
  socket?.pause();
  const releases = Buffer.concat(
    Array.from({ length: 16_384 }, (_, n) => Buffer.from([0x62, 2, n >> 8, n & 255 || 1])),
  );
  const speak = (): void => {
    while (rig.problems.length === 0 && socket?.writable && socket.write(releases));
  };
  socket?.on('drain', speak);
  speak();
  await until(() =>
    expect(rig.problems).toMatchObject([
      { code: 'unreachable', message: `${fake.url}: it does not read what it is answered` },
    ]),
  );
});
