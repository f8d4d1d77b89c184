import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.js';
import { Counters } from '../../../src/counters.js';
import { PortClaims } from '../../../src/links/serial/claims.js';
import { INSTALL_RULES, UDEV_RULES } from '../../../src/links/serial/modem-manager.js';
import { explainOpenError } from '../../../src/links/serial/open-error.js';
import { openSerialPort } from '../../../src/links/serial/port.js';
import type { SerialPortConfig } from '../../../src/links/serial/port-status.js';
import { PortSupervisor, type PortSupervisorOptions } from '../../../src/links/serial/port-supervisor.js';
import type { SerialLink } from '../../../src/links/serial/serial-link.js';
import { FrameEncoder } from '../../../src/links/serial/slip.js';
import { lockedBy } from '../../support/port-holder.js';
import { describeWithTools } from '../../support/tools.js';
import { PATIENCE, Pty } from './pty.js';

const encoder = new FrameEncoder();
const PACKET = Uint8Array.of(0x80, 0x01, 0xc0, 0xdb, 0x0a);

let folder: string;
let claims: PortClaims;
const supervisors: PortSupervisor[] = [];
const ptys: Pty[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-pty-'));
  claims = new PortClaims();
});
afterEach(async () => {
  await Promise.all(supervisors.splice(0).map((supervisor) => supervisor.close()));
  await Promise.all(ptys.splice(0).map((pty) => pty.unplug()));
  await rm(folder, { recursive: true });
});

async function plug(name: string): Promise<Pty> {
  const pty = await Pty.plug(join(folder, name));
  ptys.push(pty);
  return pty;
}

/** A supervised port, and everything that it told and logged. */
function supervise(config: Partial<SerialPortConfig>, options: Partial<PortSupervisorOptions> = {}) {
  const told: string[] = [];
  const links: SerialLink[] = [];
  const logged: string[] = [];
  const counters = new Counters();
  const log = pino(
    { level: 'info' },
    {
      write(line: string) {
        const { level, msg } = JSON.parse(line) as { level: number; msg: string };
        logged.push(`${level === 30 ? 'info' : 'warn'} ${msg}`);
      },
    },
  );
  const supervisor = new PortSupervisor({
    config: {
      name: 'bench',
      path: join(folder, 'tty0'),
      baud: [115_200],
      dtr: 'never',
      low_latency: true,
      ...config,
    },
    onLink(link) {
      links.push(link);
      return {
        packet: (packet) => told.push(`packet ${Buffer.from(packet).toString('hex')}`),
        text: (line) => told.push(`text ${line}`),
        closed: (reason) => told.push(`closed ${reason}`),
        drained: () => told.push('drained'),
      };
    },
    log,
    counters,
    clock: systemClock,
    claims,
    openPort: openSerialPort,
    listPorts: async () => [],
    maxPacket: 1024,
    maxBacklog: 64 * 1024,
    ...options,
  });
  supervisors.push(supervisor);
  supervisor.start();
  const link = async (index = 0): Promise<SerialLink> => {
    await vi.waitFor(() => expect(links.length).toBeGreaterThan(index), PATIENCE);
    return links[index] as SerialLink;
  };
  return { supervisor, told, links, link, logged, counters };
}

const soon = (check: () => void) => vi.waitFor(check, PATIENCE);

describe('a supervisor that is closed', () => {
  it('while it still looks for its port does not open it: that could reset the board', async () => {
    await writeFile(join(folder, 'tty0'), '');
    let opened = 0;
    const { supervisor } = supervise(
      {},
      {
        openPort: () => {
          opened++;
          throw new Error('opened');
        },
      },
    );
    await supervisor.close();
    expect(opened).toBe(0);
    expect(supervisor.status).toEqual({ state: 'closed' });
  });
});

