import type { Clock } from '../../clock.js';
import { isPresent } from './discovery.js';
import type { ListPorts } from './list-ports.js';

export interface DeviceEvents {
  /** Each time that it was looked for and is there. */
  present(): void;
  /** It is there no more. Told once. */
  gone(): void;
}

/** Looks every `pollMs` whether a device is still there, which a broken port itself may never say. Returns what ends it. */
export function watchDevice(
  device: string,
  pollMs: number,
  listPorts: ListPorts,
  clock: Clock,
  events: DeviceEvents,
): () => void {
  let watching = true;
  let cancel = () => {};
  const check = async () => {
    // A list that cannot be had says nothing about the device.
    const present = await isPresent(device, listPorts).catch(() => true);
    if (!watching) return;
    if (!present) return events.gone();
    events.present();
    cancel = clock.schedule(pollMs, () => void check());
  };
  cancel = clock.schedule(pollMs, () => void check());
  return () => {
    watching = false;
    cancel();
  };
}
