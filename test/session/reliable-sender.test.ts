import { describe, expect, test } from 'vitest';
import { type LinkOrder, ReliableSender, Transmission } from '../../src/session/reliable-sender.js';
import { RoundTrip } from '../../src/session/round-trip.js';

const UDP: LinkOrder = { reliable: false, ordered: false };
const SERIAL: LinkOrder = { reliable: false, ordered: true };
const TCP: LinkOrder = { reliable: true, ordered: true };
const NO_GAP = new Uint8Array();
const KEEPS_NOTHING = Uint8Array.of(0);

class Item extends Transmission {
  readonly name: string;
  constructor(name: string) {
    super();
    this.name = name;
  }
}

class Bench {
  readonly roundTrip = new RoundTrip();
  readonly sender = new ReliableSender<Item>(this.roundTrip);
  readonly settled: string[] = [];
  #packet = 0;

  constructor(order: LinkOrder, window = 8, next = 100) {
    this.sender.restart(next);
    this.sender.resume(window, order, 0);
  }

  push(...names: string[]): void {
    for (const name of names) this.sender.push(new Item(name));
  }

  /** Sends what the sender wants sent, each in a packet of its own; returns the names. */
  send(now: number): string[] {
    const sent: string[] = [];
    for (let item = this.sender.peek(); item; item = this.sender.peek()) {
      this.sender.sent(item, ++this.#packet, now);
      sent.push(item.name);
    }
    return sent;
  }

  acknowledge(next: number, bitmap: Uint8Array, now: number): string[] | undefined {
    const news = this.sender.acknowledge(next, bitmap, now);
    this.settled.push(...delivered(news?.settled ?? []));
    return news?.arrived.map(({ name }) => name);
  }

  /** Sends a message, acknowledged after `ms`: from then on the round trip is known. */
  measure(ms: number, now: number): void {
    this.push('measured');
    this.send(now);
    this.acknowledge(this.sender.nextSeq, NO_GAP, now + ms);
  }
}

/** By name, those that were not refused. */
const delivered = (items: readonly Item[]) => items.filter(({ refused }) => !refused).map(({ name }) => name);

const names = (count: number) => Array.from({ length: count }, (_, i) => `m${i}`);

describe('the window (PROTOCOL.md §5.2)', () => {
  test('is never exceeded, and opens with each acknowledgement', () => {
    const bench = new Bench(UDP, 3);
    bench.push(...names(6));
    expect(bench.send(0)).toEqual(['m0', 'm1', 'm2']);
    expect(bench.acknowledge(102, NO_GAP, 10)).toEqual(['m0', 'm1']);
    expect(bench.send(10)).toEqual(['m3', 'm4']);
    expect(bench.sender.pending).toBe(4);
    expect(bench.sender.inFlight).toBe(3);
  });

  test('counts from the oldest unacknowledged: what the bitmap shows gives no room', () => {
    const bench = new Bench(UDP, 3);
    bench.push(...names(6));
    bench.send(0);
    expect(bench.acknowledge(100, Uint8Array.of(0b11), 10)).toEqual(['m1', 'm2']);
    expect(bench.sender.inFlight).toBe(3);
    expect(bench.send(10)).not.toContain('m3');
  });

  test('numbers run on across 65535', () => {
    const bench = new Bench(UDP, 8, 65_534);
    bench.push(...names(4));
    bench.send(0);
    expect(bench.sender.nextSeq).toBe(2);
    expect(bench.acknowledge(65_535, Uint8Array.of(0b10), 5)).toEqual(['m0', 'm3']);
    expect(bench.acknowledge(2, NO_GAP, 6)).toEqual(['m1', 'm2']);
    expect(bench.sender.pending).toBe(0);
  });

  test('takes no acknowledgement that does not fit', () => {
    const bench = new Bench(UDP);
    bench.push(...names(3));
    bench.send(0);
    expect(bench.acknowledge(99, NO_GAP, 1)).toBeUndefined();
    expect(bench.acknowledge(104, NO_GAP, 1)).toBeUndefined();
    expect(bench.acknowledge(100 + 0x8000, NO_GAP, 1)).toBeUndefined();
    expect(bench.acknowledge(100, NO_GAP, 1)).toEqual([]);
    expect(bench.acknowledge(103, NO_GAP, 1)).toEqual(['m0', 'm1', 'm2']);
  });

  test('a bitmap that speaks of numbers never sent says nothing about them', () => {
    const bench = new Bench(UDP, 8);
    bench.push(...names(2));
    bench.send(0);
    expect(bench.acknowledge(100, Uint8Array.of(0xff, 0xff), 1)).toEqual(['m1']);
    bench.push('later');
    bench.send(2);
    expect(bench.sender.pending).toBe(3);
  });
});

describe('the resend timer (§5.4)', () => {
  test('resends only the oldest when it runs out, and doubles', () => {
    const bench = new Bench(UDP);
    bench.push(...names(3));
    bench.send(0);
    expect(bench.sender.deadline()).toBe(250);
    expect(bench.sender.tick(249)).toBe(false);
    expect(bench.send(249)).toEqual([]);
    expect(bench.sender.tick(250)).toBe(true);
    expect(bench.send(250)).toEqual(['m0']);
    expect(bench.sender.deadline()).toBe(750);
  });

  test('runs anew from the last progress', () => {
    const bench = new Bench(UDP);
    bench.push(...names(2));
    bench.send(0);
    bench.acknowledge(101, NO_GAP, 200);
    expect(bench.sender.deadline()).toBe(200 + bench.roundTrip.timeout());
  });

  test('runs for the oldest that is open, not for one that the bitmap showed', () => {
    const bench = new Bench(UDP);
    bench.push('m0');
    bench.send(0);
    bench.push('m1');
    bench.send(100);
    bench.sender.refused(100);
    expect(bench.sender.tick(349)).toBe(false);
    expect(bench.sender.tick(350)).toBe(true);
    expect(bench.send(350)).toEqual(['m1']);
  });

  test('learns nothing from a message that was resent (Karn)', () => {
    const bench = new Bench(UDP);
    bench.push('m0');
    bench.send(0);
    bench.sender.tick(250);
    bench.send(250);
    bench.acknowledge(101, NO_GAP, 251);
    expect(bench.roundTrip.smoothed).toBeUndefined();
  });

  test('nor from one that had arrived long ago, and whose ACKs were lost until another was resent', () => {
    const bench = new Bench(UDP);
    bench.push('a', 'b');
    bench.send(0);
    for (const now of [250, 750, 1750, 3750]) {
      bench.sender.tick(now);
      expect(bench.send(now)).toEqual(['a']);
    }
    bench.acknowledge(102, NO_GAP, 3800);
    expect(bench.roundTrip.smoothed).toBeUndefined();
  });

  test('on TCP nothing is resent while the connection stands', () => {
    const bench = new Bench(TCP);
    bench.push(...names(3));
    bench.send(0);
    expect(bench.sender.deadline()).toBeUndefined();
    expect(bench.sender.tick(1_000_000)).toBe(false);
    bench.acknowledge(100, Uint8Array.of(0b10), 1_000_000);
    expect(bench.send(1_000_000)).toEqual([]);
  });
});

describe('fast resends (§5.4)', () => {
  test('on a line that keeps order, one later message shows the loss', () => {
    const bench = new Bench(SERIAL);
    bench.measure(20, 0);
    bench.push(...names(3));
    bench.send(100);
    bench.acknowledge(101, Uint8Array.of(0b01), 125);
    expect(bench.send(125)).toEqual(['m0']);
  });

  test('on a line that keeps order, what was sent later than the message seen is not lost', () => {
    const bench = new Bench(SERIAL);
    bench.measure(20, 0);
    bench.push(...names(4));
    bench.send(100);
    bench.acknowledge(101, Uint8Array.of(0b10), 125);
    expect(bench.send(125)).toEqual(['m0', 'm1']);
  });

  test('messages of one packet arrive or are lost together', () => {
    const { sender } = new Bench(SERIAL);
    for (const name of ['a', 'b']) sender.push(new Item(name));
    for (let item = sender.peek(); item; item = sender.peek()) sender.sent(item, 1, 0);
    sender.acknowledge(100, Uint8Array.of(0b1), 50);
    expect(sender.peek()).toBeUndefined();
  });

  test('on datagrams it takes three later ones', () => {
    const bench = new Bench(UDP);
    bench.measure(20, 0);
    bench.push(...names(5));
    bench.send(100);
    bench.acknowledge(101, Uint8Array.of(0b011), 121);
    expect(bench.send(121)).toEqual([]);
    bench.acknowledge(101, Uint8Array.of(0b111), 121);
    expect(bench.send(121)).toEqual(['m0']);
  });

  test('or one later one and 9/8 of the round trip', () => {
    const bench = new Bench(UDP);
    bench.measure(80, 0);
    bench.push(...names(2));
    bench.send(100);
    bench.acknowledge(101, Uint8Array.of(0b1), 180);
    expect(bench.send(180)).toEqual([]);
    expect(bench.sender.deadline()).toBe(190);
    bench.sender.tick(189);
    expect(bench.send(189)).toEqual([]);
    bench.sender.tick(190);
    expect(bench.send(190)).toEqual(['m0']);
  });

  test('one message not twice within a round trip', () => {
    const bench = new Bench(SERIAL);
    bench.measure(20, 0);
    bench.push(...names(4));
    bench.send(100);
    bench.acknowledge(101, Uint8Array.of(0b001), 122);
    expect(bench.send(122)).toEqual(['m0']);
    bench.acknowledge(101, Uint8Array.of(0b011), 124);
    bench.acknowledge(101, Uint8Array.of(0b111), 126);
    expect(bench.send(126)).toEqual([]);
  });

  test('goes back when the receiver keeps nothing out of order', () => {
    const bench = new Bench(SERIAL);
    bench.measure(20, 0);
    bench.push(...names(4));
    bench.send(100);
    bench.acknowledge(102, KEEPS_NOTHING, 125);
    expect(bench.send(125)).toEqual(['m1', 'm2', 'm3']);
  });

  test('goes back once for one loss, also before a round trip is known', () => {
    const bench = new Bench(SERIAL);
    bench.push(...names(4));
    bench.send(0);
    // m0 is lost; each of the three others makes the receiver say so.
    bench.acknowledge(100, KEEPS_NOTHING, 20);
    expect(bench.send(20)).toEqual(['m0', 'm1', 'm2', 'm3']);
    bench.acknowledge(100, KEEPS_NOTHING, 21);
    expect(bench.send(21)).toEqual([]);
    bench.acknowledge(100, KEEPS_NOTHING, 22);
    expect(bench.send(22)).toEqual([]);
  });
});

describe('over another link, or under a new numbering (§4.3)', () => {
  test('what was in flight goes again under its number, before anything new', () => {
    const bench = new Bench(TCP, 3);
    bench.push(...names(5));
    bench.send(0);
    bench.sender.resume(3, TCP, 1000);
    expect(bench.send(1000)).toEqual(['m0', 'm1', 'm2']);
    expect(bench.acknowledge(103, NO_GAP, 1010)).toEqual(['m0', 'm1', 'm2']);
    expect(bench.send(1010)).toEqual(['m3', 'm4']);
  });

  test('a smaller window holds for what goes again, too', () => {
    const bench = new Bench(UDP, 8);
    bench.push(...names(6));
    bench.send(0);
    bench.sender.resume(2, UDP, 1000);
    expect(bench.send(1000)).toEqual(['m0', 'm1']);
    bench.acknowledge(101, NO_GAP, 1010);
    expect(bench.send(1010)).toEqual(['m2']);
  });

  test('the time without a link is no round trip, and its timer starts afresh', () => {
    const bench = new Bench(UDP);
    bench.push('m0', 'm1');
    bench.send(0);
    for (const now of [250, 750, 1750]) {
      bench.sender.tick(now);
      bench.send(now);
    }
    bench.sender.resume(8, UDP, 60_000);
    // The other side held m1 all the time, and says so before it was sent again.
    bench.acknowledge(100, Uint8Array.of(1), 60_010);
    expect(bench.roundTrip.smoothed).toBeUndefined();
    bench.send(60_010);
    expect(bench.sender.deadline()).toBe(60_260);
  });

  test('what the other side reports as received is done, each once', () => {
    const bench = new Bench(UDP);
    bench.push(...names(4));
    bench.send(0);
    expect(bench.acknowledge(100, Uint8Array.of(0b1), 10)).toEqual(['m1']);
    expect(bench.sender.refused(102)?.name).toBe('m2');
    expect(delivered(bench.sender.settleBefore(103))).toEqual(['m0', 'm1']);
    expect(bench.settled).toEqual([]);
    expect(bench.sender.pending).toBe(1);
  });

  test.each([
    ['behind the oldest', 99],
    ['never sent', 105],
    ['of another numbering', 100 + 0x8000],
  ])('a report that does not fit (%s) changes nothing', (_what, received) => {
    const bench = new Bench(UDP);
    bench.push(...names(4));
    bench.send(0);
    expect(bench.sender.settleBefore(received)).toEqual([]);
    expect(bench.sender.pending).toBe(4);
  });

  test('what only a bitmap showed is sent again: who held it may have been restarted (§5.3)', () => {
    const bench = new Bench(UDP, 4);
    bench.push(...names(4));
    bench.send(0);
    bench.acknowledge(101, Uint8Array.of(0b1), 10);
    bench.sender.refused(103);
    bench.sender.resume(4, UDP, 1000);
    expect(bench.send(1000)).toEqual(['m1', 'm2']);
  });

  test('what was kept goes on under its numbers, before what comes later', () => {
    const bench = new Bench(UDP, 8);
    const kept = names(3).map((name) => new Item(name));
    for (const [i, item] of kept.slice(0, 2).entries()) item.seq = 500 + i;
    bench.sender.restore(502, kept.slice(0, 2));
    bench.sender.push(kept[2] as Item);
    bench.sender.resume(8, UDP, 1000);
    expect(bench.send(1000)).toEqual(['m0', 'm1', 'm2']);
    expect(kept.map(({ seq }) => seq)).toEqual([500, 501, 502]);
    bench.acknowledge(503, NO_GAP, 1010);
    expect(bench.settled).toEqual(['m0', 'm1', 'm2']);
  });

  test('what waits too long is taken out, but nothing that has a number', () => {
    const bench = new Bench(UDP, 2);
    bench.push(...names(5));
    bench.send(0);
    expect(delivered(bench.sender.dropWaiting(({ name }) => name < 'm4'))).toEqual(['m2', 'm3']);
    bench.acknowledge(102, NO_GAP, 10);
    expect(bench.send(10)).toEqual(['m4']);
  });

  test('a new numbering gives back all, in order, as if never sent', () => {
    const bench = new Bench(UDP, 3);
    bench.push(...names(5));
    bench.send(0);
    bench.acknowledge(100, Uint8Array.of(0b1), 10);
    bench.sender.refused(102);
    // m1 waited behind a gap at the other side, which forgets it: it was never delivered.
    const open = bench.sender.restart(40_000).filter(({ refused }) => !refused);
    expect(delivered(open)).toEqual(['m0', 'm1', 'm3', 'm4']);
    for (const item of open) bench.sender.push(item);
    bench.sender.resume(8, UDP, 1000);
    expect(bench.send(1000)).toEqual(['m0', 'm1', 'm3', 'm4']);
    expect(bench.sender.nextSeq).toBe(40_004);
    expect(bench.acknowledge(40_004, NO_GAP, 1020)).toHaveLength(4);
    expect(bench.roundTrip.smoothed).toBe(20);
  });
});

describe('what an ACK promises (§5.1)', () => {
  test('a message behind a gap has arrived, and is settled only when the gap is closed', () => {
    const bench = new Bench(UDP);
    bench.push(...names(3));
    bench.send(0);
    expect(bench.acknowledge(100, Uint8Array.of(0b1), 10)).toEqual(['m1']);
    expect(bench.settled).toEqual([]);
    expect(bench.acknowledge(102, NO_GAP, 20)).toEqual(['m0']);
    expect(bench.settled).toEqual(['m0', 'm1']);
  });

  test('it may still be refused when its turn comes', () => {
    const bench = new Bench(UDP);
    bench.push(...names(2));
    bench.send(0);
    bench.acknowledge(100, Uint8Array.of(0b1), 10);
    expect(bench.sender.refused(101)?.name).toBe('m1');
    bench.acknowledge(102, NO_GAP, 20);
    expect(bench.settled).toEqual(['m0']);
  });
});

test('a refused message is done, and is not sent again (§7)', () => {
  const bench = new Bench(UDP);
  bench.push(...names(2));
  bench.send(0);
  expect(bench.sender.refused(101)?.name).toBe('m1');
  expect(bench.sender.refused(101)).toBeUndefined();
  expect(bench.sender.refused(102)).toBeUndefined();
  expect(bench.sender.refused(99)).toBeUndefined();
  bench.sender.tick(10_000);
  expect(bench.send(10_000)).toEqual(['m0']);
  expect(bench.acknowledge(102, NO_GAP, 10_001)).toEqual(['m0']);
});

test('a refused message whose acknowledgement was lost asks for another', () => {
  const bench = new Bench(UDP);
  bench.push(...names(2));
  bench.send(0);
  bench.sender.refused(100);
  expect(bench.acknowledge(100, Uint8Array.of(0b1), 10)).toEqual(['m1']);
  expect(bench.sender.deadline()).toBeGreaterThan(10);
  bench.sender.tick(bench.sender.deadline() as number);
  expect(bench.send(1000)).toEqual(['m0']);
  bench.acknowledge(102, NO_GAP, 1010);
  expect([bench.sender.pending, bench.sender.deadline()]).toEqual([0, undefined]);
  expect(bench.settled).toEqual(['m1']);
});

test('what is urgent goes before what waits, not before what has a number', () => {
  const bench = new Bench(UDP, 2);
  bench.push(...names(4));
  bench.send(0);
  bench.sender.push(new Item('first'), true);
  bench.sender.push(new Item('second'), true);
  bench.acknowledge(102, NO_GAP, 10);
  expect(bench.send(10)).toEqual(['first', 'second']);
  bench.acknowledge(104, NO_GAP, 20);
  expect(bench.send(20)).toEqual(['m2', 'm3']);
  expect(bench.sender.pending).toBe(2);
});
