import { access, readdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SerialPort } from 'serialport';

/** A serial port that is there. Ids are four lower-case hexadecimal digits. */
export interface PortDescription {
  /** `/dev/ttyACM0`, `COM3`: may change with the next plug. */
  readonly path: string;
  /** `/dev/serial/by-id/…`: stays with the board. */
  readonly stablePath?: string;
  readonly vendorId?: string;
  readonly productId?: string;
  readonly serialNumber?: string;
  readonly manufacturer?: string;
}

export type ListPorts = () => Promise<PortDescription[]>;

/**
 * The serial ports of this machine, by path. On Linux they are read from `/sys`, which costs no process and needs no
 * `udevadm`, as the package's own list would; that list serves elsewhere. Rejects when neither can be had.
 */
export const listPorts: ListPorts = async () => {
  const listed = process.platform === 'linux' ? await listFromFiles('/sys', '/dev') : undefined;
  const ports = listed ?? (await listFromPackage());
  return ports.sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }));
};

async function listFromPackage(): Promise<PortDescription[]> {
  const ports = await SerialPort.list();
  return ports.map(({ path, vendorId, productId, serialNumber, manufacturer }) =>
    describe({ path, vendorId, productId, serialNumber, manufacturer }),
  );
}

/** The ports that `<sys>/class/tty` knows and `<dev>` has; undefined when there is no such folder. */
export async function listFromFiles(sys: string, dev: string): Promise<PortDescription[] | undefined> {
  const folder = join(sys, 'class/tty');
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) return undefined;
  const stablePaths = await readStablePaths(dev);
  const ports = await Promise.all(
    names.map((name) => describeTty(join(folder, name), join(dev, name), stablePaths)),
  );
  return ports.filter((port) => port !== undefined);
}

async function describeTty(
  tty: string,
  path: string,
  stablePaths: ReadonlyMap<string, string>,
): Promise<PortDescription | undefined> {
  // Consoles and pseudo-terminals have no device; a UART of type 0 is a socket with no chip in it.
  const device = await realpath(join(tty, 'device')).catch(() => undefined);
  if (device === undefined || (await read(join(tty, 'type'))) === '0') return undefined;
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return undefined;
  const usb = await usbFolder(device);
  const attribute = async (name: string) => (usb === undefined ? undefined : read(join(usb, name)));
  return describe({
    path,
    stablePath: stablePaths.get(real),
    vendorId: await attribute('idVendor'),
    productId: await attribute('idProduct'),
    serialNumber: await attribute('serial'),
    manufacturer: await attribute('manufacturer'),
  });
}

/** The nearest folder above an interface that describes a USB device. */
async function usbFolder(device: string): Promise<string | undefined> {
  for (let folder = device; folder !== dirname(folder); folder = dirname(folder)) {
    const found = await access(join(folder, 'idVendor')).then(
      () => true,
      () => false,
    );
    if (found) return folder;
  }
  return undefined;
}

/** By real path, the name under `/dev/serial/by-id`. */
async function readStablePaths(dev: string): Promise<Map<string, string>> {
  const folder = join(dev, 'serial/by-id');
  const byDevice = new Map<string, string>();
  for (const name of await readdir(folder).catch(() => [])) {
    const real = await realpath(join(folder, name)).catch(() => undefined);
    if (real !== undefined) byDevice.set(real, join(folder, name));
  }
  return byDevice;
}

async function read(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trim() || undefined;
}

/** Leaves out what is not known, and brings ids into one form. */
function describe(
  port: { [Key in keyof PortDescription]: PortDescription[Key] | undefined },
): PortDescription {
  const { vendorId, productId } = port;
  const known = { ...port, vendorId: vendorId && usbId(vendorId), productId: productId && usbId(productId) };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value)) as unknown as PortDescription;
}

/** `0x2341`, `2341` and `43` as `2341` and `0043`. */
export function usbId(text: string): string {
  return text.toLowerCase().replace(/^0x/, '').padStart(4, '0');
}
