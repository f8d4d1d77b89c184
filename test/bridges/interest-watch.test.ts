import { expect, test } from 'vitest';
import { InterestWatch } from '../../src/bridges/interest-watch.js';
import { VirtualClock } from '../support/virtual-clock.js';

function watched() {
  const clock = new VirtualClock();
  const said: string[] = [];
  const watch = new InterestWatch(clock, {
    added: (pattern) => said.push(`+${pattern}`),
    removed: (pattern) => said.push(`-${pattern}`),
    changed: () => said.push('.'),
  });
  return { clock, watch, said };
}

test('patterns that come together are told together, each once', () => {
  const { clock, watch, said } = watched();
  watch.subscribed('a');
  watch.subscribed('b/#');
  watch.subscribed('a');
  expect(said).toEqual([]);
  clock.advance(100);
  expect(said).toEqual(['+a', '+b/#', '.']);
});

test('a pattern lasts as long as anybody is subscribed to it, and 5 s more', () => {
  const { clock, watch, said } = watched();
  watch.subscribed('a');
  watch.subscribed('a');
  clock.advance(100);
  watch.unsubscribed('a');
  clock.advance(60_000);
  expect(said).toEqual(['+a', '.']);
  watch.unsubscribed('a');
  clock.advance(4999);
  expect(said).toEqual(['+a', '.']);
  clock.advance(1);
  expect(said).toEqual(['+a', '.', '-a', '.']);
});

test('who is back within 5 s is not noticed', () => {
  const { clock, watch, said } = watched();
  watch.subscribed('a');
  clock.advance(100);
  watch.unsubscribed('a');
  clock.advance(3000);
  watch.subscribed('a');
  clock.advance(60_000);
  expect(said).toEqual(['+a', '.']);
});

test('those that go one after the other are each told when their time is over', () => {
  const { clock, watch, said } = watched();
  watch.subscribed('a');
  watch.subscribed('b');
  clock.advance(100);
  watch.unsubscribed('a');
  clock.advance(2000);
  watch.unsubscribed('b');
  clock.advance(3000);
  expect(said.slice(3)).toEqual(['-a', '.']);
  clock.advance(2000);
  expect(said.slice(5)).toEqual(['-b', '.']);
});

test('what was there for a moment only is not told at all', () => {
  const { clock, watch, said } = watched();
  watch.subscribed('a');
  watch.unsubscribed('a');
  clock.advance(60_000);
  expect(said).toEqual([]);
});

test('after a stop nothing is told, and no timer is left', () => {
  const { clock, watch, said } = watched();
  watch.subscribed('a');
  watch.stop();
  clock.advance(60_000);
  expect(said).toEqual([]);
});

test('what is gathered can be told at once', () => {
  const { clock, watch, said } = watched();
  watch.subscribed('a');
  watch.subscribed('b');
  watch.flush();
  expect(said).toEqual(['+a', '+b', '.']);
  clock.advance(100);
  watch.flush();
  expect(said).toEqual(['+a', '+b', '.']);
});
