import { join } from 'node:path';
import type { Row } from '../row.js';
import { TcpContenders, type TcpWork } from './tcp-contenders.js';

const ONE_TO_ONE: TcpWork = {
  publishers: 1,
  subscribers: 1,
  payloadBytes: 16,
  qos: 0,
  block: 1024,
  window: 16,
  cycle: 16,
};

/** As many at once as the gateway's window on TCP has room for. */
const ACKNOWLEDGED: TcpWork = { ...ONE_TO_ONE, qos: 1, block: 256, window: 8, cycle: 256 };
/** The same without: what QoS 1 is measured with, so that only the acknowledgement differs. */
const NOT_ACKNOWLEDGED: TcpWork = { ...ACKNOWLEDGED, qos: 0 };
const LARGE: TcpWork = { ...ONE_TO_ONE, payloadBytes: 65_536, block: 1, window: 16, cycle: 16 };

function throughput(row: Omit<Row, 'unit' | 'contenders'>, work: TcpWork): Row {
  const contenders = new TcpContenders(work);
  return {
    ...row,
    unit: 'msg/s',
    contenders: [
      contenders.slipway('slipway', 'ours'),
      contenders.nats(),
      contenders.bareRouter(),
      contenders.mosquitto(),
      contenders.aedes(),
      contenders.slipway('slipway, one message a packet', 'reported', { perPacket: 1 }),
      contenders.generator('slipway'),
      contenders.generator('nats'),
      contenders.generator('frames'),
    ],
  };
}

function oneToOne(): Row {
  const row = {
    name: 'tcp-1-1',
    work: 'TCP client to TCP client, 16 B, QoS 0',
    targets: [
      { against: 'nats-server', ratio: { atLeast: 2 } },
      { against: 'bare router', ratio: { atLeast: 0.6 } },
    ],
  };
  return throughput(row, ONE_TO_ONE);
}

function fanOut(subscribers: number, window: number, atLeast: number): Row {
  const row = {
    name: `tcp-1-${subscribers}`,
    work: `one to ${subscribers}, 16 B, QoS 0; all deliveries count`,
    targets: [{ against: 'nats-server', ratio: { atLeast } }],
  };
  return throughput(row, { ...ONE_TO_ONE, subscribers, window });
}

function fanIn(): Row {
  const row = {
    name: 'tcp-100-1',
    work: 'a hundred publishers to one subscriber, 16 B, QoS 0',
    targets: [{ against: 'nats-server', ratio: { atLeast: 1.5 } }],
  };
  return throughput(row, { ...ONE_TO_ONE, publishers: 100, block: 256, window: 4, cycle: 4 });
}

function acknowledged(): Row {
  const contenders = new TcpContenders(ACKNOWLEDGED);
  const unacknowledged = new TcpContenders(NOT_ACKNOWLEDGED);
  return {
    name: 'tcp-qos1',
    unit: 'msg/s',
    work: 'TCP client to TCP client, 16 B, QoS 1, 2,048 on their way',
    contenders: [
      contenders.slipway('slipway', 'ours'),
      unacknowledged.slipway('slipway, QoS 0', 'peer'),
      contenders.mosquitto(),
      contenders.aedes(),
      contenders.slipway('slipway, with a store', 'reported', {
        config: (folder) => ({ store: { path: join(folder, 'store') } }),
      }),
      contenders.slipway('slipway, one message a packet', 'reported', { perPacket: 1 }),
      contenders.generator('slipway'),
      contenders.generator('mqtt'),
    ],
    targets: [
      { against: 'slipway, QoS 0', ratio: { atLeast: 0.5 } },
      { against: 'mosquitto', ratio: { atLeast: 10 } },
    ],
  };
}

function large(): Row {
  const megabytesPerSecond = ({ received, seconds }: { received: number; seconds: number }): number =>
    (received * LARGE.payloadBytes) / 1e6 / seconds;
  const contenders = new TcpContenders(LARGE, megabytesPerSecond);
  return {
    name: 'tcp-64k',
    unit: 'MB/s',
    work: 'TCP client to TCP client, 64 KiB, QoS 0',
    contenders: [
      contenders.slipway('slipway', 'ours'),
      contenders.bareRouter(),
      contenders.nats(),
      contenders.mosquitto(),
      contenders.aedes(),
      contenders.generator('slipway'),
      contenders.generator('frames'),
    ],
    targets: [{ against: 'bare router', ratio: { atLeast: 0.8 } }],
  };
}

export const TCP_ROWS: readonly Row[] = [
  oneToOne(),
  fanOut(10, 8, 2),
  fanOut(100, 4, 1.2),
  fanIn(),
  acknowledged(),
  large(),
];
