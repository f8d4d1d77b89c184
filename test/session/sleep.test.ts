import { describe, expect, test } from 'vitest';
import type { Message } from '../../src/wire/messages.js';
import { ack, Bench, brief, named, SERIAL, TCP, UDP } from './engine-bench.js';

const briefs = (messages: readonly Message[]) => messages.map(brief);
const sleep = (seq: number, seconds: number): Message => ({ type: 'sleep', seq, seconds });
const SECOND = 1000;

function asleep(link = UDP, more: Parameters<Bench['begin']>[1] = {}): Bench {
  const bench = new Bench('gateway').begin(link, { keepAlive: 10, ...more });
  bench.receive(sleep(100, 60));
  expect(briefs(bench.sent())).toEqual(['ack 101']);
  return bench;
}

describe('a peer that sleeps (PROTOCOL.md §4.7)', () => {
  test.each([
    ['UDP', UDP],
    ['serial', SERIAL],
    ['TCP', TCP],
  ])('over %s is sent nothing until it says something', (_, link) => {
    const bench = asleep(link);
    bench.emit('reliable', 1);
    bench.emit('unreliable', 0);
    bench.engine.probe();
    expect(bench.sent()).toEqual([]);
    // No resends, no pace: the next thing is that it did not wake.
    expect(bench.engine.wakeAt()).toBe(1000 + 75 * SECOND);
    bench.now += 50 * SECOND;
    expect(bench.sent()).toEqual([]);
    bench.receive({ type: 'ping', token: 7 });
    expect(bench.events).toEqual(['woke']);
    expect(briefs(bench.sent())).toEqual(['pong', 'ping', 'c=reliable@1#200', 'c=unreliable@0']);
    expect(bench.engine.wakeAt()).toBeLessThanOrEqual(bench.now + 15 * SECOND);
  });

  test('gets of QoS 0 the last message of each channel, in the order in which these came', () => {
    const bench = asleep();
    for (const [text, name] of [
      ['1', 'a'],
      ['2', 'b'],
      ['3', 'a'],
      ['4', 'c'],
    ] as const)
      bench.emit(text, 0, name);
    bench.receive(sleep(101, 0));
    expect(briefs(bench.sent()).filter((text) => text.includes('@0'))).toEqual(['b=2@0', 'a=3@0', 'c=4@0']);
    expect(bench.counters.get('session.superseded')).toBe(1);
  });

  test('what of QoS 0 was about to leave is kept as well', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.emit('old', 0);
    bench.emit('new', 0);
    bench.receive(sleep(100, 60));
    expect(briefs(bench.sent())).toEqual(['ack 101']);
    bench.receive(sleep(101, 0));
    expect(briefs(bench.sent())).toEqual(['ack 102', 'c=new@0']);
  });

  test('what is kept is bounded, and what is too much is counted; nothing out of date is kept instead', () => {
    const bench = asleep();
    bench.backlog = 1000;
    expect(bench.emit('x'.repeat(500), 0, 'a')).toBeUndefined();
    expect(bench.emit('y'.repeat(500), 0, 'b')).toBe('backlog_full');
    expect(bench.emit('x'.repeat(940), 0, 'a')).toBe('backlog_full');
    expect(bench.counters.get('session.drop.backlog_full')).toBe(2);
    bench.receive({ type: 'ping', token: 1 });
    expect(briefs(bench.sent())).toEqual(['pong']);
  });

  test('is not woken by answers, by what it repeats, or by what the SLEEP overtook', () => {
    const bench = asleep();
    bench.emit('held', 1);
    bench.receive(sleep(100, 60));
    bench.receive(ack(200), { type: 'pong', token: 3 });
    bench.receive(named('late', 0));
    bench.receive({ type: 'reject', seq: 101, of: 150, reason: 'queue_full' });
    expect(bench.engine.asleep).toBe(true);
    expect(briefs(bench.sent())).toEqual(['ack 102']);
    bench.now += SECOND;
    bench.receive(named('awake', 0));
    expect(bench.engine.asleep).toBe(false);
    expect(briefs(bench.sent())).toContain('c=held@1#200');
  });

  test('over a link that keeps order nothing can be late: whatever it says wakes it', () => {
    const bench = asleep(SERIAL);
    bench.receive(named('awake', 0));
    expect(bench.events).toEqual(['woke']);
  });

  test('a message with a number wakes it at once; a SLEEP in the same packet sends it back', () => {
    const bench = asleep();
    bench.emit('held', 1);
    bench.receive(named('reading', 1, 101), sleep(102, 60));
    expect(bench.engine.asleep).toBe(true);
    expect(briefs(bench.sent())).toEqual(['ack 103']);
    bench.receive(named('reading', 1, 103));
    expect(bench.engine.asleep).toBe(false);
  });

  test('what was in flight is sent again when it wakes, except on TCP', () => {
    for (const link of [UDP, SERIAL, TCP]) {
      const bench = new Bench('gateway').begin(link);
      const texts = ['one', 'two', 'three'];
      for (const text of texts) bench.emit(text, 1);
      const flying = texts.map((text, n) => `c=${text}@1#${200 + n}`);
      expect(briefs(bench.sent())).toEqual(flying);
      bench.receive(sleep(100, 60));
      expect(briefs(bench.sent())).toEqual(['ack 101']);
      bench.now += 30 * SECOND;
      expect(bench.sent()).toEqual([]);
      bench.receive(sleep(101, 0));
      const again = briefs(bench.sent()).filter((text) => text.startsWith('c='));
      expect(again).toEqual(link === TCP ? [] : flying);
    }
  });

  test('a refusal that the acknowledgement of its SLEEP waits for still gets through', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.refusing = 'not_allowed';
    bench.receive(named('bad', 1, 100));
    bench.refusing = undefined;
    bench.receive(sleep(101, 60));
    expect(briefs(bench.sent())).toEqual(['ack 100', 'reject 100 not_allowed#200']);
    bench.emit('held', 1);
    expect(briefs(bench.sentAtNextWake()).filter((text) => text.startsWith('reject'))).toHaveLength(1);
    bench.receive(ack(201));
    expect(briefs(bench.sent())).toEqual(['ack 102']);
  });

  test('is let go of when it does not wake: after its sleep and one and a half keep-alives', () => {
    const bench = asleep();
    bench.emit('kept', 0);
    bench.now = (bench.engine.wakeAt() as number) - 1;
    expect(bench.sent()).toEqual([]);
    expect(bench.events).toEqual([]);
    bench.now += 1;
    bench.sent();
    expect(bench.events).toEqual(['failed timeout']);
    expect(bench.engine.asleep).toBe(false);
    expect(bench.counters.get('session.drop.link_lost')).toBe(1);
  });

  test('a peer that promised no keep-alive is held to one of 120 s then', () => {
    const bench = asleep(UDP, { keepAlive: 0 });
    expect(bench.engine.wakeAt()).toBe(1000 + 60 * SECOND + 180 * SECOND);
    bench.receive(sleep(101, 0));
    bench.sentAtNextWake();
    expect(bench.engine.wakeAt()).toBeUndefined();
  });

  test('what was kept outlives the link, and comes over the next', () => {
    const bench = asleep();
    bench.emit('kept', 0);
    bench.emit('held', 1);
    bench.engine.detach();
    bench.emit('also', 0, 'd');
    expect(bench.counters.get('session.drop.link_lost')).toBe(0);
    bench.begin(TCP, { continues: true, nextIn: 101 });
    expect(bench.engine.asleep).toBe(false);
    expect(briefs(bench.sent())).toEqual(['c=held@1#200', 'c=kept@0', 'd=also@0']);
    // The new link is the sign; nobody has to be told.
    expect(bench.events).toEqual([]);
  });

  test('what is told of as about to be sent stays as it was told', () => {
    const bench = asleep();
    bench.emit('kept', 0);
    bench.begin(TCP, { continues: true, nextIn: 101 });
    const pending = bench.engine.lastPending();
    bench.sent();
    bench.emit('else', 0);
    expect(Buffer.from(pending.get('c') ?? []).toString()).toBe('kept');
  });

  test('a packet that waits for its buffer leaves before the ACK that it sleeps by', () => {
    const bench = new Bench('gateway').begin(SERIAL, { other: { buffer: 64 } });
    bench.emit('x'.repeat(50), 1);
    bench.emit('y'.repeat(50), 1);
    expect(bench.packets()).toHaveLength(1);
    bench.receive(sleep(100, 60));
    expect(bench.sent()).toEqual([]);
    bench.receive(ack(201));
    expect(briefs(bench.sent())).toEqual([`c=${'y'.repeat(50)}@1#201`]);
    expect(briefs(bench.sentAtNextWake())).toContain('ack 101');
  });
});

