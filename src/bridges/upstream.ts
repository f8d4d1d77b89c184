import { SlipwayError } from '../errors.js';
import type { MessageProperties } from '../router/message.js';
import type { Run } from '../router/subscriber.js';
import type { Qos } from '../wire/messages.js';

/**
 * What a bridge knows of the broker or cluster on its far side. Names there are written as channels are, levels between slashes, and
 * patterns as patterns: how a protocol spells them is for its upstream to know.
 */
export interface Upstream {
  /**
   * Connects once: nothing is tried again, that is the bridge's to decide. What an earlier connection left unsettled is given again.
   * @throws UpstreamError when it cannot; also when `signal` aborts
   */
  connect(events: UpstreamEvents, signal: AbortSignal): Promise<UpstreamConnection>;
}

export interface UpstreamConnection {
  /** Where it is connected to, for the log: `nats://n1:4222`. */
  readonly server: string;

  /** Upstream does not remember this gateway: what it kept for it, last values too, may be gone. Absent where that cannot be told. */
  readonly isAnew?: boolean;

  /** How many of `publish` upstream takes unsettled, at most. */
  readonly window: number;

  /** Sends at QoS 0. False: there is no room, and it is dropped. The payload is only there during the call. */
  send(message: OutgoingMessage): boolean;

  /**
   * As `send` for each message of a run, which have nothing but their name, their way and a payload; returns how many there was room for.
   * Only an upstream that does better with them together has it.
   */
  sendRun?(name: string, via: readonly string[], run: Run): number;

  /**
   * Sends at QoS 1 or 2, in the order of the calls, until it is settled or refused. The messages that an earlier connection left
   * unsettled come first, in their order; but one that `overtakes` goes before others with lower numbers, which follow: nothing else is
   * unsettled then.
   */
  publish(message: QueuedMessage, overtakes?: boolean): void;

  /** What this gateway wants to hear now, in place of what it wanted before. No name is matched by two of the patterns. */
  setInterests(interests: readonly Interest[]): void;

  /** Says goodbye; nothing is reported any more. What is not settled by then stays the bridge's. */
  close(): Promise<void>;
}

/** What a connection tells its bridge. */
export interface UpstreamEvents {
  /**
   * The connection is over, not by `close`. Called once. `cutOff`: upstream ended it, as far as can be seen from here, and gave no reason of
   * its own, while it had a message of QoS 1 or 2 that it had not answered: perhaps for that one.
   */
  lost(problem: UpstreamError, cutOff: boolean): void;

  /** Upstream has taken responsibility for that message. */
  settled(record: number): void;

  /** Upstream has said that it will never take that message: it is dropped. `why` is for the log: what it said, and the mend. */
  refused(record: number, reason: RefusalReason, why: string): void;

  /** As `refused`, of a message of QoS 0, as far as upstream tells. */
  sendRefused(name: string, reason: RefusalReason, why: string): void;

  /** Upstream does not let this gateway hear that. It goes on without. */
  interestRefused(pattern: string, why: string): void;

  /**
   * A message that came. `next` is called when the router has taken it, or it was dropped for a reason that is counted: mostly at once,
   * at QoS 0 always; else when there is room for it, and until then no other of QoS 1 or 2 is to be given. Whatever the upstream keeps
   * (`UpstreamRecords`) within `next` is committed together with what the router took: upstream is not to be told before that is safe.
   */
  incoming(message: IncomingMessage, next: () => void): void;
}

/** Why upstream will never take a message; counted as `bridges.<name>.drop.<reason>`. */
export type RefusalReason =
  | 'forbidden'
  | 'too_large'
  | 'bad_name'
  | 'no_stream'
  | 'upstream_refused'
  | 'cut_off';

interface RemoteMessage {
  readonly name: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  /** It is to be kept as the last value, or with no payload clears that. */
  readonly retain: boolean;
  readonly properties: MessageProperties | undefined;
  /** The names of the gateways that it passed, the first one first: it is not to come back to any of them. */
  readonly via: readonly string[];
}

/** What leaves: `via` ends with this gateway. */
export interface OutgoingMessage extends RemoteMessage {
  /** From when on it must not be sent any more, on the clock (`Clock.now`) in ms. */
  readonly expiresAt: number | undefined;
}

/** What leaves and is held until upstream has it. */
export interface QueuedMessage extends OutgoingMessage {
  readonly qos: 1 | 2;
  /** Its number among those of the bridge, which count up, also across restarts. */
  readonly record: number;
  /** When it came, on the clock in ms. */
  readonly at: number;
}

export interface IncomingMessage extends RemoteMessage {
  /** How long it may still be passed on, ms. */
  readonly expiryMs: number | undefined;
  /** It is a last value that was there before it was asked for. */
  readonly stored: boolean;
}

/** What a gateway wants to hear of its upstream. */
export interface Interest {
  readonly pattern: string;
  /** The highest QoS that is wanted. */
  readonly qos: Qos;
}

/** What an upstream keeps so that it outlives the process where there is a store; a few records, by short printable keys. */
export interface UpstreamRecords {
  entries(): Iterable<readonly [key: string, value: Uint8Array]>;
  get(key: string): Uint8Array | undefined;
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;
  /** Runs `task` as soon as all that has changed until now, in the whole store, will survive a power cut; at once if it does. */
  settled(task: () => void): void;
}

/** Why there is no connection; how soon it is tried again goes by it. */
export type UpstreamErrorCode =
  /** Nobody answers there, or the connection broke. */
  | 'unreachable'
  | 'login_refused'
  | 'certificate'
  /** What the rules need is not there, as JetStream or a stream. */
  | 'unsuitable'
  /** Another client took the session: two gateways of one name. */
  | 'taken_over';

/** A problem with the upstream, in one line for the log: what, where, and the mend. */
export class UpstreamError extends SlipwayError {
  declare readonly code: UpstreamErrorCode;

  constructor(code: UpstreamErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, options);
    this.name = 'UpstreamError';
  }
}
