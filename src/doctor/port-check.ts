import { access, constants, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { boardName } from '../links/serial/boards.js';
import { describeWanted, type FoundPort, findPorts, type WantedPort } from '../links/serial/discovery.js';
import { findHolders, findLockers, findPrograms } from '../links/serial/holders.js';
import { INSTALL_RULES, MODEM_MANAGER } from '../links/serial/modem-manager.js';
import { diagnoseBusy } from '../links/serial/open-error.js';
import { diagnosePermission } from '../links/serial/permission.js';
import { type Finding, Findings } from './finding.js';
import type { Host } from './host.js';

/** One port to look at, of the config or not. */
export interface Examined extends WantedPort {
  /** For the findings: its name in the config, or its path. */
  readonly about: string;
  readonly low_latency: boolean;
}

/** Looks at a port from outside, without opening it. Returns where it is if nothing speaks against opening it. */
export async function* checkPort(port: Examined, host: Host): AsyncGenerator<Finding, FoundPort | undefined> {
  const found = yield* checkPresent(port, host);
  if (found === undefined) return undefined;
  const usable = (yield* checkPermission(port, found)) && (yield* checkFree(port, found, host));
  yield* checkModemManager(port, found, host);
  yield* checkLatency(port, found, host);
  return usable ? found : undefined;
}

async function* checkPresent(port: Examined, host: Host): AsyncGenerator<Finding, FoundPort | undefined> {
  const findings = new Findings('present', port.about);
  const [found, ...others] = await findPorts(port, host.listPorts);
  if (found === undefined) {
    const mend =
      'plug it in with a cable that carries data, then see "slipway ports" for what is there and what to write';
    yield findings.problem({ problem: `${describeWanted(port)} is not there`, mend });
    return undefined;
  }
  const file = await stat(found.device).catch(() => undefined);
  if (file !== undefined && !file.isCharacterDevice()) {
    const mend = 'see "slipway ports" for what is there and what to write';
    yield findings.problem({ problem: `${found.path} is not a serial port`, mend });
    return undefined;
  }
  const listed = (await host.listPorts()).find(({ path }) => path === found.device);
  const board = listed && boardName(listed);
  const device = found.device === found.path ? '' : ` (${found.device})`;
  yield findings.ok(`${found.path}${device}${board === undefined ? '' : `, ${board}`}`);
  if (others.length > 0) {
    const more = others.map(({ path }) => path).join(', ');
    yield findings.note(`${describeWanted(port)} fits ${more} as well: the first that is free is taken`);
  }
  return found;
}

async function* checkPermission(
  port: Examined,
  { path, device }: FoundPort,
): AsyncGenerator<Finding, boolean> {
  const findings = new Findings('permission', port.about);
  const file = await stat(device).catch(() => undefined);
  try {
    if (file !== undefined) await access(device, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    yield findings.problem(await diagnosePermission(path));
    return false;
  }
}

async function* checkFree(
  port: Examined,
  { path, device }: FoundPort,
  host: Host,
): AsyncGenerator<Finding, boolean> {
  // The program behind a pseudo-terminal has it open, too: there only a lock says that somebody uses it.
  const search = device.startsWith('/dev/pts/') ? findLockers : findHolders;
  const holders = await search(device, host.proc);
  if (holders.length === 0) return true;
  yield new Findings('held', port.about).problem(diagnoseBusy(path, holders));
  return false;
}

async function* checkModemManager(
  port: Examined,
  { device }: FoundPort,
  host: Host,
): AsyncGenerator<Finding> {
  const file = await stat(device).catch(() => undefined);
  const listed = (await host.listPorts()).find(({ path }) => path === device);
  if (file === undefined || listed?.vendorId === undefined) return;
  if ((await findPrograms(MODEM_MANAGER, host.proc)).length === 0) return;
  const major = (file.rdev >>> 8) & 0xfff;
  const minor = (file.rdev & 0xff) | ((file.rdev >>> 12) & 0xfff00);
  const known = await readFile(join(host.run, `udev/data/c${major}:${minor}`), 'utf8').catch(() => '');
  if (/^E:ID_MM_(PORT|DEVICE)_IGNORE=1$/m.test(known)) return;
  yield new Findings('modem_manager', port.about).problem({
    problem: 'ModemManager runs and will ask this board whether it is a modem each time it is plugged in',
    mend: INSTALL_RULES,
  });
}

async function* checkLatency(port: Examined, { device }: FoundPort, host: Host): AsyncGenerator<Finding> {
  if (port.low_latency) return;
  const timer = join(host.sys, 'class/tty', basename(device), 'device/latency_timer');
  const ms = Number(await readFile(timer, 'utf8').catch(() => '0'));
  if (ms > 1)
    yield new Findings('latency', port.about).note(
      `its adapter holds what it receives for up to ${ms} ms`,
      'low_latency: true in its entry of the config',
    );
}
