import type { VirtualClock } from './virtual-clock.js';

/** Until all that waits for a promise has gone on. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Runs all that is due in the next `ms` milliseconds, and what waits for promises in between. */
export async function advance(clock: VirtualClock, ms: number): Promise<void> {
  const end = clock.now() + ms;
  await settled();
  while (clock.step(end - clock.now())) await settled();
  clock.advance(end - clock.now());
}

/** As `advance` until `condition` holds; throws when it does not within `limitMs`. */
export async function until(
  clock: VirtualClock,
  condition: () => boolean,
  limitMs: number,
  what: string,
): Promise<void> {
  const end = clock.now() + limitMs;
  await settled();
  while (!condition()) {
    if (!clock.step(end - clock.now())) throw new Error(`${what}: not within ${limitMs} ms of virtual time`);
    await settled();
  }
}
