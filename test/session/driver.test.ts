import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Alarms } from '../../src/session/alarms.js';
import { Driver } from '../../src/session/driver.js';
import { VirtualClock } from '../support/virtual-clock.js';

describe('a driver', () => {
  let clock: VirtualClock;
  let outgoing: Uint8Array[];
  let wakeAt: number | undefined;
  let polls: number[];
  let sent: Uint8Array[];
  let driver: Driver;
  let blocked: boolean;

  beforeEach(() => {
    clock = new VirtualClock();
    outgoing = [];
    wakeAt = undefined;
    polls = [];
    sent = [];
    blocked = false;
    driver = new Driver(
      {
        poll: (now) => {
          polls.push(now);
          if (wakeAt !== undefined && now >= wakeAt) wakeAt = undefined;
          return outgoing.shift();
        },
        wakeAt: () => wakeAt,
      },
      new Alarms(clock),
      {
        get blocked() {
          return blocked;
        },
        send: (packet) => sent.push(packet),
      },
    );
  });

  test('sends all that waits, at the end of the turn in which it was woken', () => {
    outgoing.push(Uint8Array.of(1), Uint8Array.of(2));
    driver.wake();
    driver.wake();
    expect(sent).toEqual([]);
    clock.advance(0);
    expect(sent).toEqual([Uint8Array.of(1), Uint8Array.of(2)]);
    // Twice for the packets, once to learn that there is no more.
    expect(polls).toHaveLength(3);
  });

  test('polls for the first of a turn at once, and for all others once at its end', async () => {
    const realTime = new Driver(
      { poll: () => outgoing.shift(), wakeAt: () => undefined },
      new Alarms(systemClock),
      { send: (packet) => sent.push(packet) },
    );
    const wakeWith = async (byte: number): Promise<void> => {
      outgoing.push(Uint8Array.of(byte));
      realTime.wake();
      // As between two datagrams: a microtask, and no turn of the event loop.
      await Promise.resolve();
      await Promise.resolve();
    };
    await wakeWith(1);
    expect(sent).toEqual([Uint8Array.of(1)]);
    await wakeWith(2);
    await wakeWith(3);
    expect(sent).toEqual([Uint8Array.of(1)]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toEqual([1, 2, 3].map((byte) => Uint8Array.of(byte)));
    await wakeWith(4);
    expect(sent).toHaveLength(4);
  });

  test('makes nothing while packets wait in the way out, however often it is woken', () => {
    blocked = true;
    outgoing.push(Uint8Array.of(1));
    driver.flush();
    driver.wake();
    clock.advance(1000);
    expect(polls).toEqual([]);
    blocked = false;
    driver.wake();
    clock.advance(0);
    expect(sent).toEqual([Uint8Array.of(1)]);
  });

  test('comes back when it is told to', () => {
    wakeAt = 40.5;
    driver.flush();
    outgoing.push(Uint8Array.of(3));
    clock.advance(40);
    expect(sent).toHaveLength(0);
    clock.advance(1);
    expect(sent).toHaveLength(1);
    expect(polls).toEqual([0, 41, 41]);
  });

  test('an earlier time replaces a later one, and a later one waits for the earlier', () => {
    wakeAt = 100;
    driver.flush();
    wakeAt = 10;
    driver.flush();
    clock.advance(10);
    expect(polls).toEqual([0, 0, 10]);
    wakeAt = 50;
    driver.flush();
    wakeAt = 80;
    driver.flush();
    clock.advance(200);
    expect(polls.at(-1)).toBe(80);
  });

  test('gives other work a turn when there is very much to send, and goes on', () => {
    outgoing = Array.from({ length: 1000 }, (_, i) => Uint8Array.of(i & 0xff));
    driver.flush();
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.length).toBeLessThan(1000);
    clock.advance(0);
    expect(sent).toHaveLength(1000);
  });

  test('does nothing any more when it is stopped', () => {
    wakeAt = 10;
    driver.flush();
    driver.wake();
    driver.stop();
    outgoing.push(Uint8Array.of(1));
    clock.advance(1000);
    driver.wake();
    clock.advance(1000);
    expect(sent).toEqual([]);
  });

  test('stops on the way when what it sends makes its owner stop it', () => {
    outgoing = Array.from({ length: 300 }, () => Uint8Array.of(1));
    const stopping = new Driver({ poll: () => outgoing.shift(), wakeAt: () => 5 }, new Alarms(clock), {
      send: (packet) => {
        sent.push(packet);
        stopping.stop();
      },
    });
    stopping.flush();
    clock.advance(1000);
    expect(sent).toHaveLength(1);
  });
});
