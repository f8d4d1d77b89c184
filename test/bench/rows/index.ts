import type { Row } from '../row.js';
import { BRIDGE_ROWS } from './bridges.js';
import { CLIENT_ROWS } from './client.js';
import { FAIRNESS } from './fairness.js';
import { LATENCY_ROWS } from './latency.js';
import { MEMORY } from './memory.js';
import { MQTT_ROWS } from './mqtt.js';
import { SCALING_ROWS } from './scaling.js';
import { START } from './start.js';
import { TCP_ROWS } from './tcp.js';
import { UART_ROWS } from './uart.js';
import { UDP_ROWS } from './udp.js';
import { UDP_LOSSY } from './udp-lossy.js';

/** Every row, in the order of the table. */
export const ROWS: readonly Row[] = [
  ...TCP_ROWS,
  ...MQTT_ROWS,
  FAIRNESS,
  ...CLIENT_ROWS,
  ...UDP_ROWS,
  UDP_LOSSY,
  ...UART_ROWS,
  ...BRIDGE_ROWS,
  ...LATENCY_ROWS,
  ...SCALING_ROWS,
  MEMORY,
  START,
];
