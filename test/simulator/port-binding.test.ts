import { once } from 'node:events';
import type { SerialPort } from 'serialport';
import { afterEach, expect, test, vi } from 'vitest';
import { Counters } from '../../src/counters.js';
import type { OpenPort } from '../../src/links/serial/port.js';
import { parseIntelHex } from '../../src/simulator/intel-hex.js';
import { type PlugOptions, VirtualPorts } from '../../src/simulator/port-binding.js';
import { VirtualUno } from '../../src/simulator/uno.js';
import { describeWithTools } from '../support/tools.js';
import { AVR_TOOLS, compile, ECHO } from './compile.js';

const PATH = '/dev/virtual-uno';

let ports = new VirtualPorts();
const uno = async (source = ECHO): Promise<VirtualUno> =>
  new VirtualUno(parseIntelHex(await compile(source)));

afterEach(() => {
  for (const { path } of plugged) ports.unplug(path);
  plugged.length = 0;
});
const plugged: { path: string }[] = [];

async function plug(board: VirtualUno, options?: PlugOptions, counters = new Counters()): Promise<void> {
  ports = new VirtualPorts(counters);
  ports.plug(PATH, board, options);
  plugged.push({ path: PATH });
}

/** Opens the port and gathers what arrives. */
async function open(options: { hupcl?: boolean } = {}): Promise<{ port: SerialPort; text: () => string }> {
  const port = ports.serialPort({ path: PATH, baudRate: 115200, autoOpen: false, ...options });
  let received = '';
  port.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1');
  });
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  return { port, text: () => received };
}

const close = (port: SerialPort): Promise<void> => new Promise((resolve) => port.close(() => resolve()));
const until = (condition: () => void): Promise<void> =>
  vi.waitFor(condition, { timeout: 30_000, interval: 5 });

describeWithTools(AVR_TOOLS, 'VirtualPorts', () => {
  test('carries bytes both ways through the stream of serialport', async () => {
    await plug(await uno());
    const { port, text } = await open();
    await until(() => expect(text()).toBe('ready'));
    port.write('hello ');
    port.write('there');
    await until(() => expect(text()).toBe('readyhello there'));
    await close(port);
  });

  test('a write larger than what a driver holds arrives whole', async () => {
    await plug(await uno());
    const { port, text } = await open();
    await until(() => expect(text()).toBe('ready'));
    const sent = Array.from({ length: 6000 }, (_, index) => String.fromCharCode(33 + (index % 90))).join('');
    port.write(sent);
    await until(() => expect(text()).toHaveLength('ready'.length + sent.length));
    expect(text()).toBe(`ready${sent}`);
    await close(port);
  });

  test('drain() waits until the board has been sent everything', async () => {
    const board = await uno();
    await plug(board);
    const { port, text } = await open();
    await until(() => expect(text()).toBe('ready'));
    port.write('x'.repeat(300));
    await new Promise<void>((resolve) => port.drain(() => resolve()));
    expect(board.pending).toBe(0);
    await close(port);
  });

  test('opening resets the board, unless DTR was left up', async () => {
    await plug(await uno());
    const first = await open({ hupcl: false });
    await until(() => expect(first.text()).toBe('ready'));
    await close(first.port);

    const second = await open({ hupcl: true });
    second.port.write('?');
    await until(() => expect(second.text()).toBe('?'));
    await close(second.port);

    const third = await open();
    await until(() => expect(third.text()).toBe('ready'));
    await new Promise((resolve) => third.port.set({ dtr: false }, resolve));
    await new Promise((resolve) => third.port.set({ dtr: true }, resolve));
    await until(() => expect(third.text()).toBe('readyready'));
    await close(third.port);
  });

  test('a board without auto-reset runs on', async () => {
    const board = await uno();
    await plug(board, { autoReset: false });
    await until(() => expect(board.ms).toBeGreaterThan(5));
    const { port, text } = await open();
    port.write('?');
    await until(() => expect(text()).toMatch(/\?$/));
    expect(text()).toBe('?');
    await close(port);
  });

  test('unplugging is a lost device, and the port can be opened again after plugging in', async () => {
    const board = await uno();
    await plug(board);
    const { port, text } = await open();
    await until(() => expect(text()).toBe('ready'));
    const closed = once(port, 'close');
    ports.unplug(PATH);
    expect((await closed)[0]).toMatchObject({ disconnected: true });
    expect(port.isOpen).toBe(false);
    expect(board.running).toBe(false);
    await expect(open()).rejects.toThrow(/No such file or directory, cannot open/);

    ports.plug(PATH, board);
    const again = await open();
    await until(() => expect(again.text()).toBe('ready'));
    await close(again.port);
  });

  test('a write that waits when the board is unplugged fails', async () => {
    await plug(await uno('int main(void) { for (;;) {} }'));
    const { port } = await open();
    const failed = new Promise<Error | null | undefined>((resolve) =>
      port.write(Buffer.alloc(20_000), resolve),
    );
    port.on('error', () => {}); // The stream tells of it twice.
    ports.unplug(PATH);
    expect((await failed)?.message).toMatch(/unplugged/);
  });

  test('a port opens once at a time', async () => {
    await plug(await uno());
    const { port } = await open();
    await expect(open()).rejects.toThrow(/Cannot lock port/);
    await close(port);
    const again = await open();
    await close(again.port);
  });

  test('counts what a program does not read', async () => {
    const counters = new Counters();
    const board = await uno(
      'int main(void) { UBRR0 = 0; UCSR0A = 2; UCSR0B = 1 << TXEN0; for (;;) put(0); }',
    );
    ports = new VirtualPorts(counters);
    ports.plug(PATH, board);
    plugged.push({ path: PATH });
    const binding = await ports.open({ path: PATH, baudRate: 115200 });
    await until(() => expect(counters.get('uno.drop.unread')).toBeGreaterThan(0));
    const buffer = Buffer.alloc(100_000);
    expect((await binding.read(buffer, 0, buffer.length)).bytesRead).toBe(64 * 1024);
    await binding.close();
  });

  test('answers the questions that a port is asked', async () => {
    const board = await uno();
    await plug(board);
    // The gateway's serial links take their ports from a function of this type.
    const openPort: OpenPort = (options) => ports.serialPort(options);
    expect(openPort({ path: PATH, baudRate: 9600, hupcl: true, lock: true, autoOpen: false }).isOpen).toBe(
      false,
    );

    const port = await ports.open({ path: PATH, baudRate: 9600 });
    await port.update({ baudRate: 115200 });
    expect(await port.getBaudRate()).toEqual({ baudRate: 115200 });
    expect(await port.get()).toEqual({ cts: true, dsr: true, dcd: false });
    await until(() => expect(board.ms).toBeGreaterThan(5));
    void port.write(Buffer.alloc(4000));
    await port.flush();
    expect(board.pending).toBe(0);
    await port.close();
    await expect(port.get()).rejects.toMatchObject({ canceled: true });
    await expect(port.close()).rejects.toThrow(/not open/);
  });

  test('lists the boards, and has one at a path', async () => {
    const board = await uno();
    await plug(board);
    expect(await ports.list()).toMatchObject([{ path: PATH, serialNumber: 'virtual-uno', vendorId: '2341' }]);
    expect(() => ports.plug(PATH, board)).toThrow(/already at \/dev\/virtual-uno/);
    ports.unplug(PATH);
    ports.unplug(PATH);
    expect(await ports.list()).toEqual([]);
  });
});
