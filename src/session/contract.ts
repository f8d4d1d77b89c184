import type { EmitRun } from '../wire/emit-run.js';
import type { Emit, Message, Refuse, Sleep, Subscribe, Unsubscribe, Will } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import type { Channel, Outgoing } from './outgoing.js';
import type { QueueTotal } from './queue-total.js';
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

/** What a session knows of its link, since it stands on it. */
export interface LinkHealth {
  /** Of reliable messages, smoothed, or else of the last PING; undefined until one was answered. */
  readonly roundTripMs: number | undefined;
  /** Reliable messages sent, repeated ones included, and how many of those sendings repeated one. */
  readonly sent: number;
  readonly resent: number;
  /** Reliable messages that wait or are not acknowledged. */
  readonly pending: number;
}

/** How an epoch begins (§4.3). */
export interface Epoch {
  readonly continues: boolean;
  readonly nextIn: number;
  readonly nextOut: number;
  /** What the other side had received under the old numbering, when it says so. */
  readonly received: number | undefined;
  /** And what it took behind that, as an ACK's bitmap; when the numbering does not go on. */
  readonly taken?: Uint8Array | undefined;
  readonly keepAlive: number;
  /** The limits of this side and of the other. */
  readonly own: SideLimits;
  readonly other: SideLimits;
  /** Peer only: the token that each packet repeats until the gateway confirms the epoch. */
  readonly beginToken?: number;
}

/** The messages of one packet, to be taken one after the other. A `PacketReader` is one. */
export interface MessageSource {
  readonly done: boolean;
  next(): Message;
  /** What comes next, if it is a run that was not offered yet: it is taken as a whole, or read one by one. */
  run(): EmitRun | undefined;
  take(run: EmitRun): void;
}

/** Who acts on what arrives. A returned reason refuses the message (§7). */
export interface SessionOwner<C extends Channel> {
  /**
   * The channel of that name, kept until it is released as often as it was held; or why there can be none. `forId`: an id is
   * to stand for it.
   */
  hold(name: string, forId?: boolean): C | Reason;
  release(channel: C, forId?: boolean): void;
  /** `target` is a name where the message carried one. The payload may be reused afterwards: copy what is kept. */
  emit(target: C | string, message: Emit): Reason | undefined;
  /**
   * As `emit` for each message of a run. Returns false, and has done nothing, if they have to be emitted one by one: also when
   * they are refused.
   */
  emitRun?(channel: C, run: EmitRun): boolean;
  /** What else a peer may ask of a gateway. Its bytes may be reused afterwards: copy what is kept. */
  control(message: Subscribe | Unsubscribe | Will | Sleep): Reason | undefined;
  /** The other side refused something unreliable, or the session (§7). */
  refused(message: Refuse): void;
  /** The other side leaves. */
  bye(reason: Reason): void;
  /** The peer, which slept, is awake (§4.7). */
  woke(): void;
  /** Peer only: the gateway's answer to `askTime`, ms since 1970-01-01 UTC (§3.2). */
  timed?(token: number, time: number): void;
  /** Peer only: an ACK came that confirms the epoch. Returns whether it can do so (§4.2). */
  confirmed?(): boolean;
  /** The other side is silent, or disagrees about the numbering: nothing more can be done on this link. */
  failed(reason: 'timeout' | 'malformed'): void;
  /** The caller's clock, ms. */
  now(): number;
  /** Milliseconds since 1970-01-01 UTC. */
  wallTime(): number;
}

/** What may wait in one session's queue; `total`, if any, is shared by all sessions. */
export interface QueueLimits {
  readonly messages: number;
  readonly bytes: number;
  readonly total?: QueueTotal;
}

/** A channel id in use: which, for what, and, if it is this side's own, whether the other side knows it. */
export interface IdEntry<C extends Channel> {
  readonly own: boolean;
  readonly id: number;
  readonly channel: C;
  readonly usable: boolean;
}

/**
 * Told of every change that must outlive the process, before any packet that reflects it is built (§5.1). Without one,
 * a session lives and dies with its process.
 */
export interface Recorder<C extends Channel> {
  /** `item` waits to be sent, or has got its number. */
  outgoing(item: Outgoing<C>): void;
  /** `item` is done with. */
  settled(item: Outgoing<C>): void;
  /** An id was declared, or came to be usable. */
  declared(entry: IdEntry<C>): void;
  /** All ids are about to be forgotten. */
  idsCleared(ids: Iterable<IdEntry<C>>): void;
  /** The next expected number, or what is withheld, changed. */
  received(): void;
}

/** What a recorder has to keep of the numbering, and gives back after a restart of the process. */
export interface EngineState<C extends Channel> {
  /** What the other side takes, as it said last: judged by that while it is absent. */
  readonly otherLimits: Pick<SideLimits, 'maxPacket' | 'window'>;
  readonly nextIn: number;
  /** Numbers whose refusal is not acknowledged yet, in order. */
  readonly withheld: readonly number[];
  readonly nextOut: number;
  /** In order: those with a number first, up to `nextOut` without a gap. */
  readonly outgoing: readonly Outgoing<C>[];
  readonly ids: readonly IdEntry<C>[];
}