describeWithTools(['socat', 'stty', 'flock'], 'a port on a pseudo-terminal', () => {
  it('carries packets and text both ways, and is silent until it is told to send', async () => {
    const pty = await plug('tty0');
    const { told, link, counters, supervisor, logged } = supervise({});
    const open = await link();
    expect(supervisor.status).toEqual({ state: 'open', device: await realpath(pty.path) });
    expect(logged).toEqual(['info port bench is open']);
    pty.print('boot\n');
    pty.print(encoder.encode(PACKET));
    pty.print('half a line');
    await soon(() => expect(told).toEqual(['text boot', 'packet 8001c0db0a', 'text half a line']));
    expect(pty.written).toEqual([]);
    open.send(PACKET);
    open.writeLine('led on');
    const sent = Buffer.concat([encoder.encode(PACKET), Buffer.from('led on\n')]);
    await soon(() => expect(Buffer.concat(pty.written)).toEqual(sent));
    expect(open.wireSize(PACKET)).toBe(encoder.encode(PACKET).length);
    expect(counters.snapshot()).toMatchObject({
      'serial.opened': 1,
      'serial.rx.bytes': 5 + encoder.encode(PACKET).length + 11,
      'serial.rx.packets': 1,
      'serial.text.lines': 2,
      'serial.tx.bytes': sent.length,
      'serial.tx.lines': 1,
      'serial.tx.packets': 1,
    });
  });

  it('is waited for, and said to be missing once', async () => {
    const { link, logged, supervisor } = supervise({});
    await soon(() => expect(supervisor.status.problem).toContain('it is not plugged in'));
    await plug('tty0');
    await link();
    expect(logged).toEqual([
      `warn port bench: waiting for ${join(folder, 'tty0')}: it is not plugged in`,
      'info port bench is open',
    ]);
  });

  it('that vanishes comes back under another name', async () => {
    const pty = await plug('tty0');
    const { told, link, logged, counters, supervisor } = supervise({ path: join(folder, 'tty*') });
    await link();
    await pty.unplug();
    await soon(() => expect(supervisor.status.state).toBe('waiting'));
    expect(told.filter((line) => line.startsWith('closed'))).toHaveLength(1);
    const again = await plug('tty7');
    await link(1);
    again.print('back\n');
    await soon(() => expect(told.at(-1)).toBe('text back'));
    expect(logged).toHaveLength(3);
    expect(logged[1]).toContain(`${join(folder, 'tty0')} was lost`);
    expect(logged[2]).toBe('info port bench is open');
    expect(counters.get('serial.lost')).toBe(1);
    expect(told.filter((line) => line.startsWith('closed'))).toHaveLength(1);
  });

  it('tells nothing more once its owner has closed it', async () => {
    const pty = await plug('tty0');
    const told: string[] = [];
    const { counters } = supervise(
      {},
      {
        onLink: (link) => ({
          packet(packet) {
            told.push(`packet ${packet[0]}`);
            void link.close();
          },
          closed: (reason) => told.push(`closed ${reason}`),
        }),
      },
    );
    await soon(() => expect(counters.get('serial.opened')).toBe(1));
    pty.print(Buffer.concat([encoder.encode(Uint8Array.of(0x81)), encoder.encode(Uint8Array.of(0x82))]));
    await soon(() => expect(counters.get('serial.lost')).toBe(1));
    expect(told).toEqual(['packet 129', 'closed closed']);
  });

  it('that vanishes while much is queued is given up as well', async () => {
    const pty = await plug('tty0');
    const { told, link, counters } = supervise({});
    const open = await link();
    await pty.unplug();
    for (let i = 0; i < 10; i++) open.send(new Uint8Array(1000).fill(0x80));
    await soon(() => expect(told.some((line) => line.startsWith('closed'))).toBe(true));
    open.send(PACKET);
    expect(counters.get('serial.drop.closed')).toBeGreaterThan(0);
    await open.close();
  });

  it('is lost when its device is gone, though the port itself says nothing', async () => {
    const pty = await plug('tty0');
    const path = join(folder, 'tty1');
    await writeFile(path, '');
    const { told, link } = supervise(
      { path },
      { openPort: (options) => openSerialPort({ ...options, path: pty.path }) },
    );
    await link();
    await rm(path);
    await soon(() => expect(told).toEqual(['closed the device is gone']));
  });

  it('serves one of two entries that mean it, then the other', async () => {
    await plug('tty0');
    const first = supervise({ name: 'one' });
    await first.link();
    const second = supervise({ name: 'two', path: join(folder, 'tty?') });
    await soon(() =>
      expect(second.logged).toEqual([`warn port two: ${join(folder, 'tty0')} is already used by port one`]),
    );
    await first.supervisor.close();
    await second.link();
    expect(first.links).toHaveLength(1);
    expect(first.supervisor.status).toEqual({ state: 'closed' });
  });

  it('that another program holds is said to be busy once, and opened when it is free', async () => {
    const pty = await plug('tty0');
    const other = openSerialPort({
      path: pty.path,
      baudRate: 9600,
      hupcl: false,
      lock: true,
      autoOpen: false,
    });
    await new Promise<void>((resolve, reject) => {
      other.open((error) => (error ? reject(error) : resolve()));
    });
    const { logged, link, counters } = supervise({});
    await soon(() => expect(counters.get('serial.open_failed')).toBeGreaterThan(1));
    await new Promise<void>((resolve) => other.close(() => resolve()));
    await link();
    expect(logged).toHaveLength(2);
    expect(logged[0]).toMatch(
      new RegExp(`^warn port bench: ${pty.path} is in use by \\S+ \\(pid ${process.pid}\\): close it$`),
    );
  });

  it('that ModemManager holds is said to be so, with the rule that keeps it away', async () => {
    const pty = await plug('tty0');
    // The real thing is not here; what counts is its name and that it locks the port.
    const holder = await lockedBy('ModemManager', await realpath(pty.path));
    const { logged, link } = supervise({});
    await soon(() => expect(logged).toHaveLength(1));
    holder.release();
    await link();
    expect(logged[0]).toBe(
      `warn port bench: ${pty.path} is in use by ModemManager (pid ${holder.pid}), which asks whether it is a modem and lets go after half a minute: to keep it off boards, run "${INSTALL_RULES}"`,
    );
    expect(existsSync(UDEV_RULES)).toBe(true);
    expect(logged[1]).toBe('info port bench is open');
  });

  it('that is lost again and again is said to be unsteady once, and once when it stays', async () => {
    const { link, logged, counters, supervisor } = supervise({}, { random: () => 0 });
    for (let i = 0; i < 5; i++) {
      const pty = await plug('tty0');
      await link(i);
      await pty.unplug();
      await soon(() => expect(counters.get('serial.lost')).toBe(i + 1));
    }
    await plug('tty0');
    await soon(() => expect(logged.at(-1)).toBe('info port bench is open, and stays so'));
    expect(logged.filter((line) => line.includes('is lost each time'))).toHaveLength(1);
    const unsteady = logged.findIndex((line) => line.includes('is lost each time'));
    expect(logged.slice(unsteady + 1)).toEqual(['info port bench is open, and stays so']);
    expect(supervisor.status.problem).toBeUndefined();
  });

  it('takes no more than its backlog, counts what it refuses, and says when all is written', async () => {
    const pty = await plug('tty0');
    const { told, link, counters } = supervise({}, { maxBacklog: 5000 });
    const open = await link();
    for (let i = 0; i < 20; i++) open.send(new Uint8Array(994).fill(0x80));
    expect(open.backlog()).toBeLessThanOrEqual(5000);
    expect(open.backlog()).toBeGreaterThan(3900);
    expect(counters.get('serial.drop.backlog')).toBe(20 - counters.get('serial.tx.packets'));
    await soon(() => expect(told).toContain('drained'));
    expect(open.backlog()).toBe(0);
    await soon(() => expect(Buffer.concat(pty.written)).toHaveLength(counters.get('serial.tx.bytes')));
    open.send(new Uint8Array(1025));
    expect(counters.get('serial.drop.too_large')).toBe(1);
  });

  it('writes out what is queued before it closes, and closes once', async () => {
    const pty = await plug('tty0');
    const { told, link, supervisor } = supervise({});
    const open = await link();
    for (let i = 0; i < 30; i++) open.send(new Uint8Array(1000).fill(0x80));
    const bytes = open.backlog();
    await Promise.all([supervisor.close(), supervisor.close(), open.close()]);
    await soon(() => expect(Buffer.concat(pty.written)).toHaveLength(bytes));
    expect(told.filter((line) => line.startsWith('closed'))).toEqual(['closed closed']);
  });

  it('can be closed while it is opening or waiting', async () => {
    await plug('tty0');
    const opening = supervise({});
    await opening.supervisor.close();
    expect(opening.links).toEqual([]);
    const waiting = supervise({ path: join(folder, 'none') });
    await soon(() => expect(waiting.supervisor.status.problem).toBeDefined());
    await waiting.supervisor.close();
    const again = supervise({});
    await again.link();
  });

  it('keeps DTR when it closes, or lets it fall, as the policy says', async () => {
    const pty = await plug('tty0');
    const flags = () => execFileSync('stty', ['-F', pty.path, '-a']).toString();
    execFileSync('stty', ['-F', pty.path, 'hupcl']);
    const never = supervise({ dtr: 'never' });
    await never.link();
    expect(flags()).toContain(' -hupcl');
    await never.supervisor.close();
    const always = supervise({ dtr: 'always' });
    await always.link();
    expect(flags()).toMatch(/ hupcl/);
  });

  it('that the user may not open says which group may', async () => {
    const pty = await plug('tty0');
    const device = await realpath(pty.path);
    const root = process.getuid?.() === 0;
    await chmod(device, 0);
    const script = `const { SerialPort } = require(${JSON.stringify(createRequire(import.meta.url).resolve('serialport'))});
      new SerialPort({ path: '${device}', baudRate: 9600 }, (error) => console.log(error ? error.message : 'opened'));`;
    const nobody = root ? { uid: 65_534, gid: 65_534 } : {};
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], nobody);
    expect(stdout).toMatch(/permission denied/i);
    await chmod(device, 0o660);
    if (root) await chown(device, 0, 20);
    const { gid } = await stat(device);
    const group = execFileSync('getent', ['group', String(gid)])
      .toString()
      .split(':')[0];
    const error = await explainOpenError(new Error(stdout), device, 9600);
    expect(error.code).toBe('serial_permission');
    expect(error.message).toBe(
      `no permission to open ${device}, which belongs to group ${group}: run "sudo usermod -aG ${group} $USER", then log in again`,
    );
    await chmod(device, 0o600);
    expect((await explainOpenError(new Error(stdout), device, 9600)).message).toContain('no group has any');
  });
});

