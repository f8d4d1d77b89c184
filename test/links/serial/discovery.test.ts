import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boardName } from '../../../src/links/serial/boards.js';
import { PortClaims } from '../../../src/links/serial/claims.js';
import { describeWanted, findPorts, isPresent } from '../../../src/links/serial/discovery.js';
import { type ListPorts, listFromFiles, usbId } from '../../../src/links/serial/list-ports.js';

/** A small `/sys` and `/dev`: an Uno, an adapter without serial number, a UART, an empty UART and a console. */
let root: string;
let list: ListPorts;
const dev = (name: string) => join(root, 'dev', name);

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'slipway-ports-'));
  const uno = 'sys/devices/usb1/1-1';
  await put(`${uno}/idVendor`, '2341\n');
  await put(`${uno}/idProduct`, '0043\n');
  await put(`${uno}/serial`, '75330303\n');
  await put(`${uno}/manufacturer`, 'Arduino (www.arduino.cc)\n');
  await put(`${uno}/1-1:1.0/here`, '');
  await put('sys/devices/usb1/1-2/idVendor', '1a86\n');
  await put('sys/devices/usb1/1-2/idProduct', '7523\n');
  await put('sys/devices/usb1/1-2/1-2:1.0/ttyUSB0/here', '');
  await put('sys/devices/uart/here', '');
  for (const [name, device] of [
    ['ttyACM0', 'usb1/1-1/1-1:1.0'],
    ['ttyUSB0', 'usb1/1-2/1-2:1.0/ttyUSB0'],
    ['ttyS0', 'uart'],
    ['ttyS1', 'uart'],
    ['ttyUSB9', 'uart'],
  ] as const) {
    await mkdir(join(root, 'sys/class/tty', name), { recursive: true });
    await symlink(join(root, 'sys/devices', device), join(root, 'sys/class/tty', name, 'device'));
    if (name !== 'ttyUSB9') await put(`dev/${name}`, '');
  }
  await put('sys/class/tty/ttyS0/type', '4\n');
  await put('sys/class/tty/ttyS1/type', '0\n');
  await put('sys/class/tty/tty1/dev', '4:1\n');
  await put('dev/tty1', '');
  await mkdir(dev('serial/by-id'), { recursive: true });
  await symlink('../../ttyACM0', dev('serial/by-id/usb-Arduino_0043_75330303-if00'));
  list = async () => (await listFromFiles(join(root, 'sys'), join(root, 'dev'))) ?? [];
});
afterAll(() => rm(root, { recursive: true }));

describe('the list of ports', () => {
  it('has what is plugged in, with its ids and its stable name', async () => {
    const ports = new Map((await list()).map((port) => [port.path, port]));
    expect([...ports.keys()].sort()).toEqual([dev('ttyACM0'), dev('ttyS0'), dev('ttyUSB0')]);
    expect(ports.get(dev('ttyACM0'))).toEqual({
      path: dev('ttyACM0'),
      stablePath: dev('serial/by-id/usb-Arduino_0043_75330303-if00'),
      vendorId: '2341',
      productId: '0043',
      serialNumber: '75330303',
      manufacturer: 'Arduino (www.arduino.cc)',
    });
    expect(ports.get(dev('ttyUSB0'))).toEqual({ path: dev('ttyUSB0'), vendorId: '1a86', productId: '7523' });
    expect(ports.get(dev('ttyS0'))).toEqual({ path: dev('ttyS0') });
  });

  it('is not to be had without /sys', async () => {
    expect(await listFromFiles(join(root, 'nowhere'), join(root, 'dev'))).toBeUndefined();
  });

  it('knows boards by their ids, then by their maker', () => {
    expect(boardName({ path: 'x', vendorId: '2341', productId: '0043' })).toBe('Arduino Uno R3');
    expect(boardName({ path: 'x', vendorId: '2341', productId: 'ffff' })).toBe('Arduino board');
    expect(boardName({ path: 'x', vendorId: 'ffff', productId: '0001', manufacturer: 'Acme' })).toBe('Acme');
    expect(boardName({ path: 'x' })).toBeUndefined();
  });
});

describe('a wanted port', () => {
  const devices = async (wanted: Parameters<typeof findPorts>[0]) =>
    (await findPorts(wanted, list)).map((port) => port.device);

  it('is found by path, symlink or glob, each device once', async () => {
    const uno = dev('ttyACM0');
    expect(await devices({ path: uno })).toEqual([uno]);
    expect(await devices({ path: dev('serial/by-id/usb-Arduino_0043_75330303-if00') })).toEqual([uno]);
    expect(await devices({ path: dev('serial/by-id/usb-Ard*') })).toEqual([uno]);
    expect(await devices({ path: dev('tty[AU]*') })).toEqual([uno, dev('ttyUSB0')]);
    expect(await devices({ path: dev('ttyACM7') })).toEqual([]);
  });

  it('is found by what its USB device says', async () => {
    expect(await devices({ usb: { serial_number: '75330303' } })).toEqual([dev('ttyACM0')]);
    expect(await devices({ usb: { vendor_id: '1A86' } })).toEqual([dev('ttyUSB0')]);
    expect(await devices({ usb: { vendor_id: '0x2341', product_id: '43' } })).toEqual([dev('ttyACM0')]);
    expect(await devices({ usb: { vendor_id: '2341', product_id: '0001' } })).toEqual([]);
    expect(await devices({ path: dev('tty*'), usb: { vendor_id: '1a86' } })).toEqual([dev('ttyUSB0')]);
    expect((await findPorts({ usb: { vendor_id: '2341' } }, list))[0]?.path).toBe(
      dev('serial/by-id/usb-Arduino_0043_75330303-if00'),
    );
  });

  it('may be no file but a name in the list', async () => {
    const com: ListPorts = async () => [{ path: 'COM3' }];
    expect(await findPorts({ path: 'COM3' }, com)).toEqual([{ path: 'COM3', device: 'COM3' }]);
    expect(await findPorts({ path: 'COM4' }, com)).toEqual([]);
    expect(await isPresent('COM3', com)).toBe(true);
    expect(await isPresent('COM4', com)).toBe(false);
  });

  it('is described as it was asked for', () => {
    expect(describeWanted({ path: '/dev/ttyUSB*' })).toBe('/dev/ttyUSB*');
    expect(describeWanted({ usb: { vendor_id: '2341', product_id: '0043' } })).toBe(
      'USB vendor 2341, USB product 0043',
    );
    expect(describeWanted({})).toBe('any serial port');
    expect(usbId('0X2341')).toBe('2341');
  });
});

describe('claims', () => {
  it('give a device to one entry at a time', () => {
    const claims = new PortClaims();
    expect(claims.claim('/dev/ttyACM0', 'a')).toBe(true);
    expect(claims.claim('/dev/ttyACM0', 'a')).toBe(true);
    expect(claims.claim('/dev/ttyACM0', 'b')).toBe(false);
    expect(claims.holder('/dev/ttyACM0')).toBe('a');
    claims.release('/dev/ttyACM0', 'b');
    expect(claims.holder('/dev/ttyACM0')).toBe('a');
    claims.release('/dev/ttyACM0', 'a');
    expect(claims.claim('/dev/ttyACM0', 'b')).toBe(true);
  });
});
