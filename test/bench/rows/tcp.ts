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

function oneToOne(): Row {
  const contenders = new TcpContenders(ONE_TO_ONE);
  return {
    name: 'tcp-1-1',
    unit: 'msg/s',
    work: 'TCP client to TCP client, 16 B, QoS 0',
    contenders: [
      contenders.slipway('slipway', 'ours'),
      contenders.nats(),
      contenders.bareRouter(),
      contenders.slipway('slipway, one message a packet', 'reported', { perPacket: 1 }),
      contenders.mosquitto(),
      contenders.generator('slipway'),
      contenders.generator('nats'),
      contenders.generator('frames'),
    ],
    targets: [
      { against: 'nats-server', ratio: { atLeast: 2 } },
      { against: 'bare router', ratio: { atLeast: 0.6 } },
    ],
  };
}

export const TCP_ROWS: readonly Row[] = [oneToOne()];
