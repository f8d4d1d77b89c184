// The load generator for bridges: it publishes on one side, to a gateway or to a program with a client library, and subscribes on the
// other, at the broker. Neither end uses a library.
import { openPublishers, openSubscribers } from './raw-traffic.js';
import { serveTraffic } from './serve-traffic.js';
import type { DialectName, TcpLoad } from './tcp-load.js';
import { Traffic } from './traffic.js';

export interface BridgeLoad {
  /** What is published, and how. */
  readonly load: TcpLoad;
  /** Where it is published. */
  readonly near: number;
  /** Where it has to arrive, and in what language: at QoS 0, for that subscriber is not what is measured. */
  readonly far: { readonly port: number; readonly dialect: DialectName };
}

serveTraffic(async ({ load, near, far }: BridgeLoad) => {
  const traffic = new Traffic(load);
  const { port, dialect } = far;
  await openSubscribers({ ...load, dialect, qos: 0 }, { port, blind: false }, traffic);
  await openPublishers(load, { port: near, blind: false }, traffic);
  return traffic;
});
