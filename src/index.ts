export {
  Client,
  type ClientEvents,
  connect,
} from './client/client.js';
export type { TimeOfDay } from './client/gateway-time.js';
export type { ConnectOptions, EmitOptions, LastWillOptions, TlsOptions } from './client/options.js';
export {
  type MessageHandler,
  ReceivedMessage,
  type SubscribeOptions,
  Subscription,
} from './client/subscription.js';
export { defaultConfig, loadConfig, parseConfig } from './config/load.js';
export type { Config } from './config/schema.js';
export { SlipwayError } from './errors.js';
export { type Address, Gateway, type GatewayOptions } from './gateway/gateway.js';
export type { StatisticsSnapshot } from './gateway/statistics.js';
export type { Qos } from './wire/messages.js';
