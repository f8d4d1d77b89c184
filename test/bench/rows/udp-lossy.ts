import { Helper } from '../helper.js';
import type { LossyLoad, LossyReport } from '../load/lossy-device.js';
import type { Contender, Row, Running } from '../row.js';
import { startGateway } from '../servers/gateway.js';
import { together } from './udp.js';

const DEVICE = new URL('../load/lossy-device.js', import.meta.url);
const LOSS = 0.05;
const DELAY_MS = 50;
/** The gateway's on UDP, unless configured (PROTOCOL.md §9). */
const WINDOW = 128;
const SEED = 20;
/** Long enough for losses to average out. */
const LEAST_ROUND_MS = 2000;
const SMOKE = { delayMs: 5, roundMs: 200 };

function contender(name: string, role: Contender['role'], inFlight: number): Contender {
  return {
    name,
    role,
    start: (context) =>
      together(async (parts): Promise<Pick<Running, 'round'>> => {
        const gateway = await startGateway(context);
        parts.push(gateway);
        const device = new Helper(DEVICE);
        parts.push(device);
        const delayMs = context.smoke ? SMOKE.delayMs : DELAY_MS;
        const load: LossyLoad = { inFlight, loss: LOSS, delayMs, seed: SEED };
        await device.ask('open', { load, ports: { tcp: gateway.tcp, udp: gateway.udp } });
        return {
          async round(ms) {
            const length = Math.max(ms, context.smoke ? SMOKE.roundMs : LEAST_ROUND_MS);
            const { messages, seconds, resent } = await device.ask<LossyReport>('round', length);
            return { value: messages / seconds, also: { resent } };
          },
        };
      }),
  };
}

export const UDP_LOSSY: Row = {
  name: 'udp-lossy',
  unit: 'msg/s',
  work: `a UDP device to TCP, 16 B, QoS 1, ${100 * LOSS} % loss each way, round trip ${2 * DELAY_MS} ms`,
  contenders: [
    contender('slipway', 'ours', WINDOW),
    contender('one in flight', 'peer', 1),
    {
      name: 'window / round trip',
      role: 'ceiling',
      start: async () => ({
        round: async () => ({ value: (WINDOW / (2 * DELAY_MS)) * 1000 }),
        stop: async () => {},
      }),
    },
  ],
  targets: [
    { against: 'one in flight', ratio: { atLeast: 50 } },
    { against: 'window / round trip', ratio: { atLeast: 0.8 } },
  ],
  rounds: 3,
};
