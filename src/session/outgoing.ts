import type { Qos, Sleep, Subscribe, Unsubscribe, Will } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import { Transmission } from './reliable-sender.js';

/** A channel as a session sees it: something with a name. Compared by identity. */
export interface Channel {
  readonly name: string;
}

/** An emit that waits to be sent. How its channel is addressed is decided when it leaves. */
export interface OutgoingEmit<C extends Channel> {
  readonly type: 'emit';
  readonly channel: C;
  /** Must not change while it waits. */
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  /** From when on it must not be sent for the first time, on its owner's clock in ms; never if left out. */
  readonly expiresAt?: number | undefined;
}

/** What of an emit goes with QoS 0. */
export type Unreliable<C extends Channel> = Pick<
  OutgoingEmit<C>,
  'channel' | 'payload' | 'retain' | 'expiresAt'
>;

type Unnumbered<M> = Omit<M, 'seq'>;

/** A reliable control message that waits to be sent. */
export type OutgoingControl<C extends Channel> =
  // An id of this side's is declared by the engine itself, when it picked one.
  | (Unnumbered<Subscribe> & { readonly id: 0 })
  | Unnumbered<Unsubscribe>
  | Unnumbered<Will>
  | Unnumbered<Sleep>
  | { readonly type: 'declare'; readonly id: number; readonly channel: C }
  | { readonly type: 'reject'; readonly of: number; readonly reason: Reason };

/** One reliable message on its way: waiting, in flight, or done. */
export class Outgoing<C extends Channel> extends Transmission {
  readonly content: OutgoingEmit<C> | OutgoingControl<C>;
  /** Called once: with nothing when it was acknowledged, else with the reason why it was refused. */
  readonly settle: ((refusal: Reason | undefined) => void) | undefined;
  /** The sender's own cost estimate, bytes. */
  readonly size: number;
  /** When it came, on its owner's clock in ms. */
  readonly at: number;
  /** Its recorder's own number for it, in the order in which messages came; 0 until it has one. */
  record = 0;
  /** Where in the paced stream of bytes its first packet ended. */
  position = 0;

  constructor(
    content: OutgoingEmit<C> | OutgoingControl<C>,
    size: number,
    at: number,
    settle?: (refusal: Reason | undefined) => void,
  ) {
    super();
    this.content = content;
    this.size = size;
    this.at = at;
    this.settle = settle;
  }
}

/** Whether the message is an emit that must not be sent any more at `now`, unless it was before. */
export function isExpired(content: { readonly expiresAt?: number | undefined }, now: number): boolean {
  return content.expiresAt !== undefined && now >= content.expiresAt;
}
