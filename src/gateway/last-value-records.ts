import type { LastValueKeeper } from '../router/last-values.js';
import type { Router } from '../router/router.js';
import { withTime } from '../store/extras.js';
import { keys, type StoredLastValue, writeLastValue } from '../store/records.js';
import type { Store } from '../store/store.js';

/** Of the gateway's own channels, only the states of devices are worth keeping: the others are renewed all the time. */
const KEPT = ['$slipway/devices/', '$slipway/fleet/'];

/** Keeps last values in the store. */
export function lastValueKeeper(store: Store): LastValueKeeper {
  return {
    changed(name, value) {
      if (name.startsWith('$') && !KEPT.some((kept) => name.startsWith(kept))) return;
      if (!value) return store.delete(keys.lastValue(name));
      const extras = withTime(value.extras, (time) => store.time(time));
      store.put(keys.lastValue(name), writeLastValue({ ...value, extras }));
    },
    get full() {
      return store.full;
    },
  };
}

/** Gives the router back what the store kept. What today's limits have no room for is gone; returns how many values. */
export function restoreLastValues(store: Store, router: Router, values: readonly StoredLastValue[]): number {
  let gone = 0;
  // What the store's time is when the process's clock shows 0.
  const offset = store.time(0);
  for (const value of values) {
    const extras = withTime(value.extras, (time) => time - offset);
    if (router.restoreLastValue({ ...value, extras }) === undefined) continue;
    store.delete(keys.lastValue(value.name));
    gone++;
  }
  return gone;
}
