import { lstat, mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SerialPort } from 'serialport';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseIntelHex } from '../../src/simulator/intel-hex.js';
import { openPty } from '../../src/simulator/pty.js';
import { VirtualUno } from '../../src/simulator/uno.js';
import { describeWithTools } from '../support/tools.js';
import { AVR_TOOLS, compile, ECHO } from './compile.js';

const until = (condition: () => void): Promise<void> =>
  vi.waitFor(condition, { timeout: 30_000, interval: 5 });
const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

let folder = '';
let path = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-pty-'));
  path = join(folder, 'uno');
});
afterEach(() => rm(folder, { recursive: true }));

async function open(): Promise<{ port: SerialPort; text: () => string }> {
  const port = new SerialPort({ path, baudRate: 115200, autoOpen: false });
  let received = '';
  port.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1');
  });
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  return { port, text: () => received };
}

const close = (port: SerialPort): Promise<void> => new Promise((resolve) => port.close(() => resolve()));

describeWithTools([...AVR_TOOLS, 'socat'], 'openPty', () => {
  test('the real serialport opens the board, loses it and finds it again', async () => {
    const uno = new VirtualUno(parseIntelHex(await compile(ECHO)));
    const pty = await openPty(uno, path);
    try {
      const first = await open();
      uno.start();
      await until(() => expect(first.text()).toBe('ready'));
      const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      first.port.write(everyByte);
      await until(() => expect(first.text()).toBe(`ready${everyByte.toString('latin1')}`));
      await close(first.port);

      const second = await open();
      second.port.write('back again');
      await until(() => expect(second.text()).toBe('back again'));
      await close(second.port);
    } finally {
      uno.stop();
      await pty.close();
    }
    expect(await exists(path)).toBe(false);

    // Unplugged and plugged in again, at the same path.
    const next = await openPty(uno, path);
    try {
      const third = await open();
      uno.start();
      await until(() => expect(third.text()).toBe('ready'));
      await close(third.port);
    } finally {
      uno.stop();
      await next.close();
      await next.close();
    }
  });

  test('carries more than the board can take at once, without loss', async () => {
    const uno = new VirtualUno(parseIntelHex(await compile(ECHO)));
    const pty = await openPty(uno, path);
    try {
      const { port, text } = await open();
      uno.start();
      await until(() => expect(text()).toBe('ready'));
      const sent = Array.from({ length: 9000 }, (_, index) => String.fromCharCode(33 + (index % 90))).join(
        '',
      );
      port.write(sent);
      await until(() => expect(text()).toHaveLength('ready'.length + sent.length));
      expect(text()).toBe(`ready${sent}`);
      await close(port);
    } finally {
      uno.stop();
      await pty.close();
    }
  });

  test('tells when socat dies', async () => {
    const program = join(folder, 'socat');
    const pid = join(folder, 'pid');
    await writeFile(program, `#!/bin/sh\necho $$ > ${pid}\nexec socat "$@"\n`, { mode: 0o755 });
    const pty = await openPty(new VirtualUno(Uint8Array.of(0)), path, { socat: program });
    process.kill(Number(await readFile(pid, 'utf8')), 'SIGKILL');
    expect(await pty.lost).toMatch(/SIGKILL/);
    await pty.close();
    expect(await exists(path)).toBe(false);
  });

  test('replaces a link that a killed simulator left behind', async () => {
    await symlink('/dev/pts/no-such-terminal', path);
    const pty = await openPty(new VirtualUno(Uint8Array.of(0)), path);
    expect(await readlink(path)).toMatch(/^\/dev\//);
    await pty.close();
    expect(await exists(path)).toBe(false);
  });

  test('does not remove what somebody else has put at its path', async () => {
    const pty = await openPty(new VirtualUno(Uint8Array.of(0)), path);
    await rm(path);
    await writeFile(path, 'mine');
    await pty.close();
    expect(await exists(path)).toBe(true);
  });

  test.each(['file', 'folder'])('leaves a %s that is at the path alone and says so', async (kind) => {
    await (kind === 'file' ? writeFile(path, 'precious') : mkdir(path));
    const failed = openPty(new VirtualUno(Uint8Array.of(0)), path);
    await expect(failed).rejects.toMatchObject({
      code: 'pty_path_taken',
      message: expect.stringContaining(path),
    });
    expect(await exists(path)).toBe(true);
  });

  test('names the directory that is missing', async () => {
    const failed = openPty(new VirtualUno(Uint8Array.of(0)), join(folder, 'none', 'uno'));
    await expect(failed).rejects.toMatchObject({
      code: 'pty_failed',
      message: expect.stringContaining(`no directory ${join(folder, 'none')}`),
    });
  });
});

describe('openPty without socat', () => {
  test('names the program and how to install it', async () => {
    const failed = openPty(new VirtualUno(Uint8Array.of(0)), path, { socat: 'no-such-socat' });
    await expect(failed).rejects.toMatchObject({
      code: 'socat_missing',
      message: expect.stringMatching(/"no-such-socat".*sudo apt install socat/),
    });
    expect(await exists(path)).toBe(false);
  });

  test('reports how it ended when it makes no pty', async () => {
    const failed = openPty(new VirtualUno(Uint8Array.of(0)), path, { socat: 'false' });
    await expect(failed).rejects.toMatchObject({
      code: 'pty_failed',
      message: expect.stringContaining('status 1'),
    });
  });
});
