import { chmod, chown, mkdir, mkdtemp, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Finding } from '../../src/doctor/finding.js';
import { type Host, thisHost } from '../../src/doctor/host.js';
import { checkPort, type Examined } from '../../src/doctor/port-check.js';
import { findHolders } from '../../src/links/serial/holders.js';
import { INSTALL_RULES } from '../../src/links/serial/modem-manager.js';
import { diagnosePermission } from '../../src/links/serial/permission.js';
import { Pty } from '../links/serial/pty.js';
import { describeWithTools } from '../support/tools.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-doctor-'));
  onTestFinished(() => rm(folder, { recursive: true }));
});

/** Writes files below a folder of this test, by their paths there. */
async function machine(files: Readonly<Record<string, string>>): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

async function collect(generator: AsyncGenerator<Finding, unknown>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of generator) if (finding.level !== 'ok') findings.push(finding);
  return findings;
}

// Neither ModemManager nor USB devices are on a machine for tests: the folders in which Linux shows them are made here.
describeWithTools(['socat'], 'a USB port', () => {
  async function usbPort(files: Readonly<Record<string, string>>) {
    const pty = await Pty.plug(join(folder, 'tty0'));
    onTestFinished(() => pty.unplug());
    const device = await realpath(pty.path);
    const { rdev } = await stat(device);
    const numbers = `c${(rdev >>> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >>> 12) & 0xfff00)}`;
    const named = Object.entries(files).map(([path, content]) => [
      path.replace('NUMBERS', numbers).replace('NAME', device.split('/').at(-1) as string),
      content,
    ]);
    const root = await machine(Object.fromEntries(named));
    const host: Host = {
      ...thisHost,
      proc: join(root, 'proc'),
      sys: join(root, 'sys'),
      run: join(root, 'run'),
      listPorts: async () => [{ path: device, vendorId: '2341', productId: '0043' }],
    };
    return { host, port: { about: 'bench', path: pty.path, low_latency: true } satisfies Examined };
  }

  it('is asked by ModemManager unless a udev rule keeps that away', async () => {
    const { host, port } = await usbPort({ 'proc/77/comm': 'ModemManager\n' });
    expect(await collect(checkPort(port, host))).toEqual([
      {
        level: 'problem',
        check: 'modem_manager',
        about: 'bench',
        text: 'ModemManager runs and will ask this board whether it is a modem each time it is plugged in',
        mend: INSTALL_RULES,
      },
    ]);
  });

  it.each(['ID_MM_PORT_IGNORE', 'ID_MM_DEVICE_IGNORE'])('with %s is left alone', async (rule) => {
    const { host, port } = await usbPort({
      'proc/77/comm': 'ModemManager\n',
      'run/udev/data/NUMBERS': `E:ID_VENDOR=x\nE:${rule}=1\n`,
    });
    expect(await collect(checkPort(port, host))).toEqual([]);
  });

  it('is not asked where there is no ModemManager', async () => {
    const { host, port } = await usbPort({ 'proc/77/comm': 'systemd\n' });
    expect(await collect(checkPort(port, host))).toEqual([]);
  });

  it('whose adapter holds bytes back is told of unless the gateway sees to that', async () => {
    const { host, port } = await usbPort({ 'sys/class/tty/NAME/device/latency_timer': '16\n' });
    expect(await collect(checkPort(port, host))).toEqual([]);
    expect(await collect(checkPort({ ...port, low_latency: false }, host))).toEqual([
      {
        level: 'note',
        check: 'latency',
        about: 'bench',
        text: 'its adapter holds what it receives for up to 16 ms',
        mend: 'low_latency: true in its entry of the config',
      },
    ]);
  });
});

describe('who holds a port', () => {
  it('is whoever has it locked, else whoever has it open', async () => {
    const port = join(folder, 'port');
    await writeFile(port, '');
    const proc = join(
      await machine({ 'proc/7/comm': 'cat\n', 'proc/8/comm': 'screen\n', 'proc/9/stat': '' }),
      'proc',
    );
    await mkdir(join(proc, '7/fd'));
    await symlink(port, join(proc, '7/fd/3'));
    expect(await findHolders(port, proc)).toEqual([{ pid: 7, name: 'cat' }]);
    expect(await findHolders(join(folder, 'other'), proc)).toEqual([]);
    const { dev, ino } = await stat(port);
    const hex = (number: number) => number.toString(16).padStart(2, '0');
    const place = `${hex((dev >>> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >>> 12) & 0xfff00))}:${ino}`;
    await writeFile(
      join(proc, 'locks'),
      `1: POSIX  ADVISORY  WRITE 5 00:01:2 0 EOF\n2: FLOCK  ADVISORY  WRITE 8 ${place} 0 EOF\n`,
    );
    expect(await findHolders(port, proc)).toEqual([{ pid: 8, name: 'screen' }]);
  });
});

describe.runIf(process.platform === 'linux')('a user who may not open a port', () => {
  it('and was added to its group since logging in is told to log in again', async () => {
    const port = join(folder, 'port');
    await writeFile(port, '');
    await chmod(port, 0o660);
    const { gid } = await stat(port);
    const { username } = userInfo();
    const groups = join(await machine({ group: `dialout:x:${gid || 20}:someone,${username}\n` }), 'group');
    if (gid === 0) {
      // As root: a group other than root's, which counts for nobody.
      await chown(port, 0, 20);
    }
    expect(await diagnosePermission(port, groups)).toEqual({
      problem: `no permission to open ${port}, which belongs to group dialout`,
      mend: 'you were added to it since you logged in: log in again (a service: restart it)',
    });
  });
});
