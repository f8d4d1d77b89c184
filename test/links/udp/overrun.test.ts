import { beforeEach, expect, test } from 'vitest';
import { Overrun } from '../../../src/links/udp/overrun.js';

let now: number;
let endTurn: (() => void) | undefined;
let overrun: Overrun;

/** A turn of the event loop that took `ms`, with so many datagrams. */
function turn(datagrams: number, ms: number): void {
  for (let i = 0; i < datagrams; i++) overrun.count();
  now += ms;
  endTurn?.();
  endTurn = undefined;
}

beforeEach(() => {
  now = 1_000_000;
  endTurn = undefined;
  overrun = new Overrun(
    () => now,
    (task) => {
      endTurn = task;
    },
  );
});

test('grows while every turn is full', () => {
  for (let i = 0; i < 101; i++) turn(32, 5);
  expect(overrun.ms).toBe(500);
});

test('is over with the first turn that is not full', () => {
  for (let i = 0; i < 100; i++) turn(32, 5);
  turn(3, 1);
  expect(overrun.ms).toBe(0);
  turn(32, 5);
  expect(overrun.ms).toBe(0);
});

test('is over after a silence, too, and a later burst begins anew', () => {
  for (let i = 0; i < 100; i++) turn(32, 5);
  now += 60_000;
  expect(overrun.ms).toBe(0);
  for (let i = 0; i < 11; i++) turn(32, 5);
  expect(overrun.ms).toBe(50);
});

test('is nothing where datagrams come one by one, however many', () => {
  for (let i = 0; i < 1000; i++) turn(2, 1);
  expect(overrun.ms).toBe(0);
});
