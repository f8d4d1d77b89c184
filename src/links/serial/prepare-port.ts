import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Clock } from '../../clock.js';
import { reasonOf } from '../../errors.js';
import type { PortLines, PortStream } from './port.js';

/** How long DTR is held low: an Arduino's reset capacitor needs a few ms, slow USB adapters some tens. */
const RESET_MS = 100;
const STTY_MS = 2000;

/** Whether a board is reset when its port is opened: `never` if that can be helped, or `always`. */
export type DtrPolicy = 'never' | 'always';

export interface PortPreparation {
  readonly device: string;
  readonly dtr: DtrPolicy;
  readonly low_latency: boolean;
}

/**
 * Sets the lines of a port that was just opened, before anything is read. Opening itself raises DTR and RTS. Returns
 * what could not be done (pseudo-terminals have no such lines, and not every adapter knows low latency): the port
 * serves all the same.
 */
export async function preparePort(
  port: PortStream,
  wanted: PortPreparation,
  clock: Clock,
): Promise<string[]> {
  const failures: string[] = [];
  const attempt = async (what: string, deed: Promise<unknown>) => {
    await deed.catch((error: unknown) => failures.push(`${what}: ${reasonOf(error)}`));
  };
  if (wanted.dtr === 'always') await attempt('reset by DTR', pulseDtr(port, clock));
  else await attempt('keep DTR when closed', keepDtr(wanted.device));
  if (wanted.low_latency && process.platform === 'linux') {
    await attempt('low latency', setLines(port, { dtr: true, rts: true, lowLatency: true }));
  }
  return failures;
}

/** RTS stays high, so that the reset circuit of an ESP32 starts the program and not the bootloader. */
async function pulseDtr(port: PortStream, clock: Clock): Promise<void> {
  await setLines(port, { dtr: false, rts: true });
  await new Promise<void>((resolve) => clock.schedule(RESET_MS, resolve));
  await setLines(port, { dtr: true, rts: true });
}

/**
 * The package's `hupcl: false` does not set the flag but neither does it clear it, and Linux sets it on every new
 * device: DTR would fall when the gateway stops, and reset the board when it starts again.
 */
async function keepDtr(device: string): Promise<void> {
  if (process.platform === 'win32') return;
  const option = process.platform === 'linux' ? '-F' : '-f';
  await promisify(execFile)('stty', [option, device, '-hupcl'], { timeout: STTY_MS });
}

function setLines(port: PortStream, lines: PortLines): Promise<void> {
  return new Promise((resolve, reject) => {
    port.set(lines, (error) => (error ? reject(error) : resolve()));
  });
}
