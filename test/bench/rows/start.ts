import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { BenchContext, Contender, Row } from '../row.js';
import { startGateway } from '../servers/gateway.js';

const run = promisify(execFile);

/** Does it once a round. */
function once(
  name: string,
  role: Contender['role'],
  work: (context: BenchContext) => Promise<number>,
): Contender {
  return {
    name,
    role,
    start: async (context) => ({
      round: async () => ({ value: await work(context) }),
      stop: async () => {},
    }),
  };
}

/** From before the process is made to the line that tells that it listens, ms. */
async function startSlipway(context: BenchContext, serial: boolean): Promise<number> {
  const config = serial ? { serial: [{ name: 'bench', path: '/dev/null/missing' }] } : {};
  const began = performance.now();
  const gateway = await startGateway(context, { config });
  const ms = performance.now() - began;
  await gateway.stop();
  return ms;
}

async function startNode(): Promise<number> {
  const began = performance.now();
  await run(process.execPath, ['-e', '0']);
  return performance.now() - began;
}

export const START: Row = {
  name: 'start',
  unit: 'ms',
  work: 'from the start of the process until it listens on TCP and UDP',
  contenders: [
    once('slipway', 'ours', (context) => startSlipway(context, false)),
    once('node -e 0', 'ceiling', startNode),
    once('slipway, with a serial port', 'reported', (context) => startSlipway(context, true)),
  ],
  targets: [{ against: 'node -e 0', difference: { atMost: 300 } }],
  rounds: 7,
};
