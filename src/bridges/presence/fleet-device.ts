import { z } from 'zod';
import type { DeviceState } from '../../wire/device-states.js';
import type { Standing } from './roll-call.js';
import { parse } from './words.js';

/** What `$slipway/fleet/devices/<device>` says, as JSON (PROTOCOL.md §6.6). */
export interface FleetWord {
  readonly state: DeviceState;
  /** Where it is, or was last. */
  readonly gateway: string;
  /** It is taken for offline since its gateway is silent, which said this of it last. */
  readonly was?: 'online' | 'asleep';
  /** The memory of that gateway that says so (`DeviceWord.run`), unless it says that the device is offline. */
  readonly run?: string;
  /** Messages that wait for it at gateways where it is not, by gateway. */
  readonly held?: Readonly<Record<string, number>>;
}

const fleetWord = z.object({
  state: z.enum(['online', 'asleep', 'offline']),
  gateway: z.string(),
  was: z.enum(['online', 'asleep']).optional(),
  run: z.string().optional(),
  held: z.record(z.string(), z.number()).optional(),
});

export function readFleetWord(payload: Uint8Array): FleetWord | undefined {
  const read = fleetWord.safeParse(parse(payload));
  return read.success ? (read.data as FleetWord) : undefined;
}

/** What one gateway said last of one device, unless that is merely that it is not there. */
export interface Said {
  readonly gateway: string;
  readonly state: DeviceState;
  readonly run: string;
  readonly held: number;
  /** Counts up as things are said. */
  readonly at: number;
}

/** Whether those who spoke are there: `forgotten` if what they said is of a memory that they have no more. */
export type StandingOf = (said: Said) => Standing | 'forgotten';

/**
 * What is to be told of a device of which gateways said that. Who spoke last is right: a device that moved is online at once where it came
 * to, and offline later where it was. Undefined: nothing new yet, those who know are to be heard first.
 *
 * @param last what was told before
 * @param speaker whoever spoke just now, or last
 */
export function judge(
  said: readonly Said[],
  standingOf: StandingOf,
  last: FleetWord | undefined,
  speaker: string,
): FleetWord | undefined {
  const present = said.filter(({ state }) => state !== 'offline');
  const of = (standing: Standing) => present.filter((one) => standingOf(one) === standing);
  const best = of('heard').reduce<Said | undefined>((a, b) => (a && a.at > b.at ? a : b), undefined);
  if (best) {
    const { state, gateway, run } = best;
    return { state, gateway, run, ...heldBeside(gateway, said, standingOf) };
  }
  if (of('awaited').length > 0) return undefined;
  const [silent] = of('silent');
  const gateway = silent?.gateway ?? last?.gateway ?? speaker;
  const was = silent && { was: silent.state as 'online' | 'asleep', run: silent.run };
  return { state: 'offline', gateway, ...was, ...heldBeside(undefined, said, standingOf) };
}

function heldBeside(
  where: string | undefined,
  said: readonly Said[],
  standingOf: StandingOf,
): Pick<FleetWord, 'held'> {
  const held = said.filter((one) => one.held > 0 && one.gateway !== where && standingOf(one) !== 'forgotten');
  if (held.length === 0) return {};
  return { held: Object.fromEntries(held.map((one) => [one.gateway, one.held])) };
}
