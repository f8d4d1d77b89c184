import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Alarm, Alarms, NOT_SET } from '../../src/session/alarms.js';
import { VirtualClock } from '../support/virtual-clock.js';

function alarm(ring: () => void): Alarm {
  return { alarmAt: 0, alarmPlace: NOT_SET, ring };
}

describe('alarms', () => {
  test('ring once, when the time has come, whatever was set, moved or cancelled before', () => {
    const step = fc.record({
      of: fc.nat(9),
      /** Fractions too: alarms ring in whole milliseconds, never early. */
      after: fc.option(fc.integer({ min: 0, max: 400 }).map((quarters) => quarters / 4)),
      pass: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new VirtualClock();
        const alarms = new Alarms(clock);
        const rung: string[] = [];
        const all = Array.from({ length: 10 }, (_, n) => alarm(() => rung.push(`${n}@${clock.now()}`)));
        const due = new Map<number, number>();
        const expected: string[] = [];
        for (const { of, after, pass } of steps) {
          if (after === null) {
            alarms.cancel(all[of] as Alarm);
            due.delete(of);
          } else {
            const at = Math.ceil(clock.now() + after);
            alarms.set(all[of] as Alarm, clock.now() + after);
            due.set(of, Math.min(at, due.get(of) ?? at));
          }
          const end = clock.now() + pass;
          clock.advance(pass);
          for (const [n, at] of due) {
            if (at > end) continue;
            expected.push(`${n}@${at}`);
            due.delete(n);
          }
        }
        expect(rung.sort()).toEqual(expected.sort());
        expect(all.filter(({ alarmPlace }) => alarmPlace !== NOT_SET)).toHaveLength(due.size);
      }),
    );
  });

  test('ring in the order of their times', () => {
    const clock = new VirtualClock();
    const alarms = new Alarms(clock);
    const rung: number[] = [];
    const times = Array.from({ length: 500 }, (_, n) => (n * 7919) % 500);
    for (const at of times)
      alarms.set(
        alarm(() => rung.push(at)),
        at,
      );
    clock.advance(1000);
    expect(rung).toEqual(times.sort((a, b) => a - b));
  });

  test('that are set for now as they ring do not keep the clock from other work', () => {
    const clock = new VirtualClock();
    const alarms = new Alarms(clock);
    const order: string[] = [];
    const restless = alarm(() => {
      order.push('alarm');
      if (order.length < 5) alarms.set(restless, clock.now());
    });
    alarms.set(restless, 10);
    clock.schedule(10, () => order.push('other work'));
    clock.advance(10);
    expect(order.slice(0, 3)).toEqual(['alarm', 'other work', 'alarm']);
  });

  test('may stop and set one another', () => {
    const clock = new VirtualClock();
    const alarms = new Alarms(clock);
    const rung: string[] = [];
    const second = alarm(() => rung.push('second'));
    const first = alarm(() => {
      rung.push('first');
      alarms.set(second, 30);
    });
    alarms.set(first, 10);
    alarms.set(second, 20);
    clock.advance(10);
    alarms.cancel(second);
    clock.advance(10);
    expect(rung).toEqual(['first']);
    alarms.set(second, 25);
    clock.advance(100);
    expect(rung).toEqual(['first', 'second']);
  });

  test('leave no timer behind when none is set', () => {
    const clock = new VirtualClock();
    let waiting = 0;
    const schedule = clock.schedule.bind(clock);
    clock.schedule = (ms, run) => {
      waiting++;
      const cancel = schedule(ms, () => {
        waiting--;
        run();
      });
      let cancelled = false;
      return () => {
        if (!cancelled) waiting--;
        cancelled = true;
        cancel();
      };
    };
    const alarms = new Alarms(clock);
    const one = alarm(() => {});
    alarms.set(one, 100);
    expect(waiting).toBe(1);
    alarms.cancel(one);
    expect(waiting).toBe(0);
  });

  test('the time of a turn is asked once, and is another in the next one', () => {
    const clock = new VirtualClock();
    const alarms = new Alarms(clock);
    clock.advance(5);
    expect(alarms.turnAt).toBe(clock.now());
    let asked = 0;
    const now = clock.now.bind(clock);
    clock.now = () => {
      asked++;
      return now();
    };
    expect([alarms.turnAt, alarms.turn, alarms.turnAt]).toEqual([now(), alarms.turn, now()]);
    expect(asked).toBe(0);
    clock.advance(3);
    expect(alarms.turnAt).toBe(now());
  });
});
