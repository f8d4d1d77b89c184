/** What `$slipway/bridges/<name>/stats` says, as JSON (PROTOCOL.md §6.6). Counts are since the start. */
export interface BridgeReport {
  readonly state: BridgeState;
  /** Where it is connected to. */
  readonly server?: string;
  /** Why it is not. */
  readonly problem?: string;
  /** What is held until upstream has it. */
  readonly queue: {
    readonly messages: number;
    readonly bytes: number;
    /** How long the oldest has waited, s. */
    readonly oldest_s: number;
    /** How many of them upstream was sent and has not acknowledged. */
    readonly in_flight: number;
  };
  /** Reliable messages are refused (`refuse`), or older ones dropped for them (`drop_oldest`). */
  readonly full: boolean;
  /** The message that may be why upstream ends connections: it is tried alone, and what is behind it waits. */
  readonly held_up?: HeldUp;
  /** Why nothing reliable comes in at present: there is no room for it here. */
  readonly waits_for?: string;
  /** Patterns that upstream is asked for. */
  readonly interests: number;
  readonly out: number;
  readonly in: number;
  readonly reconnects: number;
  readonly drops: Readonly<Record<string, number>>;
}

/** A message with which connections ended, again and again. */
export interface HeldUp {
  /** Its name upstream. */
  readonly name: string;
  /** Of its payload. */
  readonly bytes: number;
  /** Connections that ended with it. */
  readonly cuts: number;
}

/** What `$slipway/bridges/<name>/state` says (PROTOCOL.md §6.6). */
export type BridgeState = 'up' | 'down';
