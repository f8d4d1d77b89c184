import { lstat, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SerialPort } from 'serialport';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { simulateCommand } from '../../src/cli/simulate.js';
import { AVR_TOOLS, compile, ECHO } from '../simulator/compile.js';
import { describeWithTools } from '../support/tools.js';

let folder = '';
let lines: string[] = [];
let stop = (): void => {};
const until = (condition: () => void): Promise<void> =>
  vi.waitFor(condition, { timeout: 30_000, interval: 5 });

function simulate(...args: string[]): Promise<unknown> {
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const host = { print: (line: string) => void lines.push(line), stopRequest: () => stopped };
  return simulateCommand(host).parseAsync(args, { from: 'user' });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-simulate-'));
  lines = [];
});
afterEach(() => rm(folder, { recursive: true }));

describe('slipway simulate', () => {
  test('says which firmware it cannot read', async () => {
    const file = join(folder, 'none.hex');
    await expect(simulate(file)).rejects.toMatchObject({
      code: 'firmware_unreadable',
      message: `cannot read the firmware ${file}: there is no such file`,
    });
  });

  test('names the file and the line of a damaged firmware', async () => {
    const file = join(folder, 'bad.hex');
    await writeFile(file, ':0100000001FF\n');
    await expect(simulate(file)).rejects.toMatchObject({
      code: 'firmware_invalid',
      message: expect.stringMatching(/bad\.hex: line 1 .* checksum/),
    });
  });

  test('explains itself with examples', () => {
    const written: string[] = [];
    const command = simulateCommand().configureOutput({ writeOut: (text) => void written.push(text) });
    command.outputHelp();
    expect(written.join('')).toMatch(
      /--pty <path>[\s\S]*\$ slipway simulate SerialSensor\.hex --pty \/tmp\/uno/,
    );
  });
});

describeWithTools([...AVR_TOOLS, 'socat'], 'slipway simulate with a pty', () => {
  test('runs the firmware at the path, reports the LED and ends when asked to', async () => {
    const file = join(folder, 'echo.hex');
    const path = join(folder, 'uno');
    await writeFile(file, await compile(ECHO));
    const done = simulate(file, '--pty', path);
    await until(() => expect(lines).toEqual([`echo.hex runs on a virtual Uno; its serial port is ${path}`]));

    const port = new SerialPort({ path, baudRate: 115200 });
    let received = '';
    port.on('data', (bytes: Buffer) => {
      received += bytes.toString();
    });
    port.write('L');
    await until(() => expect(lines.slice(1)).toEqual(['LED on']));
    await until(() => expect(received).toMatch(/L$/));
    port.write('l');
    await until(() => expect(lines.slice(1)).toEqual(['LED on', 'LED off']));
    await new Promise((resolve) => port.close(resolve));

    stop();
    await done;
    expect(lines.at(-1)).toBe('stopped');
    await expect(lstat(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('chooses a path itself and prints it', async () => {
    const file = join(folder, 'echo.hex');
    await writeFile(file, await compile(ECHO));
    const done = simulate(file);
    await until(() => expect(lines).toHaveLength(1));
    const path = lines[0]?.split(' is ')[1] ?? '';
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    stop();
    await done;
  });
});
