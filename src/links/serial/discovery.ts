import { realpath } from 'node:fs/promises';
import { expandGlob, isGlob } from './glob.js';
import { type ListPorts, type PortDescription, usbId } from './list-ports.js';

/** Which port is meant: all that is given must fit. */
export interface WantedPort {
  /** A path, or a glob of paths. */
  readonly path?: string | undefined;
  readonly usb?: WantedUsb | undefined;
}

export interface WantedUsb {
  readonly serial_number?: string | undefined;
  /** Hexadecimal, `2341` or `0x2341`. */
  readonly vendor_id?: string | undefined;
  readonly product_id?: string | undefined;
}

export interface FoundPort {
  /** The path by which it was found: a symlink, perhaps. */
  readonly path: string;
  /** The device behind it: two paths of one port have one device. */
  readonly device: string;
}

/** The ports that fit, each device once, in a fixed order. Rejects when ports must be listed and cannot be. */
export async function findPorts(wanted: WantedPort, listPorts: ListPorts): Promise<FoundPort[]> {
  let found = wanted.path === undefined ? undefined : await findByPath(wanted.path, listPorts);
  if (wanted.usb !== undefined || found === undefined) {
    const usb = wanted.usb ?? {};
    const listed = await Promise.all((await listPorts()).filter((port) => fits(port, usb)).map(resolve));
    found = found?.filter(({ device }) => listed.some((port) => port.device === device)) ?? listed;
  }
  const byDevice = new Map<string, FoundPort>();
  for (const port of found) if (!byDevice.has(port.device)) byDevice.set(port.device, port);
  return [...byDevice.values()];
}

async function findByPath(path: string, listPorts: ListPorts): Promise<FoundPort[]> {
  if (isGlob(path)) return Promise.all((await expandGlob(path)).map((match) => resolve({ path: match })));
  const port = await resolve({ path });
  return (await isPresent(port.device, listPorts)) ? [port] : [];
}

/** Whether the device is still there: as a file, or for what is none (`COM3`, a virtual port) in the list. */
export async function isPresent(device: string, listPorts: ListPorts): Promise<boolean> {
  if (await realpath(device).catch(() => undefined)) return true;
  return (await listPorts()).some((port) => port.path === device);
}

function fits(port: PortDescription, usb: WantedUsb): boolean {
  return (
    (usb.serial_number === undefined || usb.serial_number === port.serialNumber) &&
    (usb.vendor_id === undefined || usbId(usb.vendor_id) === port.vendorId) &&
    (usb.product_id === undefined || usbId(usb.product_id) === port.productId)
  );
}

async function resolve(port: { readonly path: string; readonly stablePath?: string }): Promise<FoundPort> {
  const device = await realpath(port.path).catch(() => port.path);
  return { path: port.stablePath ?? port.path, device };
}

/** What a port's status says while nothing that fits was ever there. */
export function describeMissing(wanted: WantedPort): string {
  return `waiting for ${describeWanted(wanted)}: it is not plugged in`;
}

/** For log lines: what was looked for. */
export function describeWanted({ path, usb }: WantedPort): string {
  const parts = [path];
  if (usb?.serial_number !== undefined) parts.push(`USB serial number ${usb.serial_number}`);
  if (usb?.vendor_id !== undefined) parts.push(`USB vendor ${usb.vendor_id}`);
  if (usb?.product_id !== undefined) parts.push(`USB product ${usb.product_id}`);
  return parts.filter((part) => part !== undefined).join(', ') || 'any serial port';
}
