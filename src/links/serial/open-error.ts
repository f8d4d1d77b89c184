import { realpath, stat } from 'node:fs/promises';
import { reasonOf, SlipwayError } from '../../errors.js';
import { type Diagnosis, sentence } from './diagnosis.js';
import { describeHolders, findHolders, type Holder } from './holders.js';
import { INSTALL_RULES, MODEM_MANAGER } from './modem-manager.js';
import { diagnosePermission } from './permission.js';

/** A device's group is set a moment after the device appears: until then a refusal means nothing. */
const SETTLING_MS = 2000;

/** What went wrong when a port was opened, and what to do about it. `code` begins with `serial_`. */
export async function explainOpenError(error: unknown, path: string, baud: number): Promise<SlipwayError> {
  const { code, ...diagnosis } = await diagnoseOpenError(error, path, baud);
  return new SlipwayError(code, sentence(diagnosis), { cause: error });
}

/** The same in its parts. */
export async function diagnoseOpenError(
  error: unknown,
  path: string,
  baud: number,
): Promise<Diagnosis & { readonly code: string }> {
  const text = reasonOf(error);
  const file = await stat(path).catch(() => undefined);
  if ((file !== undefined && !file.isCharacterDevice()) || /inappropriate ioctl/i.test(text))
    return { code: 'serial_not_a_port', problem: `${path} is not a serial port` };
  if (/permission denied/i.test(text))
    return { code: 'serial_permission', ...(await diagnosePermission(path)) };
  if (isBusy(text)) {
    const device = await realpath(path).catch(() => path);
    return { code: 'serial_busy', ...diagnoseBusy(path, await findHolders(device)) };
  }
  if (/baud/i.test(text))
    return {
      code: 'serial_baud',
      problem: `${path} cannot run at ${baud} baud`,
      mend: 'choose another "baud"',
    };
  return { code: 'serial_open', problem: `${path} cannot be opened: ${text}` };
}

/** Whether an error of opening says that another program has the port. Windows calls that "Access denied". */
export function isBusy(text: string): boolean {
  return /cannot lock port|busy|temporarily unavailable|access denied/i.test(text);
}

/** Who has the port, and how to get it from them. */
export function diagnoseBusy(path: string, holders: readonly Holder[]): Diagnosis {
  if (holders.length === 0) {
    const mend = process.platform === 'linux' ? ` ("sudo fuser -v ${path}" shows which)` : '';
    return { problem: `${path} is in use by another program`, mend: `close it${mend}` };
  }
  const problem = `${path} is in use by ${describeHolders(holders)}`;
  if (!holders.some(({ name }) => name === MODEM_MANAGER)) return { problem, mend: 'close it' };
  return {
    problem: `${problem}, which asks whether it is a modem and lets go after half a minute`,
    mend: `to keep it off boards, run "${INSTALL_RULES}"`,
  };
}

/** Whether the device appeared so lately that its permissions may not be set yet. */
export async function isSettling(path: string, now: number): Promise<boolean> {
  const file = await stat(path).catch(() => undefined);
  return file !== undefined && now - file.ctimeMs < SETTLING_MS;
}
