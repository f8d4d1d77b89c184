import { type Clock, systemClock } from '../clock.js';
import { type ListPorts, listPorts } from '../links/serial/list-ports.js';
import { type OpenPort, openSerialPort } from '../links/serial/port.js';

/** The machine as the doctor sees it. */
export interface Host {
  /** Where Linux shows its processes, its devices and what udev knows. */
  readonly proc: string;
  readonly sys: string;
  readonly run: string;
  readonly listPorts: ListPorts;
  readonly openPort: OpenPort;
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
  /** Told of what takes long. */
  readonly progress: (text: string) => void;
}

/** This machine. */
export const thisHost: Host = {
  proc: '/proc',
  sys: '/sys',
  run: '/run',
  listPorts,
  openPort: openSerialPort,
  clock: systemClock,
  env: process.env,
  progress: () => undefined,
};
