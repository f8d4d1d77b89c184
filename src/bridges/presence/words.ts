import { z } from 'zod';
import { identityProblem } from '../../wire/channels.js';
import type { DeviceState } from '../../wire/device-states.js';
import { isGatewayName } from '../gateway-names.js';

/** What gateways tell each other of their devices, each below a channel of its own upstream. */

/** What a gateway says of one of its devices: the last value of `<remote>/<gateway>/devices/<device>`. */
export interface DeviceWord {
  readonly state: DeviceState;
  /** The memory that the gateway has now: what it said in an earlier one it may not remember, and never take back. */
  readonly run: string;
  /** How many messages wait there for a device that is elsewhere. */
  readonly held?: number | undefined;
}

/** Every `BEACON_MS`, on `<remote>/<gateway>/alive`. */
export interface Beacon {
  readonly run: string;
}

export const BEACON_MS = 10_000;

const run = z.string().min(1).max(64);

// What a later version says besides is left aside.
const deviceWord = z.object({
  state: z.enum(['online', 'asleep', 'offline']),
  run,
  held: z.int().min(1).optional(),
});
const beacon = z.object({ run });

export type Heard =
  | {
      readonly type: 'device';
      readonly gateway: string;
      readonly device: string;
      readonly word: DeviceWord | undefined;
    }
  | { readonly type: 'alive'; readonly gateway: string; readonly beacon: Beacon };

/** The names upstream, below the one of the config. */
export class Words {
  readonly #remote: string;

  constructor(remote: string) {
    this.#remote = remote;
  }

  /** Pattern of what all gateways say of their devices. */
  get devices(): string {
    return `${this.#remote}/+/devices/+`;
  }

  /** Pattern of all beacons. */
  get beacons(): string {
    return `${this.#remote}/+/alive`;
  }

  device(gateway: string, device: string): string {
    return `${this.#remote}/${gateway}/devices/${device}`;
  }

  beacon(gateway: string): string {
    return `${this.#remote}/${gateway}/alive`;
  }

  /** What a message is about; `undefined` if it is none of these, `malformed` if it is not as it should be. */
  read(name: string, payload: Uint8Array): Heard | 'malformed' | undefined {
    if (!name.startsWith(`${this.#remote}/`)) return undefined;
    const [gateway = '', kind, device, ...more] = name.slice(this.#remote.length + 1).split('/');
    if (device === undefined ? kind !== 'alive' : kind !== 'devices' || more.length > 0) return undefined;
    if (!isGatewayName(gateway)) return 'malformed';
    if (device === undefined) {
      const parsed = beacon.safeParse(parse(payload));
      return parsed.success ? { type: 'alive', gateway, beacon: parsed.data } : 'malformed';
    }
    if (identityProblem(device) !== undefined) return 'malformed';
    if (payload.length === 0) return { type: 'device', gateway, device, word: undefined };
    const parsed = deviceWord.safeParse(parse(payload));
    return parsed.success ? { type: 'device', gateway, device, word: parsed.data } : 'malformed';
  }
}

/** Undefined if it is no JSON. */
export function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString());
  } catch {
    return undefined;
  }
}

export function asJson(value: object): Uint8Array {
  return new Uint8Array(Buffer.from(JSON.stringify(value)));
}
