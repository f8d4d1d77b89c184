import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Deadlines } from '../src/deadlines.js';
import { VirtualClock } from './support/virtual-clock.js';

const MS = 50;

test('end each wait when its time has come, unless it was stopped or began anew', () => {
  const step = fc.record({ item: fc.nat(5), start: fc.boolean(), pass: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new VirtualClock();
      const ended: string[] = [];
      const deadlines = new Deadlines<number>(clock, MS, (item) => ended.push(`${item}@${clock.now()}`));
      const waiting = new Map<number, number>();
      const expected: string[] = [];
      for (const { item, start, pass } of [...steps, { item: 9, start: false, pass: 2 * MS }]) {
        if (start) {
          deadlines.start(item);
          waiting.delete(item);
          waiting.set(item, clock.now() + MS);
        } else {
          deadlines.stop(item);
          waiting.delete(item);
        }
        clock.advance(pass);
        for (const [one, end] of waiting) {
          if (end > clock.now()) continue;
          expected.push(`${one}@${end}`);
          waiting.delete(one);
        }
      }
      expect(ended).toEqual(expected);
    }),
  );
});

test('let a wait begin anew as it ends, without making others late', () => {
  const clock = new VirtualClock();
  const ended: string[] = [];
  const deadlines: Deadlines<string> = new Deadlines(clock, MS, (item) => {
    ended.push(`${item}@${clock.now()}`);
    if (ended.length < 3) deadlines.start(item);
  });
  deadlines.start('a');
  clock.advance(20);
  deadlines.start('b');
  clock.advance(500);
  expect(ended).toEqual(['a@50', 'b@70', 'a@100', 'b@120']);
});

test('leave no timer behind when nothing waits', () => {
  const clock = new VirtualClock();
  let timers = 0;
  const schedule = clock.schedule.bind(clock);
  clock.schedule = (ms, run) => {
    timers++;
    const cancel = schedule(ms, run);
    return () => {
      timers--;
      cancel();
    };
  };
  const deadlines = new Deadlines<number>(clock, MS, () => {});
  deadlines.start(1);
  deadlines.start(2);
  expect(timers).toBe(1);
  deadlines.stop(1);
  deadlines.stop(2);
  expect(timers).toBe(0);
  deadlines.start(3);
  deadlines.stopAll();
  expect(timers).toBe(0);
});
