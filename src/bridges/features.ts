import type { BridgeConfig } from '../config/schema.js';
import { type BroadcastContext, BroadcastFeature } from './broadcast.js';
import type { BridgeFeature } from './feature.js';
import type { FleetPresence } from './presence/fleet-presence.js';
import type { PresenceContext } from './presence/presence.js';
import type { IncomingMessage, Interest } from './upstream.js';

type FeaturesContext = Omit<BroadcastContext, 'config'> &
  Pick<PresenceContext, 'records'> & { readonly presence?: FleetPresence | undefined };

/** All that one bridge carries besides its rules, as the config says. */
export class Features {
  readonly #all: readonly BridgeFeature[];

  constructor(
    { presence, broadcast }: Pick<BridgeConfig, 'presence' | 'broadcast'>,
    context: FeaturesContext,
  ) {
    const all: BridgeFeature[] = [];
    const { presence: fleet } = context;
    if (presence && fleet) all.push(fleet.feature({ ...context, config: presence }));
    if (broadcast) all.push(new BroadcastFeature({ ...context, config: broadcast }));
    this.#all = all;
  }

  get interests(): Interest[] {
    return this.#all.flatMap(({ interests }) => interests);
  }

  take(message: IncomingMessage): boolean {
    return this.#all.some((feature) => feature.take(message));
  }

  echoed(message: IncomingMessage): void {
    for (const feature of this.#all) feature.echoed(message);
  }

  up(isAnew: boolean): void {
    for (const feature of this.#all) feature.up(isAnew);
  }

  down(): void {
    for (const feature of this.#all) feature.down();
  }

  stop(): void {
    for (const feature of this.#all) feature.stop();
  }
}
