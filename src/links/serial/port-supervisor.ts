import type { Logger } from 'pino';
import type { Clock } from '../../clock.js';
import { Counters } from '../../counters.js';
import { reasonOf } from '../../errors.js';
import type { LinkEvents } from '../link.js';
import type { PortClaims } from './claims.js';
import { describeWanted, type FoundPort, findPorts, isPresent, type WantedPort } from './discovery.js';
import { type ListPorts, listPorts } from './list-ports.js';
import { explainOpenError, isSettling } from './open-error.js';
import { type OpenPort, openSerialPort, type PortStream, shut } from './port.js';
import { type DtrPolicy, preparePort } from './prepare-port.js';
import { SerialLink, serialLinkName } from './serial-link.js';

/** How often a missing port is looked for, and an open one is checked: a broken port may say nothing. */
const POLL_MS = 1000;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 5000;
/** A port that stayed open for so long is tried again at once when it is lost. */
const STEADY_MS = 5000;
/** A port that is lost, and one that was never there, are one problem to be said once. */
const MISSING = 'missing';

/** One port of the config. */
export interface SerialPortConfig extends WantedPort {
  readonly name: string;
  readonly baud: number;
  readonly dtr: DtrPolicy;
  /** Linux: asks the adapter not to hold back what it receives. */
  readonly low_latency: boolean;
}

export interface PortSupervisorOptions {
  readonly config: SerialPortConfig;
  /** A port was opened; what is returned hears of the packets and lines that arrive, and of the end. */
  readonly onLink: (link: SerialLink) => LinkEvents;
  readonly log: Logger;
  readonly counters: Counters;
  readonly clock: Clock;
  /** Shared by all supervisors of a gateway. */
  readonly claims: PortClaims;
  /** The ports of this machine, unless others are given. */
  readonly openPort?: OpenPort;
  readonly listPorts?: ListPorts;
  /** The largest packet in bytes. */
  readonly maxPacket: number;
  /** The most bytes that wait to be written. */
  readonly maxBacklog: number;
}

export interface PortStatus {
  readonly state: 'waiting' | 'open' | 'closed';
  /** The device, while it is open. */
  readonly device?: string;
  /** Why it is not open. */
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

/**
 * Keeps one configured port open: waits for it, opens it, opens it again when it was lost, for as long as the gateway
 * runs. Never throws; says once what is wrong and once when it is right again.
 */
export class PortSupervisor {
  readonly #options: PortSupervisorOptions;
  readonly #config: SerialPortConfig;
  readonly #log: Logger;
  readonly #openPort: OpenPort;
  readonly #listPorts: ListPorts;
  /** What is counted of this port, and of all ports with it. */
  readonly #counters: Counters;
  #status: PortStatus = { state: 'waiting' };
  /** The kind of problem that was said last, until the port opens. */
  #complaint: string | undefined;
  #backoff = FIRST_BACKOFF_MS;
  #stopped = false;
  #wake = () => {};
  #link: SerialLink | undefined;
  #running: Promise<void> | undefined;

