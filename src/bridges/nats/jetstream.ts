import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectionProblem, jetStreamProblem } from './errors.js';
import { type Stream, Streams } from './streams.js';
import { toSubjects } from './subjects.js';
import type { NatsUpstreamOptions } from './upstream.js';

/** What JetStream has for a bridge. */
export interface JetStream {
  readonly manager: JetStreamManager;
  readonly streams: readonly Stream[];
  /** The bucket for last values, if they cross. */
  readonly bucket: string | undefined;
}

/**
 * Finds or makes what the rules need. Undefined: none is there, and none is needed.
 * @throws UpstreamError when what is needed cannot be had
 */
export async function findJetStream(
  { config, rules, clock, logger, bridge }: NatsUpstreamOptions,
  nc: NatsConnection,
  where: string,
): Promise<JetStream | undefined> {
  const subjects = [
    ...new Set(rules.filter(({ qos }) => qos > 0).flatMap(({ pattern }) => toSubjects(pattern))),
  ];
  const bucket = config.last_values === false ? undefined : config.last_values;
  if (subjects.length === 0 && bucket === undefined) return undefined;
  const manager = await jetstreamManager(nc, { checkAPI: false });
  const makes = new Streams(manager, config, clock);
  let what = `find or make the stream ${config.stream}`;
  try {
    const streams = subjects.length > 0 ? await makes.capture(subjects) : [];
    what = `find or make the bucket ${bucket}`;
    if (bucket !== undefined) await makes.bucket(bucket);
    return { manager, streams, bucket };
  } catch (error) {
    if (nc.isClosed()) throw connectionProblem(await nc.closed(), where, config);
    const problem = jetStreamProblem(error, where, what);
    if (subjects.length > 0 || problem.code === 'unreachable') throw problem;
    logger.warn({ bridge }, `bridge ${bridge}: last values do not cross: ${problem.message}`);
    return undefined;
  }
}
