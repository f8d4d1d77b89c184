import type { Address } from '../../../src/gateway/gateway.js';
import { type RunningGateway, startGateway } from '../../support/gateways.js';

/** A gateway that listens for MQTT, too, on a port of its own. */
export async function startMqttGateway(
  config: { readonly listen?: object; readonly [section: string]: unknown } = {},
): Promise<{ readonly running: RunningGateway; readonly mqtt: Address }> {
  const { listen, ...rest } = config;
  const running = await startGateway({ listen: { mqtt: { port: 0 }, ...listen }, ...rest });
  const [mqtt = { host: '', port: 0 }] = running.gateway.addresses.mqtt;
  return { running, mqtt };
}
