import type { Clock } from '../clock.js';
import type { Channel } from '../router/channel.js';
import type { MessageExtras } from '../router/message.js';
import type { Router } from '../router/router.js';
import { lowerQos, type Subscriber } from '../router/subscriber.js';
import type { Qos } from '../wire/messages.js';
import type { BridgeCounts } from './counts.js';
import type { BridgeFeature, Outlet } from './feature.js';
import type { IncomingMessage, Interest } from './upstream.js';

/** A broadcast is for those who are there: so long, ms, it may take to reach other gateways. */
const EXPIRY_MS = 60_000;

export interface BroadcastContext {
  readonly config: { readonly direction: 'out' | 'in' | 'both'; readonly remote: string };
  readonly bridge: string;
  readonly router: Router;
  readonly clock: Clock;
  readonly counts: BridgeCounts;
  readonly outlet: Outlet;
}

/** Broadcasts (PROTOCOL.md §6.4) over one bridge, at QoS 1 at most: those of this gateway go there, those of others come here. */
export class BroadcastFeature implements BridgeFeature, Subscriber {
  readonly interests: readonly Interest[];
  readonly #context: BroadcastContext;

  constructor(context: BroadcastContext) {
    const { direction, remote } = context.config;
    this.#context = context;
    this.interests = direction === 'out' ? [] : [{ pattern: remote, qos: 1 }];
    if (direction !== 'in') context.router.connect(this);
  }

  echoed(): void {}

  up(): void {}

  down(): void {}

  stop(): void {
    this.#context.router.remove(this);
  }

  hasRoom(_channel: Channel, payloadLength: number): boolean {
    return this.#context.outlet.hasRoom(payloadLength);
  }

  deliver(
    _channel: Channel,
    payload: Uint8Array,
    qos: Qos,
    _retained: boolean,
    extras: MessageExtras | undefined,
  ): undefined {
    const { config, bridge, clock, outlet } = this.#context;
    const { origin, properties, expiresAt = Number.POSITIVE_INFINITY } = extras ?? {};
    if (origin?.bridge === bridge) return;
    outlet.post({
      name: config.remote,
      payload,
      qos: lowerQos(qos, 1),
      retain: false,
      properties,
      expiresAt: Math.min(expiresAt, clock.now() + EXPIRY_MS),
      via: origin?.via,
    });
  }

  take({ name, payload, qos, properties, via, expiryMs }: IncomingMessage): boolean {
    const { config, bridge, router, clock, counts } = this.#context;
    if (this.interests.length === 0 || name !== config.remote) return false;
    const expiresAt = expiryMs === undefined ? undefined : clock.now() + expiryMs;
    const options = { qos, retain: false, extras: { properties, expiresAt, origin: { bridge, via } } };
    let refusal = router.broadcast(payload, options, this);
    // One peer that takes nothing must not keep it from everyone else.
    if (refusal === 'queue_full') refusal = router.broadcast(payload, { ...options, qos: 0 }, this);
    if (refusal === undefined || refusal === 'too_large_for_receiver') counts.in.add();
    else counts.drop(refusal);
    return true;
  }
}
