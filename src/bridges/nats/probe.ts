import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { NatsConfig } from '../../config/schema.js';
import { connectionProblem, jetStreamProblem } from './errors.js';
import { connectionOptions } from './options.js';
import { connectTo } from './transport.js';

export interface NatsProbe {
  readonly config: NatsConfig;
  readonly gateway: string;
  readonly bridge: string;
  /** Whether the rules need JetStream. */
  readonly jetStream: boolean;
}

/**
 * Connects as a bridge does and closes: nothing is made or changed there. Returns the server that let it in.
 * @throws UpstreamError as `Upstream.connect` does
 */
export async function probeNats(probe: NatsProbe, signal: AbortSignal): Promise<string> {
  const { config, jetStream } = probe;
  let nc: NatsConnection;
  try {
    nc = await connectTo(await connectionOptions(probe), signal);
  } catch (error) {
    throw connectionProblem(error, config.servers.join(', '), config);
  }
  const server = `nats://${nc.getServer()}`;
  try {
    if (jetStream) await (await jetstreamManager(nc, { checkAPI: false })).getAccountInfo();
    return server;
  } catch (error) {
    throw jetStreamProblem(error, server, 'ask for JetStream');
  } finally {
    await nc.close();
  }
}
