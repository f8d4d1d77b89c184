/** What takes a place in the gateway, connected or not: a session, of whichever protocol. */
export interface Resident {
  /** Who it is, for the log. */
  readonly identity: string;
  /** Whom it counts for: the network address that it came from last, if any. Set by `Places`. */
  party: string | undefined;
  /** Whether it has a link. */
  readonly open: boolean;
  /** Whether its peer can be expected to take what waits for it. */
  readonly attentive: boolean;
  /** Reliable messages that wait for it. */
  readonly pending: number;
  /** Channel ids that it has. */
  readonly idCount: number;
  /** Drops what has waited since before that time, on the clock in ms. Returns how many messages that were. */
  dropWaitingSince(before: number): number;
  /** Ends it for want of room: for another session, or in its own queue. */
  evict(reason: 'limit_reached' | 'queue_full'): void;
}
