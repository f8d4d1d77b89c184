import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { BenchFailure } from '../row.js';
import type { Stoppable } from './udp.js';

/** How long a stream may take to get the next message, ms. */
const PATIENCE_MS = 30_000;
const LOOK_AGAIN_MS = 2;
const NAME = 'slipway';

/** A stream whose messages are counted. */
export interface CountedStream {
  /** How many it has. */
  length(): Promise<number>;
  /**
   * Waits until there are so many more messages than there should have been before, neither more nor less; tells how long that took, s.
   * @throws BenchFailure when it does not get so many, or gets more
   */
  filled(more: number): Promise<number>;
}

/** Makes the stream of the bridge, for that subject, on the server at that port. */
export async function streamOf(port: number, subject: string, parts: Stoppable[]): Promise<CountedStream> {
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  parts.push({ stop: () => connection.close() });
  const { streams } = await jetstreamManager(connection);
  await streams.add({ name: NAME, subjects: [subject] });
  const length = async () => (await streams.info(NAME)).state.last_seq;
  let expected = 0;
  return {
    length,
    async filled(more) {
      expected += more;
      const started = performance.now();
      let progress = started;
      for (let last = -1; ; await sleep(LOOK_AGAIN_MS)) {
        const stored = await length();
        if (stored === expected) return (performance.now() - started) / 1000;
        if (stored !== last) progress = performance.now();
        last = stored;
        if (stored > expected || performance.now() - progress > PATIENCE_MS)
          throw new BenchFailure(`the stream has ${stored} messages of ${expected}`);
      }
    },
  };
}
