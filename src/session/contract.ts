import type { Emit, Refuse, Sleep, Subscribe, Unsubscribe, Will } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type { Channel } from './outgoing.js';
import type { LinkOrder } from './reliable-sender.js';

/** What the engine needs to know of its link. */
export interface LinkTraits extends LinkOrder {
  readonly maxPacket: number;
  /** Bytes on the wire of `packet`. */
  wireSize(packet: Uint8Array): number;
}

/** What a side announced in its HELLO or WELCOME. Sizes in bytes, `keepAlive` in seconds, 0 for none. */
export interface SideLimits {
  readonly maxPacket: number;
  readonly window: number;
  readonly inFlight: number;
  readonly buffer: number;
  readonly ids: number;
}

/** How an epoch begins (§4.3). */
export interface Epoch {
  readonly continues: boolean;
  readonly nextIn: number;
  readonly nextOut: number;
  /** What the other side had received under the old numbering, when it says so. */
  readonly received: number | undefined;
  readonly keepAlive: number;
  /** The limits of this side and of the other. */
  readonly own: SideLimits;
  readonly other: SideLimits;
  /** Peer only: the token that each packet repeats until the gateway confirms the epoch. */
  readonly beginToken?: number;
}

/** Who acts on what arrives. A returned reason refuses the message (§7). */
export interface SessionOwner<C extends Channel> {
  /** The channel of that name, kept until it is released as often as it was held; or why there can be none. */
  hold(name: string): C | Reason;
  release(channel: C): void;
  /** `target` is a name where the message carried one. `payload` is the owner's to keep. */
  emit(target: C | string, payload: Uint8Array, message: Emit): Reason | undefined;
  /** What else a peer may ask of a gateway. */
  control(message: Subscribe | Unsubscribe | Will | Sleep): Reason | undefined;
  /** The other side refused something unreliable, or the session (§7). */
  refused(message: Refuse): void;
  /** The other side leaves. */
  bye(reason: Reason): void;
  /** The other side confirmed the epoch. */
  confirmed(): void;
  /** The other side is silent, or disagrees about the numbering: nothing more can be done on this link. */
  failed(reason: 'timeout' | 'malformed'): void;
  /** Milliseconds since 1970-01-01 UTC. */
  wallTime(): number;
}

export interface QueueLimits {
  readonly messages: number;
  readonly bytes: number;
}
