import { frameSize } from '../../../src/links/serial/slip.js';
import { encodePacket } from '../../../src/wire/encode.js';
import { AVR_TOOLS } from '../../e2e/firmware/build.js';
import { Helper } from '../helper.js';
import type { UartLoad, UartReport } from '../load/uno.js';
import { versionOf } from '../machine.js';
import { type Contender, NotInstalled, type Row, type Running } from '../row.js';
import { startGateway } from '../servers/gateway.js';
import { together } from './udp.js';

const UNO = new URL('../load/uno.js', import.meta.url);
/** 115 200 baud, ten bits a byte. */
const LINE_BYTES_PER_S = 11_520;
/** The board reports ten times a second. */
const LEAST_ROUND_MS = 500;

/** Messages a second that the line can carry, each a packet of its own: what they take on average, escapes included. */
function lineRate(): number {
  const count = 4096;
  let bytes = 0;
  for (let seq = 0; seq < count; seq++) {
    const payload = Buffer.from(seq.toString(16).padStart(8, '0'));
    bytes += frameSize(
      encodePacket([{ type: 'emit', qos: 1, seq, retain: false, id: 1, gatewayId: false, payload }]),
    );
  }
  return (LINE_BYTES_PER_S * count) / bytes;
}

function checkTools(): void {
  for (const tool of AVR_TOOLS)
    if (!versionOf(tool, '--version')) throw new NotInstalled(tool, 'apt-get install gcc-avr avr-libc');
  if (!versionOf('socat', '-V')) throw new NotInstalled('socat', 'apt-get install socat');
}

function start(load: UartLoad): Contender['start'] {
  return async (context) => {
    checkTools();
    return together(async (parts): Promise<Pick<Running, 'round'>> => {
      const uno = new Helper(UNO);
      parts.push(uno);
      const path = await uno.ask<string>('open', load);
      const gateway = await startGateway(context, { config: { serial: [{ name: 'bench', path }] } });
      parts.push(gateway);
      await uno.ask('connect', gateway.tcp);
      return {
        async round(ms) {
          const report = await uno.ask<UartReport>('round', Math.max(ms, LEAST_ROUND_MS));
          return { value: report.messages / report.seconds, also: { 'of real time': report.ofRealTime } };
        },
      };
    });
  };
}

/** With the first of these firmwares, and with the others for comparison. */
function row(
  name: string,
  work: string,
  direction: UartLoad['direction'],
  firmwares: Readonly<Record<string, readonly string[]>>,
): Row {
  const boards = Object.entries(firmwares).map(
    ([board, defines], place): Contender => ({
      name: `slipway, ${board}`,
      role: place === 0 ? 'ours' : 'reported',
      start: start({ direction, defines }),
    }),
  );
  return {
    name,
    unit: 'msg/s',
    work,
    contenders: [
      ...boards,
      {
        name: 'the line itself',
        role: 'ceiling',
        start: async () => ({ round: async () => ({ value: lineRate() }), stop: async () => {} }),
      },
    ],
    targets: [{ against: 'the line itself', ratio: { atLeast: 0.9 } }],
    rounds: 3,
  };
}

// How much may be on its way is what counts: the answer takes some ms, here as over USB.
export const UART_ROWS: readonly Row[] = [
  row('uart', 'virtual Uno at 115 200 baud to TCP, 8 B, QoS 1, in the board’s time', 'out', {
    'window of 24': ['SLOTS=24'],
    'window of 4': ['SLOTS=4'],
  }),
  row('uart-receive', 'TCP to a virtual Uno at 115 200 baud, 8 B, QoS 1, in the board’s time', 'in', {
    'UART ring of 128 B': ['RING=128', 'SLIPWAY_RECEIVE_RING=127', 'SLIPWAY_RECEIVE_WINDOW=16'],
    'UART ring of 64 B': ['RING=64', 'SLIPWAY_RECEIVE_RING=63'],
  }),
];
