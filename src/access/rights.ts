/**
 * What one peer may do, from the rules of the config. It changes when they are read anew: whoever keeps an answer is told
 * then (`Router.forgetRights`).
 */
export interface Rights {
  /** Whether it may emit on the channel of that name. */
  mayEmit(channelName: string): boolean;
  /** Whether it may subscribe to the pattern: whether any channel that it matches could be one that it may hear. */
  maySubscribe(pattern: string): boolean;
  /** Whether it may hear what is emitted on the channel of that name: a pattern may be wider than the rules. */
  mayReceive(channelName: string): boolean;
  readonly mayBroadcast: boolean;
}
