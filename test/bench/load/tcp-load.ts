import type { Qos } from '../../../src/wire/messages.js';

/** What the load generator for TCP does; every size is that of one publisher. */
export interface TcpLoad {
  readonly dialect: DialectName;
  readonly channel: string;
  readonly publishers: number;
  readonly subscribers: number;
  readonly payloadBytes: number;
  readonly qos: Qos;
  /** Messages that are written at once. */
  readonly block: number;
  /** Blocks that may be on their way: published, and not yet received by all, nor acknowledged. */
  readonly window: number;
  /** Blocks after which a publisher begins again with the same bytes. */
  readonly cycle: number;
  /** Messages in a packet, where the protocol has such a thing. */
  readonly perPacket: number;
}

/** `frames` is what the bare router speaks; `blocks` tells a process that publishes through a library what it is to publish. */
export type DialectName = 'slipway' | 'nats' | 'mqtt' | 'frames' | 'blocks';

/** Where the load goes; to a `blind` server as though all greetings were over. */
export interface TcpTarget {
  readonly port: number;
  readonly blind: boolean;
}

/** What a round came to. */
export interface LoadReport {
  readonly published: number;
  /** All subscribers together. */
  readonly received: number;
  /** From the first message written to the last one received, s. */
  readonly seconds: number;
  /** Time that the generator was on a core, s. */
  readonly busy: number;
}
