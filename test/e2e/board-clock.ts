import { type Cancel, type Clock, systemClock } from '../../src/clock.js';
import type { VirtualUno } from '../../src/simulator/uno.js';

/**
 * The time of a virtual board that runs, as the time of its gateway. Where the machine is too busy to run the board in
 * real time, both are slow alike, and the gateway does not take an answer for lost that is only late.
 */
export function boardClock(uno: VirtualUno): Clock {
  const schedule = (ms: number, task: () => void): Cancel => {
    const due = uno.ms + ms;
    let cancel: Cancel;
    const wait = (): void => {
      cancel = systemClock.schedule(due - uno.ms, () => (uno.ms < due ? wait() : task()));
    };
    wait();
    return () => cancel();
  };
  return { ...systemClock, now: () => uno.ms, schedule };
}