  constructor(options: PortSupervisorOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#log = options.log.child({ port: options.config.name });
    this.#openPort = options.openPort ?? openSerialPort;
    this.#listPorts = options.listPorts ?? listPorts;
    this.#counters = new Counters(options.counters);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** The name that its links have. */
  get link(): string {
    return serialLinkName(this.#config.name);
  }

  get report(): PortReport {
    const open = this.#status.state === 'open' && { baud: this.#config.baud };
    return {
      ...this.#status,
      path: describeWanted(this.#config),
      ...open,
      counters: this.#counters.snapshot(),
    };
  }

  get status(): PortStatus {
    return this.#status;
  }

  /** Writes out what is queued, closes the port and stops looking for it. Calling it again waits for the same. */
  async close(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#link?.close();
    await this.#running;
    this.#status = { state: 'closed' };
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const found = await this.#find();
      // Opening may reset the board: not for nothing.
      if (this.#stopped) return;
      if (found === undefined) {
        this.#backoff = FIRST_BACKOFF_MS;
        await this.#pause(POLL_MS);
      } else {
        await this.#serve(found);
        this.#options.claims.release(found.device, this.#config.name);
        await this.#pause(this.#backoff);
        this.#backoff = Math.min(this.#backoff * 2, LONGEST_BACKOFF_MS);
      }
    }
  }

  /** The first port that fits and that no other entry has, claimed; says so when there is none. */
  async #find(): Promise<FoundPort | undefined> {
    const { claims } = this.#options;
    try {
      const ports = await findPorts(this.#config, this.#listPorts);
      const free = ports.find(({ device }) => claims.claim(device, this.#config.name));
      const taken = ports[0];
      if (free === undefined && taken !== undefined) {
        this.#complain(`${taken.path} is already used by port ${claims.holder(taken.device)}`);
      } else if (free === undefined) {
        this.#complain(`waiting for ${describeWanted(this.#config)}: it is not plugged in`, MISSING);
      }
      return free;
    } catch (error) {
      this.#complain(`the serial ports of this machine cannot be listed: ${reasonOf(error)}`);
      return undefined;
    }
  }

  async #serve(found: FoundPort): Promise<void> {
    const { clock } = this.#options;
    const port = await this.#open(found);
    if (port === undefined) return;
    if (this.#stopped) return shut(port);
    const opened = clock.now();
    const link = new SerialLink(port, {
      ...this.#options,
      name: this.#config.name,
      counters: this.#counters,
    });
    this.#link = link;
    this.#counters.add('serial.opened');
    this.#complaint = undefined;
    this.#status = { state: 'open', device: found.device };
    const { path, device } = found;
    this.#log.info({ path, device, baud: this.#config.baud }, `port ${this.#config.name} is open`);
    link.start(this.#options.onLink(link));
    const stopWatching = this.#watch(link, found.device);
    const reason = await link.gone;
    stopWatching();
    this.#link = undefined;
    if (this.#stopped) return;
    this.#counters.add('serial.lost');
    if (clock.now() - opened >= STEADY_MS) this.#backoff = FIRST_BACKOFF_MS;
    this.#complain(`${path} was lost (${reason}); waiting for it to come back`, MISSING);
  }

  async #open({ path, device }: FoundPort): Promise<PortStream | undefined> {
    const { clock } = this.#options;
    const { baud, dtr, low_latency } = this.#config;
    try {
      const hupcl = dtr === 'always';
      const port = this.#openPort({ path: device, baudRate: baud, hupcl, lock: true, autoOpen: false });
      // Until the link listens: an error that nobody hears would end the process.
      port.on('error', () => {});
      await new Promise<void>((resolve, reject) => {
        port.open((error) => (error ? reject(error) : resolve()));
      });
      const failures = await preparePort(port, { device, dtr, low_latency }, clock);
      if (failures.length > 0) this.#log.debug({ failures }, `port ${this.#config.name} lacks some lines`);
      return port;
    } catch (error) {
      this.#counters.add('serial.open_failed');
      const problem = await explainOpenError(error, path, baud);
      const early = problem.code === 'serial_permission' && (await isSettling(device, clock.wallTime()));
      if (!early) this.#complain(problem.message);
      return undefined;
    }
  }

  /** Ends the link when its device is gone, which a broken port itself may only notice at the next write. */
  #watch(link: SerialLink, device: string): () => void {
    const { clock } = this.#options;
    let cancel = () => {};
    let watching = true;
    const check = async () => {
      const present = await isPresent(device, this.#listPorts).catch(() => true);
      if (!watching) return;
      if (present) cancel = clock.schedule(POLL_MS, () => void check());
      else link.lost('the device is gone');
    };
    cancel = clock.schedule(POLL_MS, () => void check());
    return () => {
      watching = false;
      cancel();
    };
  }

  /** Says what is wrong, unless the last thing said was of the same kind. */
  #complain(problem: string, kind = problem): void {
    if (this.#complaint === kind) return;
    this.#complaint = kind;
    this.#status = { state: 'waiting', problem };
    this.#log.warn(`port ${this.#config.name}: ${problem}`);
  }

  async #pause(ms: number): Promise<void> {
    if (this.#stopped) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.schedule(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
