import type { Clock } from '../../clock.js';
import type { MqttUpstreamConfig } from '../../config/schema.js';
import { BrokerLink } from './link.js';
import { linkOptions, whereOf } from './link-options.js';

export interface MqttProbe {
  readonly config: MqttUpstreamConfig;
  readonly gateway: string;
  readonly bridge: string;
  readonly clock: Clock;
}

/**
 * Connects as a bridge does, but as another client, so that its session stays as it is: nothing is left there. Returns the server that let it
 * in.
 * @throws UpstreamError as `Upstream.connect` does
 */
export async function probeMqtt(
  { config, gateway, bridge, clock }: MqttProbe,
  signal: AbortSignal,
): Promise<string> {
  const where = whereOf(config, gateway, bridge);
  const another = { ...where, clientId: `${where.clientId}-doctor` };
  const options = await linkOptions({ ...config, session_expiry: 0 }, another, clock);
  const link = await BrokerLink.open({ ...options, clean: true }, signal);
  await link.close();
  return where.server;
}
