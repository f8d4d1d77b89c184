import { describe, expect, test } from 'vitest';
import { ReliableReceiver } from '../../src/session/reliable-receiver.js';
import type { Reliable } from '../../src/wire/messages.js';

type Numbered = Reliable & { seq: number };

function message(seq: number, bytes = 1): Numbered {
  return {
    type: 'emit',
    qos: 1,
    retain: false,
    seq: seq & 0xffff,
    id: 1,
    payload: new Uint8Array(bytes),
  };
}

function receiver(expected = 100, window = 32, senderInFlight = 32): ReliableReceiver {
  const made = new ReliableReceiver();
  made.restart(expected);
  made.resume(window, senderInFlight);
  return made;
}

/** Everything in order that a message sets free, as a session would take it. */
function take(from: ReliableReceiver, seq: number, now = 0): number[] {
  if (from.receive(message(seq), now) !== 'deliver') return [];
  const taken = [seq & 0xffff];
  for (let held = from.nextHeld(); held; held = from.nextHeld()) taken.push(held.seq);
  return taken;
}

describe('order (PROTOCOL.md §5.2)', () => {
  test('what came early waits for its turn', () => {
    const from = receiver();
    expect(take(from, 102)).toEqual([]);
    expect(take(from, 101)).toEqual([]);
    expect(take(from, 104)).toEqual([]);
    expect(take(from, 100)).toEqual([100, 101, 102]);
    expect(take(from, 103)).toEqual([103, 104]);
    expect(from.expected).toBe(105);
  });

  test('a repetition is a duplicate, delivered or held', () => {
    const from = receiver();
    take(from, 100);
    take(from, 102);
    expect(from.receive(message(100), 0)).toBe('duplicate');
    expect(from.receive(message(102), 0)).toBe('duplicate');
    expect(from.receive(message(101 - 32_767), 0)).toBe('duplicate');
    expect(take(from, 101)).toEqual([101, 102]);
  });

  test('the window ends where it was announced to end', () => {
    const from = receiver(100, 4);
    expect(from.receive(message(104), 0)).toBe('beyond');
    expect(from.receive(message(103), 0)).toBe('held');
    expect(from.receive(message(100 + 30_000), 0)).toBe('beyond');
  });

  test('what is refused takes its place in the window until the sender knows (§7)', () => {
    const from = receiver(100, 4);
    for (const seq of [100, 101, 102, 103]) {
      expect(from.receive(message(seq), 0)).toBe('deliver');
      from.withhold(seq);
    }
    expect(from.receive(message(104), 0)).toBe('beyond');
    expect(from.receive(message(103), 0)).toBe('duplicate');
    from.release(101, 0);
    expect(from.receive(message(104), 0)).toBe('beyond');
    from.release(100, 0);
    expect(from.acknowledged).toBe(102);
    // Until it hears of that, the sender cannot count on it.
    expect(from.receive(message(104), 0)).toBe('beyond');
    expect(from.takeAck().next).toBe(102);
    expect(take(from, 105)).toEqual([]);
    expect(take(from, 104)).toEqual([104, 105]);
    expect(from.receive(message(106), 0)).toBe('beyond');
  });

  test('holds no more bytes than it has room for', () => {
    const from = receiver(0, 100);
    const verdicts = Array.from({ length: 10 }, (_, i) => from.receive(message(i + 1, 60_000), 0));
    expect(verdicts.slice(0, 4)).toEqual(['held', 'held', 'held', 'held']);
    expect(verdicts.slice(4).every((verdict) => verdict === 'beyond')).toBe(true);
    // What is delivered gives its room back.
    expect(take(from, 0)).toHaveLength(5);
    expect(from.receive(message(6, 60_000), 0)).toBe('held');
  });

  test('goes on across 65535', () => {
    const from = receiver(65_534);
    expect(take(from, 65_536)).toEqual([]);
    expect(take(from, 65_535)).toEqual([]);
    expect(take(from, 65_534)).toEqual([65_534, 65_535, 0]);
    expect(from.receive(message(65_535), 0)).toBe('duplicate');
    expect(from.takeAck()).toEqual({ type: 'ack', next: 1, bitmap: new Uint8Array() });
  });

  test('a new numbering forgets what was held of the old one', () => {
    const from = receiver(100);
    take(from, 101);
    from.restart(100);
    expect(take(from, 100)).toEqual([100]);
    expect(from.takeAck().bitmap).toHaveLength(0);
  });
});

describe('acknowledgements (§5.3)', () => {
  test('one message is acknowledged within 20 ms, two at once', () => {
    const from = receiver();
    take(from, 100, 50);
    expect(from.ackDueAt).toBe(70);
    take(from, 101, 60);
    expect(from.ackDueAt).toBe(60);
    expect(from.takeAck()).toEqual({ type: 'ack', next: 102, bitmap: new Uint8Array() });
    expect(from.ackDueAt).toBeUndefined();
  });

  test('at once when the sender can have no more in flight', () => {
    const from = receiver(100, 32, 1);
    take(from, 100, 50);
    expect(from.ackDueAt).toBe(50);
  });

  test('at once on a gap, while one stands, when it closes, and on a duplicate', () => {
    const from = receiver();
    take(from, 102, 10);
    expect(from.ackDueAt).toBe(10);
    from.takeAck();
    take(from, 100, 20);
    expect(from.ackDueAt).toBe(20);
    from.takeAck();
    take(from, 101, 30);
    expect(from.ackDueAt).toBe(30);
    from.takeAck();
    from.receive(message(100), 40);
    expect(from.ackDueAt).toBe(40);
  });

  test('on demand, as BEGIN does', () => {
    const from = receiver(7);
    from.acknowledgeNow(5);
    expect(from.ackDueAt).toBe(5);
    expect(from.takeAck().next).toBe(7);
  });

  test('the bitmap begins behind the missing number and leaves out trailing zeros', () => {
    const from = receiver(256);
    for (const seq of [257, 259, 272]) take(from, seq);
    expect(from.takeAck()).toEqual({ type: 'ack', next: 256, bitmap: Uint8Array.of(0x05, 0x80) });
  });

  test('the bitmap speaks of 256 numbers, and is there even if what is held lies behind them', () => {
    const from = receiver(0, 16_383);
    take(from, 256);
    expect(from.takeAck().bitmap).toHaveLength(32);
    const far = receiver(0, 16_383);
    take(far, 300);
    expect(far.takeAck().bitmap).toEqual(Uint8Array.of(0));
  });
});

describe('refusals (§7)', () => {
  test('the acknowledgement stops before what was refused until the sender knows', () => {
    const from = receiver(65_535);
    take(from, 65_535);
    from.withhold(65_535);
    take(from, 65_536);
    take(from, 65_537);
    expect(from.acknowledged).toBe(65_535);
    expect(from.takeAck()).toEqual({ type: 'ack', next: 65_535, bitmap: new Uint8Array() });
    from.release(65_535, 80);
    expect(from.ackDueAt).toBe(80);
    expect(from.takeAck().next).toBe(2);
  });

  test('several at a time: the oldest counts', () => {
    const from = receiver(100);
    for (const seq of [100, 101, 102]) take(from, seq);
    from.withhold(100);
    from.withhold(102);
    expect(from.acknowledged).toBe(100);
    from.release(100, 0);
    expect(from.acknowledged).toBe(102);
  });
});
