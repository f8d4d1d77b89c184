import type { MessageProperties } from '../router/message.js';
import type { Qos } from '../wire/messages.js';
import type { IncomingMessage, Interest } from './upstream.js';

/** Something that one bridge carries besides its rules. */
export interface BridgeFeature {
  /** What it wants to hear, always. */
  readonly interests: readonly Interest[];
  /** Takes the message at once if it is one that this wants; returns whether. It came from another gateway. */
  take(message: IncomingMessage): boolean;
  /** The same of what has passed this gateway before. */
  echoed(message: IncomingMessage): void;
  /** The bridge is connected; `isAnew` as in `UpstreamConnection`. */
  up(isAnew: boolean): void;
  /** It is not any more. */
  down(): void;
  stop(): void;
}

/** What a feature has sent upstream. */
export interface Post {
  readonly name: string;
  /** Never changes. */
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties?: MessageProperties | undefined;
  /** On the clock in ms. */
  readonly expiresAt?: number | undefined;
  /** The gateways that it passed before this one. */
  readonly via?: readonly string[] | undefined;
}

/** The way out of a bridge for its features. */
export interface Outlet {
  /** Whether a reliable post with so many bytes of payload has room in the bridge's queue. */
  hasRoom(payloadBytes: number): boolean;
  /** A reliable one is queued: ask `hasRoom` first. One of QoS 0 goes at once, or is dropped and counted. */
  post(post: Post): void;
}
