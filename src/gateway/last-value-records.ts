import type { LastValueKeeper } from '../router/last-values.js';
import type { Router } from '../router/router.js';
import { keys, type StoredLastValue, writeLastValue } from '../store/records.js';
import type { Store } from '../store/store.js';

/** Of the gateway's own channels, only the states of devices are worth keeping: the others are renewed all the time. */
const DEVICES = '$slipway/devices/';

/** Keeps last values in the store. */
export function lastValueKeeper(store: Store): LastValueKeeper {
  return {
    changed(name, value) {
      if (name.startsWith('$') && !name.startsWith(DEVICES)) return;
      if (value) store.put(keys.lastValue(name), writeLastValue(value));
      else store.delete(keys.lastValue(name));
    },
    get full() {
      return store.full;
    },
  };
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
