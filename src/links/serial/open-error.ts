import { readFile, stat } from 'node:fs/promises';
import { reasonOf, SlipwayError } from '../../errors.js';

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
  // Windows says "Access denied" of a port that another program has open.
  if (/cannot lock port|busy|temporarily unavailable|access denied/i.test(text)) {
    const mend = process.platform === 'linux' ? ` ("fuser -v ${path}" shows which)` : '';
    return ['serial_busy', `${path} is in use by another program: close it${mend}`];
  }
  if (/inappropriate ioctl/i.test(text)) {
    return ['serial_not_a_port', `${path} is not a serial port`];
  }
  if (/baud/i.test(text)) return ['serial_baud', `${path} cannot run at ${baud} baud: choose another "baud"`];
  return ['serial_open', `${path} cannot be opened: ${text}`];
}

async function explainPermission(path: string): Promise<string> {
  const file = await stat(path).catch(() => undefined);
  const group = file && (await groupName(file.gid));
  const groupMay = file !== undefined && (file.mode & 0o060) === 0o060 && file.gid !== 0;
  if (!groupMay) {
    return `no permission to open ${path}, and no group has any: give it one with a udev rule, as in config/99-slipway.rules`;
  }
  return (
    `no permission to open ${path}, which belongs to group ${group}: ` +
    `run "sudo usermod -aG ${group} $USER", then log in again`
  );
}

async function groupName(gid: number): Promise<string> {
  const groups = await readFile('/etc/group', 'utf8').catch(() => '');
  const line = groups.split('\n').find((entry) => entry.split(':')[2] === String(gid));
  return line?.split(':')[0] ?? String(gid);
}

/** Whether the device appeared so lately that its permissions may not be set yet. */
export async function isSettling(path: string, now: number): Promise<boolean> {
  const file = await stat(path).catch(() => undefined);
  return file !== undefined && now - file.ctimeMs < SETTLING_MS;
}