describe('a port that cannot be opened', () => {
  it('is tried again ever more slowly, and complained of once', async () => {
    const path = join(folder, 'tty0');
    await writeFile(path, '');
    const waits: number[] = [];
    const clock: Clock = {
      ...systemClock,
      schedule(ms, task) {
        waits.push(ms);
        const immediate = setImmediate(task);
        return () => clearImmediate(immediate);
      },
    };
    const { logged, supervisor } = supervise({ path }, { clock, random: () => 1 });
    await soon(() => expect(waits.length).toBeGreaterThan(8));
    await supervisor.close();
    expect(waits.slice(0, 8)).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000, 5000].map((ms) => ms * 1.25));
    expect(logged).toEqual([`warn port bench: ${path} is not a serial port`]);
  });

  it('is told when ports cannot be listed', async () => {
    const listPorts = async () => {
      throw new Error('spawn udevadm ENOENT');
    };
    const { logged, supervisor } = supervise({ path: undefined, usb: { vendor_id: '2341' } }, { listPorts });
    await soon(() => expect(supervisor.status.problem).toBeDefined());
    expect(logged).toEqual([
      'warn port bench: the serial ports of this machine cannot be listed: spawn udevadm ENOENT',
    ]);
  });

  it.each([
    ['Error: Resource temporarily unavailable, Cannot lock port', 'serial_busy', /in use by another program/],
    ['Opening COM3: Access denied', 'serial_busy', /in use by another program/],
    [
      'Error: Invalid argument || while setting custom baud rate of 123',
      'serial_baud',
      /cannot run at 123 baud/,
    ],
    ['Error: Inappropriate ioctl for device, cannot open /x', 'serial_not_a_port', /is not a serial port/],
    ['Error: Input/output error, cannot open /x', 'serial_open', /cannot be opened: Error: Input/],
  ])('for %s', async (text, code, message) => {
    const error = await explainOpenError(new Error(text), '/x', 123);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect((error.cause as Error).message).toBe(text);
  });
});
