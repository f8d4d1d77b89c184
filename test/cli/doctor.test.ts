import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Finding } from '../../src/doctor/finding.js';
import { INSTALL_RULES } from '../../src/links/serial/modem-manager.js';
import { openStore } from '../../src/store/open-store.js';
import { plug as plugUno, power, sensorUno } from '../e2e/bench.js';
import { HandBoard, HELLO } from '../e2e/hand-board.js';
import { Pty } from '../links/serial/pty.js';
import { connectTo, freePort, startGateway, until } from '../support/gateways.js';
import { lockedBy } from '../support/port-holder.js';
import { MAIN, Program, slipway, slipwayAsNobody } from '../support/programs.js';
import { Random } from '../support/random.js';
import { describeWithTools } from '../support/tools.js';
import { heard } from '../support/uart.js';

const ROOT = process.getuid?.() === 0;

let folder: string;
/** Where the gateway is looked for. */
let port: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-doctor-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o755);
  port = await freePort();
});

const path = (name: string) => join(folder, name);

/** Writes a config with these serial ports, and returns the arguments that name it. */
async function configured(serial: readonly object[] = [], more: object = {}): Promise<string[]> {
  const file = path('slipway.yaml');
  const listen = { tcp: { port }, udp: false };
  await writeFile(file, JSON.stringify({ version: 1, listen, serial, ...more }));
  return ['-c', file];
}

async function plug(name = 'tty0'): Promise<Pty> {
  const pty = await Pty.plug(path(name));
  onTestFinished(() => pty.unplug());
  return pty;
}

/** What `slipway doctor` prints and exits with. */
async function doctor(...args: string[]): Promise<{ code: number | null; out: string }> {
  return outcome(slipway(['doctor', ...args]));
}

async function outcome(program: Program): Promise<{ code: number | null; out: string }> {
  const { code } = await program.ended;
  expect(program.stderr).toBe('');
  return { code, out: program.stdout };
}

/** Its findings, of which those about config and gateway are known. */
const CONFIG = () => `ok       config          ${path('slipway.yaml')}\n`;
const NO_GATEWAY = () => `PROBLEM  gateway         does not run: nothing listens on 127.0.0.1 port ${port}
                         → start it with "slipway run", or name the place with --host and --port\n`;
const NO_GATEWAY_NEEDED = () =>
  `note     gateway         does not run: nothing listens on 127.0.0.1 port ${port}\n`;

