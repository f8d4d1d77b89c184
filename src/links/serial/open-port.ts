import type { Clock } from '../../clock.js';
import type { OpenPort, PortStream } from './port.js';
import { type PortPreparation, preparePort } from './prepare-port.js';

export interface OpenedPort {
  readonly port: PortStream;
  /** What the port could not be made to do; it serves all the same. */
  readonly lacks: readonly string[];
}

/**
 * Opens a port for this process alone, at `baudRate` bits a second, and sets its lines.
 * @throws whatever the system says; `diagnoseOpenError` tells what it means
 */
export async function openPrepared(
  make: OpenPort,
  baudRate: number,
  wanted: PortPreparation,
  clock: Clock,
): Promise<OpenedPort> {
  const { device, dtr } = wanted;
  const port = make({ path: device, baudRate, hupcl: dtr === 'always', lock: true, autoOpen: false });
  // Until somebody listens: an error that nobody hears would end the process.
  port.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    port.open((error) => (error ? reject(error) : resolve()));
  });
  return { port, lacks: await preparePort(port, wanted, clock) };
}
