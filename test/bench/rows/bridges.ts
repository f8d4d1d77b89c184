import type { Row } from '../row.js';
import { BridgeContenders, type BridgeShape, type Broker } from './bridge-contenders.js';
import { bridgeConfig } from './bridge-gateway.js';
import { BRIDGE_INTEREST_ROWS } from './bridge-interests.js';
import { BRIDGE_WAITING_ROWS } from './bridge-waiting.js';
import { TcpContenders } from './tcp-contenders.js';

const UNACKNOWLEDGED: BridgeShape = {
  publishers: 1,
  subscribers: 1,
  payloadBytes: 16,
  qos: 0,
  block: 256,
  window: 16,
  cycle: 16,
};

/** More on their way than the bridge may have unacknowledged, so that its window is always full. */
const ACKNOWLEDGED: BridgeShape = { ...UNACKNOWLEDGED, publishers: 2, qos: 1, window: 8, cycle: 256 };
const EXACTLY_ONCE: BridgeShape = { ...ACKNOWLEDGED, qos: 2 };
const ONE_AT_A_TIME: BridgeShape = { ...UNACKNOWLEDGED, block: 1, window: 1, cycle: 256 };

const NAMES: Record<Broker, string> = { nats: 'nats-server', jetstream: 'JetStream', mosquitto: 'mosquitto' };

/** `isAlone`: also with messages that come one by one. */
function out(
  name: string,
  broker: Broker,
  shape: BridgeShape,
  atLeast: number,
  { store = false, isAlone = false } = {},
): Row {
  const contenders = new BridgeContenders(broker, shape);
  const library = contenders.library();
  const held = shape.qos === 0 ? '' : `, held in ${store ? 'the store' : 'memory'}`;
  return {
    name,
    unit: 'msg/s',
    work: `TCP client over a bridge to ${NAMES[broker]}, 16 B, QoS ${shape.qos}${held}`,
    contenders: [
      contenders.out('slipway', 'ours', store),
      library,
      ...(isAlone ? [contenders.out('slipway, one message a packet', 'reported', store, 1)] : []),
    ],
    targets: [{ against: library.name, ratio: { atLeast } }],
  };
}

function pair(): Row {
  const contenders = new BridgeContenders('nats', UNACKNOWLEDGED);
  return {
    name: 'bridge-pair',
    unit: 'msg/s',
    work: 'TCP client at one gateway over nats-server to a TCP client at another, 16 B, QoS 0',
    contenders: [contenders.pair('slipway', 'ours'), contenders.direct('nats-server alone')],
    targets: [],
  };
}

function latency(): Row {
  const contenders = new BridgeContenders(
    'nats',
    ONE_AT_A_TIME,
    ({ received, seconds }) => (seconds / received) * 1e6,
  );
  return {
    name: 'bridge-latency',
    unit: 'µs',
    work: 'TCP client over a bridge to a subscriber of nats-server, 16 B, QoS 0, one at a time, mean',
    contenders: [
      contenders.out('slipway', 'ours', false),
      contenders.pair('slipway to slipway', 'peer'),
      contenders.direct('nats-server alone'),
    ],
    targets: [],
  };
}

/** Nobody listens there: what the bridge should carry is dropped and counted, or is not for it at all. */
function down(): Row {
  const NOBODY = 1;
  const contenders = new TcpContenders({ ...UNACKNOWLEDGED, block: 1024 });
  const beside = (pattern: string) => ({
    config: bridgeConfig('nats', NOBODY, {
      gateway: 'bench',
      rules: [{ pattern, direction: 'out', qos: 0 }],
    }),
  });
  return {
    name: 'bridge-down',
    unit: 'msg/s',
    work: 'TCP client to TCP client beside a bridge that is down, 16 B, QoS 0',
    contenders: [
      contenders.slipway('slipway', 'ours', beside('other/#')),
      contenders.slipway('slipway, no bridge', 'ceiling'),
      contenders.slipway('slipway, the bridge should carry it', 'peer', beside('bench')),
    ],
    targets: [{ against: 'slipway, no bridge', ratio: { atLeast: 0.95 } }],
  };
}

export const BRIDGE_ROWS: readonly Row[] = [
  out('bridge-nats', 'nats', UNACKNOWLEDGED, 0.5, { isAlone: true }),
  out('bridge-jetstream', 'jetstream', ACKNOWLEDGED, 0.7),
  out('bridge-jetstream-store', 'jetstream', ACKNOWLEDGED, 0.7, { store: true, isAlone: true }),
  out('bridge-mqtt', 'mosquitto', UNACKNOWLEDGED, 0.5),
  out('bridge-mqtt-qos1', 'mosquitto', ACKNOWLEDGED, 0.7),
  out('bridge-mqtt-qos1-store', 'mosquitto', ACKNOWLEDGED, 0.7, { store: true }),
  out('bridge-mqtt-qos2', 'mosquitto', EXACTLY_ONCE, 0.7),
  out('bridge-mqtt-qos2-store', 'mosquitto', EXACTLY_ONCE, 0.7, { store: true }),
  pair(),
  latency(),
  ...BRIDGE_INTEREST_ROWS,
  down(),
  ...BRIDGE_WAITING_ROWS,
];