describe('a peer that announces its sleep', () => {
  test('is silent once that is acknowledged, and speaks when the time is over', () => {
    const bench = new Bench('peer').begin(UDP, { keepAlive: 10 });
    const outcomes: (string | undefined)[] = [];
    bench.engine.announceSleep(60, (refusal) => outcomes.push(refusal));
    expect(briefs(bench.sent())).toEqual(['sleep']);
    expect(outcomes).toEqual([]);
    bench.receive(ack(201));
    expect(outcomes).toEqual([undefined]);
    expect(bench.sent()).toEqual([]);
    expect(bench.engine.wakeAt()).toBe(bench.now + 60 * SECOND);
    expect(briefs(bench.sentAtNextWake())).toEqual(['ping']);
  });

  test('is awake when it says something, and keeps its link alive again', () => {
    const bench = new Bench('peer').begin(UDP, { keepAlive: 10 });
    bench.engine.announceSleep(60, () => undefined);
    bench.sent();
    bench.receive(ack(201));
    bench.now += 5 * SECOND;
    bench.emit('reading', 0);
    expect(briefs(bench.sent())).toEqual(['c=reading@0']);
    expect(bench.engine.wakeAt()).toBeLessThan(bench.now + 10 * SECOND);
  });

  test('which is refused stays awake', () => {
    const bench = new Bench('peer').begin(UDP, { keepAlive: 10 });
    const outcomes: (string | undefined)[] = [];
    bench.engine.announceSleep(60, (refusal) => outcomes.push(refusal));
    bench.sent();
    bench.receive({ type: 'reject', seq: 100, of: 200, reason: 'not_allowed' });
    expect(outcomes).toEqual(['not_allowed']);
    bench.sent();
    expect(bench.engine.wakeAt()).toBeLessThanOrEqual(bench.now + 10 * SECOND);
  });
});
