import type { Logger } from 'pino';
import type { Cancel, Clock } from '../clock.js';
import type { Router } from '../router/router.js';
import { DEVICE_STATES, type DeviceState, deviceOfState, stateChannelOf } from '../wire/device-states.js';

/** How long after a start devices have to come back before the state that is remembered of them is corrected, ms. */
export const RETURN_MS = 60_000;

/** Shared by the last values of all devices. */
const PAYLOADS: Readonly<Record<DeviceState, Uint8Array>> = {
  online: new Uint8Array(Buffer.from('online')),
  asleep: new Uint8Array(Buffer.from('asleep')),
  offline: new Uint8Array(Buffer.from('offline')),
};

/** Whether devices are there, as last values of the gateway's own channels. */
export class Presence {
  readonly #router: Router;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(router: Router, clock: Clock, logger: Logger) {
    this.#router = router;
    this.#clock = clock;
    this.#logger = logger;
  }

  announce(identity: string, state: DeviceState): void {
    // Seldom used, and there may be very many: not listed.
    const channel = this.#router.find(stateChannelOf(identity));
    const payload = PAYLOADS[state];
    let refusal = this.#router.emit(channel, payload, { qos: 1, retain: true });
    // One watcher that takes nothing must not keep the state from everyone else.
    if (refusal === 'queue_full') refusal = this.#router.emit(channel, payload, { qos: 0, retain: true });
    if (refusal) this.#logger.warn({ refusal }, `the state of ${identity} could not be kept: ${refusal}`);
  }

  /** Clears the state of a device of which nothing else is remembered either. */
  forget(identity: string): void {
    this.#router.clearLastValue(stateChannelOf(identity));
  }

  /**
   * To be called at the start, when last values were taken up from a store: devices that are said to be there and are
   * not after a while, as `stateOf` tells, become `offline`. Returns what calls that off.
   */
  correctLater(stateOf: (identity: string) => DeviceState): Cancel {
    if (this.#present().length === 0) return () => undefined;
    return this.#clock.schedule(RETURN_MS, () => {
      for (const identity of this.#present()) {
        if (stateOf(identity) === 'offline') this.announce(identity, 'offline');
      }
    });
  }

  /** The devices of which the last value says that they are there. */
  #present(): string[] {
    return this.#router
      .lastValues(DEVICE_STATES)
      .filter(({ payload }) => Buffer.from(payload).toString() !== 'offline')
      .flatMap(({ name }) => deviceOfState(name) ?? []);
  }
}
