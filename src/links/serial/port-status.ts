import type { WantedPort } from './discovery.js';
import type { DtrPolicy } from './prepare-port.js';

/** One port of the config. */
export interface SerialPortConfig extends WantedPort {
  readonly name: string;
  /** Rates to try, in bits a second; at least one. */
  readonly baud: readonly number[];
  readonly dtr: DtrPolicy;
  /** Linux: asks the adapter not to hold back what it receives. */
  readonly low_latency: boolean;
  /** Channels of a board that only prints lines, or only reads them. */
  readonly lines?: { readonly emit?: string; readonly listen?: string };
}

export interface PortStatus {
  readonly state: 'waiting' | 'open' | 'closed';
  /** The device, while it is open. */
  readonly device?: string;
  /** Why it is not open, or what is wrong on it. */
  readonly problem?: string;
}

/** A port as it is, for whoever watches it. */
export interface PortReport extends PortStatus {
  readonly path: string;
  /** Bits a second, while it is open. */
  readonly baud?: number;
  /** Everything counted of this port since the gateway started, `serial.` first. */
  readonly counters: Readonly<Record<string, number>>;
}