describe('slipway doctor, of config and gateway', () => {
  it('says what it does with --help', async () => {
    const { code, out } = await doctor('--help');
    expect(code).toBe(0);
    expect(out).toContain('slipway doctor /dev/ttyACM0');
  });

  it('finds nothing wrong where nothing is', async () => {
    const { tcp } = await startGateway();
    port = tcp.port;
    expect(await doctor(...(await configured()))).toEqual({
      code: 0,
      out: `${CONFIG()}ok       gateway         runs, at 127.0.0.1 port ${port}\nnothing is wrong\n`,
    });
  });

  it('finds that no gateway runs', async () => {
    expect(await doctor(...(await configured()))).toEqual({
      code: 1,
      out: `${CONFIG()}${NO_GATEWAY()}1 problem\n`,
    });
  });

  it('asks the gateway how its bridges do', async () => {
    const servers = `nats://127.0.0.1:${await freePort()}`;
    const rules = [{ pattern: 'a', direction: 'out' }];
    const more = { gateway: 'site1', bridges: [{ name: 'plant', nats: { servers }, rules }] };
    const { gateway, tcp } = await startGateway(more);
    port = tcp.port;
    await until(() => expect(gateway.statistics().bridges?.plant?.problem).toContain('connection refused'));
    const { code, out } = await doctor(...(await configured([], more)));
    expect(code).toBe(1);
    expect(out).toContain(
      `PROBLEM  bridge:plant    is not connected: ${servers}: connection refused: check that it runs, and host and port\n1 problem\n`,
    );
  });

  it('does not miss a gateway that cannot be asked', async () => {
    const args = await configured([], { listen: { tcp: false } });
    expect(await doctor(...args)).toEqual({
      code: 0,
      out: `${CONFIG()}note     gateway         the config has no TCP listener (listen.tcp), so a gateway cannot be asked\nnothing is wrong\n`,
    });
  });

  it('finds another program in the place of the gateway', async () => {
    const server = createServer((socket) => void socket.on('error', () => {}));
    server.listen({ host: '127.0.0.1', port });
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { code, out } = await doctor(...(await configured()));
    expect(code).toBe(1);
    expect(out.split('\n').slice(1)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^PROBLEM  gateway         something that is no Slipway gateway listens on 127.0.0.1 port ${(server.address() as AddressInfo).port}: .+ \\(pid ${process.pid}\\)$`,
        ),
      ),
      '                         → stop it, or give listen.tcp another port',
      '1 problem',
      '',
    ]);
  });

  it('finds every mistake in the config', async () => {
    const file = path('bad.yaml');
    await writeFile(file, `version: 1\nlisten: { tcp: { port: ${port}, hsot: x } }\nserail: []\n`);
    const { code, out } = await doctor('-c', file, '--port', String(port));
    expect(code).toBe(2);
    expect(out).toBe(
      `PROBLEM  config          ${file}:2:30: listen.tcp.hsot: unknown key (did you mean "host"?)
PROBLEM  config          ${file}:3:1: serail: unknown key (did you mean "serial"?)
${NO_GATEWAY()}3 problems\n`.replace('2:30', `2:${26 + String(port).length}`),
    );
  });

  it('says which rule lets it ask a gateway that has rules', async () => {
    const access = { rules: [{ who: 'anyone', emit: 'x' }] };
    const args = await configured([], { access });
    await startGateway({ listen: { tcp: { port }, udp: false }, access });
    const { code, out } = await doctor(...args);
    expect(code).toBe(1);
    expect(out).toContain('→ add a rule: { who: loopback, subscribe: $slipway/links/+ }');
  });

  it('finds that the users file cannot be used, and shows nothing of it', async () => {
    const args = await configured([], {
      access: { users: { file: 'users.yaml' }, rules: [{ who: 'anyone', emit: 'a' }] },
    });
    const users = path('users.yaml');
    expect((await doctor(...args)).out).toContain(
      `PROBLEM  users           ${users}: there is no such file: `,
    );
    await writeFile(users, 'users: { ada: { password: hunter2 } }', { mode: 0o600 });
    const { code, out } = await doctor(...args);
    expect(code).toBe(2);
    expect(out).toContain(
      `PROBLEM  users           ${users}:1:27: users.ada.password: is no hash of a password`,
    );
    expect(out).not.toContain('hunter2');
  });

  it.runIf(ROOT)('finds that the store is a file, or that this user may not write there', async () => {
    await writeFile(path('file'), '');
    const asFile = await configured([], { store: { path: 'file' } });
    expect((await doctor(...asFile)).out).toBe(
      `${CONFIG()}${NO_GATEWAY()}PROBLEM  store           ${path('file')} is a file, not a folder
                         → give store.path another folder
2 problems\n`,
    );
    const args = await configured([], { store: { path: 'new/store' } });
    expect((await doctor(...args)).out).toBe(
      `${CONFIG()}${NO_GATEWAY()}ok       store           ${path('new/store')}\n1 problem\n`,
    );
    expect((await outcome(slipwayAsNobody(['doctor', ...args]))).out).toBe(
      `${CONFIG()}${NO_GATEWAY()}PROBLEM  store           this user may not write in ${folder}
                         → run the gateway as the user who may, or "sudo chown $USER ${folder}"
2 problems\n`,
    );
  });

  it('finds what keeps a gateway from its store, and changes nothing there', async () => {
    const args = await configured([], { store: { path: 'store' } });
    const store = path('store');
    const before = `${CONFIG()}${NO_GATEWAY()}`;
    await symlink('nowhere', store);
    expect((await doctor(...args)).out).toBe(
      `${before}PROBLEM  store           the link ${store} leads nowhere
                         → make the folder that it names, or remove the link
2 problems\n`,
    );
    await rm(store);
    await mkdir(store);
    await writeFile(join(store, 'thesis.txt'), 'precious');
    expect((await doctor(...args)).out).toBe(
      `${before}PROBLEM  store           the store cannot be in ${store}: there are other files in it ("thesis.txt")
                         → give store.path a folder of its own
2 problems\n`,
    );
    await rm(join(store, 'thesis.txt'));
    await mkdir(path('store.damaged-2026'));
    const { backend } = await openStore(store, pino({ enabled: false }));
    onTestFinished(() => backend.close());
    const files = await readdir(store);
    expect((await doctor(...args)).out).toMatch(
      new RegExp(
        `ok {7}store {11}${store}\nnote {5}store {11}it is in use by .+ \\(pid ${process.pid}\\)\n.*\nnote {5}store {11}an earlier store was damaged and set aside: ${store}.damaged-2026\n {25}→ delete it when you need nothing of it\n1 problem\n$`,
      ),
    );
    expect(await readdir(store)).toEqual(files);
  });

  it('takes what does not answer for a gateway that waits, where its store cannot be', async () => {
    const server = createServer((socket) => void socket.on('error', () => {}));
    server.listen({ host: '127.0.0.1', port });
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    await writeFile(path('file'), '');
    const { code, out } = await doctor(...(await configured([], { store: { path: 'file' } })));
    expect(code).toBe(1);
    expect(out.split('\n').slice(1, 4)).toEqual([
      expect.stringMatching(
        /^PROBLEM {2}gateway {9}something listens on .* and does not answer: .*; if it is the gateway, it may be waiting for its store$/,
      ),
      '                         → mend the store, see below; if it is another program, stop it, or give listen.tcp another port',
      `PROBLEM  store           ${path('file')} is a file, not a folder`,
    ]);
  });

  it('is told of a port that is neither in the config nor a path', async () => {
    const names = ['bench', 'weather', 'other'].map((name) => ({ name, path: path(name) }));
    const wrong = async (name: string, args: readonly string[]) => {
      const program = slipway(['doctor', name, ...args]);
      expect(await program.ended).toEqual({ code: 2, signal: null });
      expect(program.stdout).toBe('');
      return program.stderr;
    };
    expect(await wrong('benhc', await configured(names))).toBe(
      `slipway: no port "benhc" in ${path('slipway.yaml')} (did you mean "bench"? it has: bench, weather, other)\n`,
    );
    expect(await wrong('tty7', await configured(names))).toBe(
      `slipway: no port "tty7" in ${path('slipway.yaml')} (it has: bench, weather, other)\n`,
    );
    expect(await wrong('bench', await configured())).toBe(
      `slipway: no port "bench" in ${path('slipway.yaml')} (it has none; name one by its path: "slipway ports" shows what there is)\n`,
    );
  });

  it('is told of a file that is no port, and how a config is named', async () => {
    const [, file = ''] = await configured();
    const program = slipway(['doctor', file]);
    expect(await program.ended).toEqual({ code: 2, signal: null });
    expect(program.stdout).toBe('');
    expect(program.stderr).toBe(
      `slipway: "${file}" is a file, not a serial port; if it is the config: slipway doctor -c ${file}\n`,
    );
  });

  it('ends quietly when nobody reads on', async () => {
    const command = [process.execPath, MAIN, 'doctor', ...(await configured())].map((word) => `'${word}'`);
    expect(await outcome(new Program('sh', ['-c', `${command.join(' ')} | head -1`]))).toEqual({
      code: 0,
      out: CONFIG(),
    });
  });

  it('prints JSON for programs', async () => {
    const { code, out } = await doctor(...(await configured()), '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({
      ok: false,
      findings: [
        { level: 'ok', check: 'config', about: 'config', text: path('slipway.yaml') },
        {
          level: 'problem',
          check: 'gateway',
          about: 'gateway',
          text: `does not run: nothing listens on 127.0.0.1 port ${port}`,
          mend: 'start it with "slipway run", or name the place with --host and --port',
        },
      ],
    });
  });
});

describeWithTools(['socat', 'stty', 'flock'], 'slipway doctor, of a port', () => {
  it('finds that it is not there, or no port at all', async () => {
    await writeFile(path('file'), '');
    const args = await configured([
      { name: 'gone', path: path('tty9') },
      { name: 'file', path: path('file') },
      { name: 'usb', usb: { vendor_id: '2341', serial_number: 'none-such' } },
    ]);
    expect(await doctor(...args)).toEqual({
      code: 1,
      out: `${CONFIG()}${NO_GATEWAY()}PROBLEM  gone            ${path('tty9')} is not there
                         → plug it in with a cable that carries data, then see "slipway ports" for what is there and what to write
PROBLEM  file            ${path('file')} is not a serial port
                         → see "slipway ports" for what is there and what to write
PROBLEM  usb             USB serial number none-such, USB vendor 2341 is not there
                         → plug it in with a cable that carries data, then see "slipway ports" for what is there and what to write
4 problems\n`,
    });
  });

  it('finds who holds it, and does not open it', async () => {
    const pty = await plug();
    const device = await realpath(pty.path);
    const { pid } = await lockedBy('screen', device);
    expect(await doctor(pty.path, ...(await configured()))).toEqual({
      code: 1,
      out: `${CONFIG()}${NO_GATEWAY_NEEDED()}ok       ${pty.path}  ${pty.path} (${device})
PROBLEM  ${pty.path}  ${pty.path} is in use by screen (pid ${pid})
                         → close it
1 problem\n`,
    });
  });

  it('finds ModemManager on it', async () => {
    const pty = await plug();
    const device = await realpath(pty.path);
    const { pid } = await lockedBy('ModemManager', device);
    expect(await doctor('bench', ...(await configured([{ name: 'bench', path: pty.path }])))).toEqual({
      code: 1,
      out: `${CONFIG()}${NO_GATEWAY_NEEDED()}ok       bench           ${pty.path} (${device})
PROBLEM  bench           ${pty.path} is in use by ModemManager (pid ${pid}), which asks whether it is a modem and lets go after half a minute
                         → to keep it off boards, run "${INSTALL_RULES}"
1 problem\n`,
    });
  });

  it.runIf(ROOT)('finds that the user may not open it, and which group may', async () => {
    const [open, shut] = [await plug('tty0'), await plug('tty1')];
    const [device, other] = [await realpath(open.path), await realpath(shut.path)];
    await chown(device, 0, 20);
    await chmod(device, 0o660);
    await chown(other, 0, 0);
    await chmod(other, 0o600);
    const args = await configured([
      { name: 'bench', path: open.path },
      { name: 'other', path: shut.path },
    ]);
    expect(await outcome(slipwayAsNobody(['doctor', ...args]))).toEqual({
      code: 1,
      out: `${CONFIG()}${NO_GATEWAY()}note     user            you are not in group dialout, which serial ports usually belong to
                         → run "sudo usermod -aG dialout $USER", then log in again
ok       bench           ${open.path} (${device})
PROBLEM  bench           no permission to open ${open.path}, which belongs to group dialout
                         → run "sudo usermod -aG dialout $USER", then log in again
ok       other           ${shut.path} (${other})
PROBLEM  other           no permission to open ${shut.path}, and no group has any
                         → give it one with a udev rule, as in config/99-slipway.rules
3 problems\n`,
    });
  });

  it('hears a board that waits for a gateway, one that prints, and one at another rate', async () => {
    const names = ['hello', 'prints', 'slow'];
    const boards = await Promise.all(names.map((name) => HandBoard.plug(path(name))));
    const [hello, prints, slow] = boards as [HandBoard, HandBoard, HandBoard];
    const args = await configured(names.map((name) => ({ name, path: path(name), baud: 115_200 })));
    const speaking = setInterval(() => {
      hello.pty.print(hello.frame(HELLO));
      prints.pty.print('temperature 21.4 C\r\n');
      void slow.pty.speed().then((baud) => slow.pty.print(heard(slow.frame(HELLO), 57_600, baud)));
    }, 500);
    onTestFinished(() => clearInterval(speaking));
    const [a, b, c] = await Promise.all(names.map((name) => doctor(name, ...args)));
    const start = (name: string, device: string) =>
      `${CONFIG()}${NO_GATEWAY_NEEDED()}ok       ${name.padEnd(14)}  ${path(name)} (${device})\n`;
    const devices = await Promise.all(names.map((name) => realpath(path(name))));
    expect(a).toEqual({
      code: 0,
      out: `${start('hello', devices[0] as string)}ok       hello           by-hand waits for a gateway, at 115200 baud\nnothing is wrong\n`,
    });
    expect(b).toEqual({
      code: 0,
      out: `${start('prints', devices[1] as string)}ok       prints          the board prints, as "temperature 21.4 C", at 115200 baud\nnothing is wrong\n`,
    });
    expect(c).toEqual({
      code: 1,
      out: `${start('slow', devices[2] as string)}PROBLEM  slow            by-hand waits for a gateway, at 57600 baud, and not at 115200
                         → baud: 57600 in the entry of slow in the config
1 problem\n`,
    });
    // Nothing was said to a board that speaks.
    expect(boards.map(({ written }) => written.length)).toEqual([0, 0, 0]);
  });

  it('finds a board that says nothing, boards in their bootloaders, and noise', async () => {
    const ptys = [await plug('silent'), await plug('avr'), await plug('esp'), await plug('noise')] as const;
    const [, avr, esp, noise] = ptys;
    const random = new Random(5);
    const motor = setInterval(() => noise.print(random.bytes(64)), 600);
    onTestFinished(() => clearInterval(motor));
    avr.onWrite = (bytes) => {
      // As Optiboot does: whatever it is asked, if a space ends it.
      if (bytes.includes(0x20)) avr.print(Uint8Array.of(0x14, 0x10));
    };
    const download = setInterval(
      () => esp.print('boot:0x3 (DOWNLOAD(USB/UART0))\r\nwaiting for download\r\n'),
      1000,
    );
    onTestFinished(() => clearInterval(download));
    const args = await configured();
    const outcomes = await Promise.all(ptys.map((pty) => doctor(pty.path, ...args)));
    const last = outcomes.map(({ out }) => out.split('\n').slice(3));
    const bootloader = (place: string) => [
      `PROBLEM  ${place}  the board is in its bootloader and waits for a program`,
      '                         → press its reset button (on an ESP board without holding BOOT), or upload the sketch again',
      '1 problem',
      '',
    ];
    expect(last).toEqual([
      [
        `PROBLEM  ${path('silent')}  the board says nothing`,
        '                         → press its reset button; if that does not help, upload a sketch that uses Slipway or prints',
        '1 problem',
        '',
      ],
      bootloader(path('avr')),
      bootloader(path('esp')),
      [
        `PROBLEM  ${path('noise')}  what comes is neither packets nor text at any of 115200, 57600, 9600, 38400, 19200, 230400, 250000, 74880 baud`,
        '                         → add the rate that the sketch gives to Serial.begin() to "baud"',
        '1 problem',
        '',
      ],
    ]);
    expect(outcomes.map(({ code }) => code)).toEqual([1, 1, 1, 1]);
  });
});

describeWithTools(['socat', 'stty', 'flock'], 'slipway doctor, of a gateway that runs', () => {
  /** A gateway in this process, with an Uno at one of its ports. */
  async function bench() {
    const tty = path('tty0');
    const uno = await sensorUno();
    await plugUno(uno, tty);
    power(uno);
    const serial = [{ name: 'bench', path: tty }];
    const running = await startGateway({ serial });
    port = running.tcp.port;
    const online = (times: number) =>
      until(() =>
        expect(running.log.filter(({ msg }) => msg.startsWith('virtual-uno is online'))).toHaveLength(times),
      );
    await online(1);
    return { uno, tty, running, online, args: await configured(serial) };
  }

  const START = () => `${CONFIG()}ok       gateway         runs, at 127.0.0.1 port ${port}\n`;

  it.each(['', 'bench', 'tty0'])('tells how a link does, and disturbs nobody (doctor %s)', async (named) => {
    const { uno, running, args, tty } = await bench();
    const { code, out } = await doctor(...(named ? [named === 'tty0' ? tty : named] : []), ...args);
    expect(out).toContain(START());
    expect(out.slice(START().length)).toMatch(
      /^ok {7}serial:bench {4}virtual-uno, 115200 baud, round trip [\d.]+ ms, 0 of \d+ resent, 0 resets, 0 resumes, 0 CRC errors in \d+ packets, \d+ text lines?, 0 reconnects\nnothing is wrong\n$/,
    );
    expect(code).toBe(0);
    expect(uno.boots).toBe(1);
    expect(running.count('serial.lost')).toBe(0);
    expect(running.log.filter(({ msg }) => msg.startsWith('virtual-uno is'))).toHaveLength(1);
  });

  it('finds a line that loses and spoils', async () => {
    const { uno, args, running } = await bench();
    const program = await connectTo(running.tcp);
    const random = new Random(3);
    uno.cable = (bytes) => {
      if (random.chance(0.15)) bytes = bytes.map((byte) => byte ^ 0x21);
      return bytes;
    };
    for (let i = 1; running.count('serial.drop.crc') < 8 || running.count('session.resends') < 8; i++) {
      await program.emit('greenhouse/led', i % 2 ? 'on' : 'off');
      await until(() => expect(uno.led).toHaveLength(i));
    }
    const { code, out } = await doctor(...args);
    expect(code).toBe(1);
    expect(out).toMatch(
      /\nPROBLEM {2}serial:bench {4}[\d.]+ % of what was sent had to be sent again\n {25}→ use a shorter or shielded cable, connect the grounds, keep away from motors, or lower the rate; a sketch must not block in its loop\n/,
    );
    expect(out).toMatch(
      /\nPROBLEM {2}serial:bench {4}[\d.]+ % of the packets came spoiled \(CRC\)\n {25}→ use a shorter or shielded cable, connect the grounds, keep away from motors, or lower the rate\n/,
    );
  });

  it('finds a board that is reset again and again', async () => {
    const { uno, args, online } = await bench();
    for (let resets = 1; resets <= 5; resets++) {
      uno.reset();
      await online(1 + resets);
    }
    const { code, out } = await doctor(...args);
    expect(code).toBe(1);
    expect(out).toMatch(
      // A reset may cut a frame, and five of so few are a bad line.
      /5 resets, (?:.*\n)+?PROBLEM {2}serial:bench {4}the board was reset 5 times\n {25}→ look at its power supply, and at what its watchdog or its stack may do\n(1 problem|2 problems)\n$/,
    );
  });

  it('tells of a port that was there what became of it', async () => {
    const pty = await plug();
    const serial = [{ name: 'bench', path: pty.path }];
    const running = await startGateway({ serial });
    port = running.tcp.port;
    await until(() => expect(running.count('serial.opened')).toBe(1));
    await pty.unplug();
    await until(() => expect(running.log.filter(({ level }) => level === 40)).toHaveLength(1));
    const { code, out } = await doctor(...(await configured(serial)));
    expect(code).toBe(1);
    expect(out.slice(START().length)).toMatch(
      /^PROBLEM {2}bench {11}\S+ is not there\n {25}→ plug it in .*\nnote {5}serial:bench {4}the gateway says: \S+ was lost \(.+\); waiting for it to come back\n1 problem\n$/,
    );
  });

  it('tells why the gateway has not opened a port, and JSON has the numbers', async () => {
    const pty = await plug();
    const { pid } = await lockedBy('minicom', await realpath(pty.path));
    const serial = [
      { name: 'held', path: pty.path },
      { name: 'gone', path: path('tty9') },
    ];
    const running = await startGateway({ serial });
    port = running.tcp.port;
    await until(() => expect(running.log.filter(({ level }) => level === 40)).toHaveLength(2));
    const args = await configured([...serial, { name: 'new', path: path('tty8') }]);
    expect(await doctor(...args)).toEqual({
      code: 1,
      out: `${START()}PROBLEM  serial:held     is not open: ${pty.path} is in use by minicom (pid ${pid}): close it
PROBLEM  gone            ${path('tty9')} is not there
                         → plug it in with a cable that carries data, then see "slipway ports" for what is there and what to write
note     new             the gateway that runs does not know this port: restart it if it should
PROBLEM  new             ${path('tty8')} is not there
                         → plug it in with a cable that carries data, then see "slipway ports" for what is there and what to write
3 problems\n`,
    });
    await connectTo(running.tcp, { identity: 'a-program' });
    const { findings } = JSON.parse((await doctor(...args, '--json')).out) as { findings: Finding[] };
    const link = findings.find(({ report }) => report?.identity === 'a-program');
    expect(link).toMatchObject({ level: 'ok', check: 'link', about: expect.stringMatching(/^tcp:/) });
    expect(link?.report).toMatchObject({ sent: 0, resent: 0, resets: 0, begins: 1 });
  });
});
