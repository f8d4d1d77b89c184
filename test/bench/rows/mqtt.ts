import { join } from 'node:path';
import type { Row } from '../row.js';
import { TcpContenders, type TcpWork } from './tcp-contenders.js';

const ONE_TO_ONE: TcpWork = {
  publishers: 1,
  subscribers: 1,
  payloadBytes: 16,
  qos: 0,
  block: 256,
  window: 16,
  cycle: 64,
};

/** The gateway as a broker of MQTT 3.1.1, beside others that do nothing else. */
function row(name: string, work: string, atLeast: number, load: TcpWork): Row {
  const contenders = new TcpContenders(load);
  return {
    name,
    unit: 'msg/s',
    work,
    contenders: [
      contenders.slipwayMqtt('slipway', 'ours'),
      contenders.mosquitto(),
      contenders.aedes(),
      ...(load.qos > 0
        ? [
            contenders.slipwayMqtt('slipway, with a store', 'reported', {
              config: (folder) => ({ store: { path: join(folder, 'store') } }),
            }),
          ]
        : []),
      contenders.generator('mqtt'),
    ],
    targets: [{ against: 'mosquitto', ratio: { atLeast } }],
  };
}

export const MQTT_ROWS: readonly Row[] = [
  row('mqtt-1-1', 'MQTT client to MQTT client, 16 B, QoS 0', 4, ONE_TO_ONE),
  row('mqtt-1-10', 'one MQTT client to 10, 16 B, QoS 0; all deliveries count', 4, {
    ...ONE_TO_ONE,
    subscribers: 10,
    window: 4,
  }),
  row('mqtt-qos1', 'MQTT client to MQTT client, 16 B, QoS 1, 2,048 on their way', 2, {
    ...ONE_TO_ONE,
    qos: 1,
    window: 8,
    cycle: 256,
  }),
];
