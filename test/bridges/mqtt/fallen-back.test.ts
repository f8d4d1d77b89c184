import { expect, it } from 'vitest';
import { until } from '../../support/gateways.js';
import { type Mosquitto, startMosquitto } from '../../support/mosquitto.js';
import { Random } from '../../support/random.js';
import { describeWithTools } from '../../support/tools.js';
import { Life } from './life.js';
import { Listener, queued, Rig, Sender, VERSIONS, type Version } from './rig.js';

/** Of QoS 2, as many as mosquitto takes of one client that are not released. */
const ROOM = 20;
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SEED = Number(process.env.SEED ?? 1);
/** Messages that are given in each round, more than may be on their way. */
const BURST = 300;

/** A life whose disk can be made to wait. */
class SlowLife extends Life {
  #waiting: (() => void)[] | undefined;

  hold(): void {
    this.#waiting ??= [];
  }

  goOn(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const task of waiting) task();
  }

  /** Messages of QoS 2 that the broker has, and was not told to pass on, or has not said that it did. */
  get released(): number[] {
    return Array.from(this.entries(), ([key]) => key)
      .filter((key) => key.startsWith('released/'))
      .map((key) => Number.parseInt(key.slice('released/'.length), 36));
  }

  override settled(task: () => void): void {
    if (this.#waiting) this.#waiting.push(task);
    else super.settled(task);
  }
}

/** A bridge that sends all that it is given until the broker has it. Odd records have QoS 1, the others QoS 2, unless `qos` is given. */
class Bridge {
  readonly life = new SlowLife();
  readonly rig: Rig;
  readonly #qos: 1 | 2 | undefined;
  #sender: Sender | undefined;
  #given = 0;
  #isOver = false;

  constructor(url: string, version: Version, qos?: 2) {
    this.#qos = qos;
    this.rig = new Rig(url, { version, records: this.life, inFlight: 50 });
    this.rig.onLost = () => void this.connect();
  }

  /** As often as it takes, while there is a broker to come. */
  async connect(): Promise<void> {
    this.#sender = undefined;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (this.#isOver) return;
      try {
        await this.rig.connect();
        break;
      } catch {}
    }
    this.#sender = new Sender(this.rig);
    const settled = new Set(this.rig.settledRecords);
    for (let record = 1; record <= this.#given; record++) if (!settled.has(record)) this.#send(record);
  }

  give(count: number): void {
    for (let n = 0; n < count; n++) {
      this.#given++;
      this.#send(this.#given);
    }
  }

  /** What the broker has acknowledged, by PUBACK or PUBREC. */
  get acknowledged(): number[] {
    return [...this.rig.settledRecords, ...this.life.released];
  }

  get given(): number[] {
    return Array.from({ length: this.#given }, (_, n) => n + 1);
  }

  async settled(): Promise<void> {
    await until(() => expect(this.rig.settledRecords).toHaveLength(this.#given));
  }

  end(): void {
    this.#isOver = true;
  }

  #send(record: number): void {
    const qos = this.qosOf(record);
    this.#sender?.push(queued(record, `out/${qos}`, String(record), { qos }));
  }

  qosOf(record: number): 1 | 2 {
    return this.#qos ?? (record % 2 === 1 ? 1 : 2);
  }
}

/** It falls back to what it has written down. */
async function restart(broker: Mosquitto): Promise<void> {
  await broker.kill();
  await broker.start();
}

const heardBy = (listener: Listener) => listener.packets.map(({ payload }) => Number(payload.toString()));

describeWithTools(['mosquitto'], 'a mosquitto that is killed and falls back', () => {
  it.each(VERSIONS)(
    'takes QoS 2 again, though all its room is for what it had then (%s)',
    async (version) => {
      const broker = await startMosquitto();
      const bridge = new Bridge(broker.url, version, 2);
      await bridge.connect();
      const atOnce = version === 5 ? ROOM : ROOM / 2;
      for (let stale = 0; stale < ROOM; stale += atOnce) {
        bridge.life.hold();
        bridge.give(2 * ROOM);
        await until(() => expect(bridge.life.released).toHaveLength(atOnce));
        await broker.save();
        bridge.life.goOn();
        await bridge.settled();
        await restart(broker);
      }
      const listener = await Listener.on(broker.url, 'out/#', version);
      const before = bridge.given.length;
      bridge.give(100);
      await bridge.settled();
      await until(() => expect(heardBy(listener).at(-1)).toBe(before + 100));
      // What it had is passed on once more; what comes now, once.
      const later = heardBy(listener).filter((record) => record > before);
      expect(later).toEqual(bridge.given.slice(before));
      bridge.end();
    },
  );

  it.each(VERSIONS)(`loses no more than what it had acknowledged (%s, SEED=${SEED})`, async (version) => {
    const random = new Random(SEED);
    const broker = await startMosquitto({ settings: ['max_inflight_messages 200'] });
    const bridge = new Bridge(broker.url, version);
    await bridge.connect();
    const listener = await Listener.on(broker.url, 'out/#', version);
    const taken = new Set<number>();
    let waited = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const before = bridge.rig.settledRecords.length;
      bridge.give(BURST);
      const [saved, killed] = [random.below(BURST / 2), BURST / 2 + random.below(BURST / 3)];
      await until(() => expect(bridge.rig.settledRecords.length).toBeGreaterThan(before + saved));
      await broker.save();
      await until(() => expect(bridge.rig.settledRecords.length).toBeGreaterThan(before + killed));
      await broker.kill();
      await until(() => expect(bridge.rig.connection).toBeUndefined());
      for (const record of bridge.acknowledged) taken.add(record);
      waited += bridge.given.length - new Set(bridge.acknowledged).size;
      await broker.start();
      await until(() => expect(bridge.rig.connection).toBeDefined());
    }
    await bridge.settled();
    const owed = bridge.given.filter((record) => !taken.has(record));
    await until(() => expect(heardBy(listener)).toEqual(expect.arrayContaining(owed)));
    const heard = heardBy(listener);
    const lost = bridge.given.filter((record) => !heard.includes(record));
    console.log(`${lost.length} of ${taken.size} lost that mosquitto had acknowledged; ${waited} waited`);
    expect(waited).toBeGreaterThan(0);
    for (const qos of [1, 2] as const) {
      const expected = owed.filter((record) => bridge.qosOf(record) === qos);
      const there = heard.filter((record) => expected.includes(record));
      expect(qos === 2 ? there : [...new Set(there)]).toEqual(expected);
    }
    bridge.end();
  });
});
