import type { Channel } from '../router/channel.js';
import type { Router } from '../router/router.js';
import { keys, type StoredLastValue, writeLastValue } from '../store/records.js';
import type { Store } from '../store/store.js';

/** Of the gateway's own channels, only the states of devices are worth keeping: the others are renewed all the time. */
const DEVICES = '$slipway/devices/';

/** Keeps a channel's last value, or that there is none any more. */
export function recordLastValue(store: Store, { name, reserved, lastValue }: Channel): void {
  if (reserved && !name.startsWith(DEVICES)) return;
  if (lastValue) store.put(keys.lastValue(name), writeLastValue({ name, ...lastValue }));
  else store.delete(keys.lastValue(name));
}

/** Gives the router back what the store kept. What today's limits have no room for is gone; returns how many values. */
export function restoreLastValues(store: Store, router: Router, values: readonly StoredLastValue[]): number {
  let gone = 0;
  for (const { name, payload, qos, mark } of values) {
    if (router.restoreLastValue(name, payload, qos, mark) === undefined) continue;
    store.delete(keys.lastValue(name));
    gone++;
  }
  return gone;
}
