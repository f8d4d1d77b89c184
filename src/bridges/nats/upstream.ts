import type { Logger } from 'pino';
import type { Clock } from '../../clock.js';
import type { NatsConfig } from '../../config/schema.js';
import type { Counters } from '../../counters.js';
import type { Qos } from '../../wire/messages.js';
import type { Upstream, UpstreamRecords } from '../upstream.js';

export interface NatsUpstreamOptions {
  readonly config: NatsConfig;
  /** This gateway's name, and the bridge's. */
  readonly gateway: string;
  readonly bridge: string;
  /** Names the bridge in the ids of its messages: no other has it, also not this one with a new store. */
  readonly instance: string;
  readonly records: UpstreamRecords;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
  /** Messages of QoS 1 and 2 that may be under way. */
  readonly inFlight: number;
  /** The remote patterns of all that the bridge carries, either way: those of QoS 1 and 2 need a stream. */
  readonly rules: readonly { readonly pattern: string; readonly qos: Qos }[];
}

/**
 * A NATS server or cluster. Messages of QoS 0 are plain messages of NATS; those of QoS 1 and 2 go into a JetStream stream and are read from
 * there, each with an id by which a resend is known. Last values are in a key-value bucket, besides.
 */
export function createNatsUpstream(options: NatsUpstreamOptions): Upstream {
  return {
    async connect(events, signal) {
      // The library is loaded by those only who have such a bridge.
      const { connectNats } = await import('./connection.js');
      return connectNats(options, events, signal);
    },
  };
}
