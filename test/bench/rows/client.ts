import type { ClientWork } from '../load/client-generator.js';
import type { LibraryName } from '../load/client-libraries.js';
import type { TcpLoad } from '../load/tcp-load.js';
import type { Contender, Row } from '../row.js';
import { gateway, MOSQUITTO, NATS, type ServerKind } from './servers.js';
import { messagesPerSecond, startLoad } from './tcp-contenders.js';

const PROGRAM = new URL('../load/client-generator.js', import.meta.url);

const SHAPE: Omit<TcpLoad, 'dialect'> = {
  channel: 'bench',
  publishers: 1,
  subscribers: 1,
  payloadBytes: 16,
  qos: 0,
  block: 256,
  window: 16,
  cycle: 16,
  perPacket: 256,
};

const ACKNOWLEDGED: typeof SHAPE = { ...SHAPE, qos: 1, window: 8 };

function contender(
  name: string,
  role: Contender['role'],
  library: LibraryName,
  server: ServerKind,
  direction: ClientWork['direction'],
  shape: typeof SHAPE,
): Contender {
  const load = { ...shape, dialect: server.dialect };
  const open = (port: number): ClientWork => ({ library, direction, load, target: { port, blind: false } });
  return {
    name,
    role,
    start(context) {
      const nodeArguments = role === 'ours' ? context.nodeArguments : [];
      return startLoad(() => server.start(context), PROGRAM, open, messagesPerSecond, nodeArguments);
    },
  };
}

function clientRow(direction: ClientWork['direction'], work: string): Row {
  return {
    name: `client-${direction}`,
    unit: 'msg/s',
    work,
    contenders: [
      contender('slipway', 'ours', 'slipway', gateway(), direction, SHAPE),
      contender('@nats-io/transport-node', 'peer', 'nats', NATS, direction, SHAPE),
      contender('mqtt', 'peer', 'mqtt', MOSQUITTO, direction, SHAPE),
    ],
    targets: [{ value: { atLeast: 1e6 } }],
  };
}

function acknowledgedRow(): Row {
  return {
    name: 'client-qos1',
    unit: 'msg/s',
    work: 'what a Node program emits through connect() and is acknowledged, 16 B, QoS 1, 2,048 on their way',
    contenders: [
      contender('slipway', 'ours', 'slipway', gateway(), 'out', ACKNOWLEDGED),
      contender('mqtt', 'peer', 'mqtt', MOSQUITTO, 'out', ACKNOWLEDGED),
    ],
    targets: [],
  };
}

export const CLIENT_ROWS: readonly Row[] = [
  clientRow('in', 'what a Node program receives through connect(), with a handler, 16 B, QoS 0'),
  clientRow('out', 'what a Node program emits through connect(), 16 B, QoS 0'),
  acknowledgedRow(),
];
