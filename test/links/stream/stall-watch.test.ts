import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { StallWatch } from '../../../src/links/stream/stall-watch.js';

beforeEach(() => void vi.useFakeTimers({ now: 1000 }));
afterEach(() => void vi.useRealTimers());

/** A watch over 100 ms; `state.since` is when the thing watched moved last. */
function watch() {
  const state = { since: undefined as number | undefined, stalls: 0 };
  const stalled = () => void state.stalls++;
  return { state, watch: new StallWatch(100, () => state.since, stalled) };
}

it('calls once when nothing has moved for as long as it waits', () => {
  const { state, watch: it } = watch();
  state.since = performance.now();
  it.start();
  it.start();
  vi.advanceTimersByTime(99);
  expect(state.stalls).toBe(0);
  vi.advanceTimersByTime(1);
  expect(state.stalls).toBe(1);
  vi.advanceTimersByTime(1000);
  expect(state.stalls).toBe(1);
});

it('does not call while something moves, however slowly', () => {
  const { state, watch: it } = watch();
  it.start();
  for (let n = 0; n < 20; n++) {
    state.since = performance.now();
    vi.advanceTimersByTime(90);
  }
  expect(state.stalls).toBe(0);
  vi.advanceTimersByTime(10);
  expect(state.stalls).toBe(1);
});

it('stops looking when there is nothing to wait for, and can be started again', () => {
  const { state, watch: it } = watch();
  state.since = performance.now();
  it.start();
  state.since = undefined;
  vi.advanceTimersByTime(100);
  expect(vi.getTimerCount()).toBe(0);
  state.since = performance.now();
  it.start();
  vi.advanceTimersByTime(100);
  expect(state.stalls).toBe(1);
});

it('is silent after it was stopped', () => {
  const { state, watch: it } = watch();
  state.since = performance.now();
  it.start();
  it.stop();
  vi.advanceTimersByTime(1000);
  expect(state.stalls).toBe(0);
});
