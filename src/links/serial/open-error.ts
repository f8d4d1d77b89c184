import { realpath, stat } from 'node:fs/promises';
import { reasonOf, SlipwayError } from '../../errors.js';
import { describeHolders, findHolders } from './holders.js';
import { INSTALL_RULES, MODEM_MANAGER } from './modem-manager.js';
import { explainPermission } from './permission.js';

/** A device's group is set a moment after the device appears: until then a refusal means nothing. */
const SETTLING_MS = 2000;

/** What went wrong when a port was opened, and what to do about it. `code` begins with `serial_`. */
export async function explainOpenError(error: unknown, path: string, baud: number): Promise<SlipwayError> {
  const text = reasonOf(error);
  const [code, message] = await explain(text, path, baud);
  return new SlipwayError(code, message, { cause: error });
}

async function explain(text: string, path: string, baud: number): Promise<[code: string, message: string]> {
  const file = await stat(path).catch(() => undefined);
  if (file !== undefined && !file.isCharacterDevice())
    return ['serial_not_a_port', `${path} is not a serial port`];
  if (/permission denied/i.test(text)) return ['serial_permission', await explainPermission(path)];
  if (isBusy(text)) return ['serial_busy', await explainBusy(path)];
  if (/inappropriate ioctl/i.test(text)) {
    return ['serial_not_a_port', `${path} is not a serial port`];
  }
  if (/baud/i.test(text)) return ['serial_baud', `${path} cannot run at ${baud} baud: choose another "baud"`];
  return ['serial_open', `${path} cannot be opened: ${text}`];
}

/** Whether an error of opening says that another program has the port. Windows calls that "Access denied". */
export function isBusy(text: string): boolean {
  return /cannot lock port|busy|temporarily unavailable|access denied/i.test(text);
}

/** Who has the port, and how to get it from them. `proc` is where the processes are listed. */
export async function explainBusy(path: string, proc = '/proc'): Promise<string> {
  const device = await realpath(path).catch(() => path);
  const holders = await findHolders(device, proc);
  if (holders.length === 0) {
    const mend = process.platform === 'linux' ? ` ("sudo fuser -v ${path}" shows which)` : '';
    return `${path} is in use by another program: close it${mend}`;
  }
  const who = `${path} is in use by ${describeHolders(holders)}`;
  return holders.some(({ name }) => name === MODEM_MANAGER)
    ? `${who}, which asks whether it is a modem and lets go after half a minute; to keep it off boards: ${INSTALL_RULES}`
    : `${who}: close it`;
}

/** Whether the device appeared so lately that its permissions may not be set yet. */
export async function isSettling(path: string, now: number): Promise<boolean> {
  const file = await stat(path).catch(() => undefined);
  return file !== undefined && now - file.ctimeMs < SETTLING_MS;
}
