import type { Reason } from './reasons.js';

/** 0 at most once, 1 at least once, 2 exactly once (PROTOCOL.md §5.1). */
export type Qos = 0 | 1 | 2;

/** An emit on a named or numbered channel (§3.1). Exactly one of `name` and `id` is there. */
export interface Emit {
  readonly type: 'emit';
  readonly qos: Qos;
  readonly retain: boolean;
  /** Sequence number, 0–65 535; present when `qos` > 0. */
  readonly seq?: number | undefined;
  /** The channel's name, when it stands in the message. */
  readonly name?: string | undefined;
  /** The channel's id, when it was declared. */
  readonly id?: number | undefined;
  /** Whether `id` is one that the gateway declared (bit G). */
  readonly gatewayId?: boolean | undefined;
  readonly payload: Uint8Array;
}

/** §3.2, §4.2. Times in seconds, sizes in bytes. */
export interface Hello {
  readonly type: 'hello';
  readonly version: number;
  readonly clean: boolean;
  readonly program: boolean;
  readonly nonce: number;
  readonly token: number;
  readonly received: number;
  readonly keepAlive: number;
  readonly expiry: number;
  readonly maxPacket: number;
  readonly window: number;
  readonly inFlight: number;
  readonly buffer: number;
  readonly ids: number;
  readonly identity: string;
  /** What the gateway gave to prove the address with (§4.2), 32 bits. */
  readonly cookie?: number;
  /** The peer's proof that it has its key; empty while it knows no challenge of the gateway (§4.8). */
  readonly proof?: Uint8Array;
  /** The user that the peer acts for, 1 to 255 bytes (§4.8). */
  readonly user?: string;
  /** The user's password, or a token: 0 to 255 bytes (§4.8). Never to be logged. */
  readonly secret?: Uint8Array;
}

/** §3.2, §4.3. `time` is milliseconds since 1970-01-01 UTC. */
export interface Welcome {
  readonly type: 'welcome';
  readonly version: number;
  readonly resumed: boolean;
  readonly continues: boolean;
  readonly known: boolean;
  readonly nonce: number;
  readonly token: number;
  readonly nextIn: number;
  readonly nextOut: number;
  readonly received: number;
  readonly keepAlive: number;
  readonly maxPacket: number;
  readonly window: number;
  readonly ids: number;
  readonly time: number;
  /** A bitmap as an ACK's: of the numbers from `received` + 1 on, which were taken too (§4.3). */
  readonly taken?: Uint8Array;
  /** The gateway's proof that it has the peer's key (§4.8). */
  readonly proof?: Uint8Array;
}

export interface Begin {
  readonly type: 'begin';
  readonly token: number;
}

/** §7. `detail` is what stands after `head`, undecoded: its form depends on `head` and `reason`. */
export interface Refuse {
  readonly type: 'refuse';
  readonly reason: Reason;
  readonly head: number;
  readonly detail: Uint8Array;
}

export interface Bye {
  readonly type: 'bye';
  readonly reason: Reason;
}

export interface Ping {
  readonly type: 'ping';
  readonly token: number;
}

export interface Pong {
  readonly type: 'pong';
  readonly token: number;
}

/** A peer's question has no `time`; the gateway's answer has it, in ms since 1970-01-01 UTC. */
export interface Time {
  readonly type: 'time';
  readonly token: number;
  readonly time?: number;
}

/** §5.3. `bitmap` is empty when there is no gap. */
export interface Ack {
  readonly type: 'ack';
  readonly next: number;
  readonly bitmap: Uint8Array;
}

export interface Declare {
  readonly type: 'declare';
  readonly seq: number;
  readonly id: number;
  readonly name: string;
}

export interface Subscribe {
  readonly type: 'subscribe';
  readonly seq: number;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly noLastValue: boolean;
  /** 0 for none; never with a wildcard. */
  readonly id: number;
  readonly pattern: string;
}

export interface Unsubscribe {
  readonly type: 'unsubscribe';
  readonly seq: number;
  /** Empty: every subscription not made since the last boot. */
  readonly pattern: string;
}

export interface Reject {
  readonly type: 'reject';
  readonly seq: number;
  /** The sequence number of the refused message. */
  readonly of: number;
  readonly reason: Reason;
}

export interface Will {
  readonly type: 'will';
  readonly seq: number;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Empty: the will is taken back. */
  readonly name: string;
  readonly payload: Uint8Array;
}

export interface Sleep {
  readonly type: 'sleep';
  readonly seq: number;
  readonly seconds: number;
}

/** §10. A kind that this version does not know. */
export interface Extended {
  readonly type: 'extended';
  readonly kind: number;
  readonly body: Uint8Array;
}

export type Message =
  | Emit
  | Hello
  | Welcome
  | Begin
  | Refuse
  | Bye
  | Ping
  | Pong
  | Time
  | Ack
  | Declare
  | Subscribe
  | Unsubscribe
  | Reject
  | Will
  | Sleep
  | Extended;

/** The messages that carry a sequence number (§5); an `Emit` does so when its `qos` > 0. */
export type Reliable = Emit | Declare | Subscribe | Unsubscribe | Reject | Will | Sleep;

/** Whether a message carries a sequence number. */
export function isNumbered(message: Message): message is Reliable & { readonly seq: number } {
  return 'seq' in message && message.seq !== undefined;
}
