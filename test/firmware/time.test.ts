import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { Bench } from './bench.js';

/** What Bench's WELCOME says: 2026-01-01. */
const WELCOME_TIME = 0x019b76daa800;
const u48 = (ms: number) => ms.toString(16).padStart(12, '0');

/** A board whose gateway's clock shows `base` at 0 of the board's own. */
class Clocks {
  readonly bench: Bench;
  readonly base = WELCOME_TIME + 123_456;

  constructor(options = {}) {
    this.bench = new Bench(options);
    this.bench.connect();
    this.bench.client.events.splice(0);
  }

  /** Lets the board ask, and the question and the answer take their time. Returns what it believes then. */
  ask(there: number, back: number) {
    const { bench } = this;
    bench.client.askTime();
    const [question] = bench.pass(1);
    expect(question).toMatch(/^b7..$/);
    bench.pass(there);
    const stamp = this.base + bench.now;
    bench.pass(back);
    bench.give(`${question} ${u48(stamp)}`);
    bench.pass(1);
    return bench.client.time(bench.now);
  }

  /** How far the board is off, in ms. */
  get error(): number | undefined {
    const time = this.bench.client.time(this.bench.now);
    return time && time.ms - (this.base + this.bench.now);
  }
}

describeWithTools(['clang', 'wasm-ld'], 'the C client knows the time (§3.2)', () => {
  for (const reliable of [true, false]) {
    it(`corrected by half the round trip, ${reliable ? 'with' : 'without'} QoS 1 and 2`, () => {
      const clocks = new Clocks({ reliable });
      for (const way of [0, 5, 40, 1000]) {
        const time = clocks.ask(way, way);
        expect(Math.abs(clocks.error as number), `${way} ms`).toBeLessThanOrEqual(1);
        expect(time?.age).toBe(0);
        expect(time?.uncertainty).toBeGreaterThanOrEqual(way);
        expect(time?.uncertainty).toBeLessThanOrEqual(way + 2);
      }
      expect(clocks.bench.client.events).toEqual(Array(4).fill({ event: 'time', reason: 0, id: 0 }));
    });
  }

  it('within its uncertainty, however unlike the two ways are', () => {
    const clocks = new Clocks();
    for (const [there, back] of [
      [0, 50],
      [50, 0],
      [3, 400],
      [2000, 1],
    ] as const) {
      const time = clocks.ask(there, back);
      expect(Math.abs(clocks.error as number)).toBeLessThanOrEqual(time?.uncertainty as number);
    }
  });

  it('keeps it, with its age, between polls and over hours of them', () => {
    const clocks = new Clocks();
    const { bench } = clocks;
    clocks.ask(2, 2);
    const { client } = bench;
    const start = bench.now;
    for (const step of [1, 999, 1000, 1001, 60_000, 65_535, 4000]) {
      bench.skip(step);
      expect(Math.abs(clocks.error as number), `${step}`).toBeLessThanOrEqual(1);
      const later = client.time(bench.now + 12_345);
      expect(later?.ms).toBe((client.time(bench.now)?.ms as number) + 12_345);
    }
    for (let i = 0; i < 3600; i++) bench.skip(4000);
    expect(Math.abs(clocks.error as number)).toBeLessThanOrEqual(1);
    const age = (bench.now - start) / 1000;
    expect(Math.abs((client.time(bench.now)?.age as number) - age)).toBeLessThanOrEqual(1);
  });

  it('is told by WELCOME, unasked, and not made worse by a later one', () => {
    const bench = new Bench();
    bench.pass(1);
    expect(bench.client.time(bench.now)).toBeUndefined();
    bench.pass(30);
    bench.welcome();
    bench.pass(1);
    const time = bench.client.time(bench.now);
    expect(time).toEqual({ ms: WELCOME_TIME + 15, age: 0, uncertainty: 16 });
    bench.give('b3 03 80');
    bench.pass(150);
    bench.welcome({ token: '22222222' });
    bench.pass(1);
    expect(bench.client.time(bench.now)).toEqual({ ms: WELCOME_TIME + 15 + 151, age: 0, uncertainty: 16 });
  });

  it('is not told by a WELCOME that took too long to tell when it was stamped', () => {
    const bench = new Bench();
    bench.pass(30_000);
    bench.welcome();
    bench.pass(1);
    expect(bench.client.time(bench.now)).toBeUndefined();
  });

  it('asks again when there is no answer, and takes only the one to its last question', () => {
    const clocks = new Clocks();
    const { bench } = clocks;
    bench.client.askTime();
    const [first] = bench.pass(1);
    const { ms, sent } = bench.until(10_000);
    expect(ms).toBe(4000);
    expect(sent).toHaveLength(1);
    expect(sent[0]).not.toBe(first);
    bench.give(`${first} ${u48(1_000_000)}`);
    expect(bench.client.time(bench.now)?.ms).toBeGreaterThan(WELCOME_TIME);
    bench.give(`${sent[0]} ${u48(5_000_500)}`);
    bench.pass(1);
    expect(bench.client.time(bench.now)?.ms).toBe(5_000_500);
    // It has its answer; another, or one that nobody asked for, changes nothing.
    bench.give(`${sent[0]} ${u48(9_000_000)}`);
    bench.pass(1);
    expect(bench.client.time(bench.now)?.ms).toBe(5_000_501);
    expect(bench.until(5000).sent).toEqual([]);
  });

  it('gives up asking a gateway that has no time', () => {
    const clocks = new Clocks();
    clocks.bench.client.askTime();
    clocks.bench.pass(1);
    clocks.bench.give('b3 0f b7');
    expect(clocks.bench.client.events).toEqual([{ event: 'refused', reason: 15, id: 0 }]);
    expect(clocks.bench.until(9000).sent).toEqual([]);
  });

  it('asks once there is a gateway', () => {
    const bench = new Bench();
    bench.client.askTime();
    bench.pass(1);
    bench.give('b3 05 b0');
    expect(bench.until(12_000).sent[0]).toMatch(/^b0/);
    bench.welcome();
    const sent = bench.pass(2);
    expect(sent.some((packet) => /^f204.{8}b7..$/.test(packet))).toBe(true);
  });

  it('does not know it after a sleep, until it is told', () => {
    const clocks = new Clocks();
    const { bench } = clocks;
    clocks.ask(1, 1);
    bench.client.sleep(60);
    bench.ackAll(bench.pass(1));
    expect(bench.client.asleep).toBe(true);
    expect(bench.client.time(bench.now)).toBeUndefined();
    bench.pass(60_000);
    clocks.ask(3, 3);
    expect(Math.abs(clocks.error as number)).toBeLessThanOrEqual(1);
  });

  it('makes seconds of every time from 1970 to 2106', () => {
    const clocks = new Clocks();
    for (const ms of [0, 1, 999, 1000, 1_767_225_599_999, 4_294_967_295_999]) {
      clocks.bench.client.askTime();
      const [question] = clocks.bench.pass(1);
      clocks.bench.give(`${question} ${u48(ms)}`);
      expect(clocks.bench.client.time(clocks.bench.now)?.ms).toBe(ms);
      clocks.bench.pass(1);
    }
  });
});
