import type { Logger } from 'pino';
import type { Clock } from '../../clock.js';
import { Counters } from '../../counters.js';
import { reasonOf } from '../../errors.js';
import type { LinkEvents } from '../link.js';
import type { PortClaims } from './claims.js';
import { Complaints } from './complaints.js';
import { watchDevice } from './device-watch.js';
import { sentence } from './diagnosis.js';
import { describeMissing, describeWanted, type FoundPort, findPorts } from './discovery.js';
import { diagnoseLine } from './line-fault.js';
import { LineMonitor } from './line-monitor.js';
import { type ListPorts, listPorts } from './list-ports.js';
import { explainOpenError, isBusy, isSettling } from './open-error.js';
import { openPrepared } from './open-port.js';
import { type OpenPort, openSerialPort, type PortStream, shut } from './port.js';
import type { PortReport, PortStatus, SerialPortConfig } from './port-status.js';
import { RateSearch } from './rate-search.js';
import { SerialLink, serialLinkName } from './serial-link.js';

/** How often a missing port is looked for, and an open one is checked: a broken port may say nothing. */
const POLL_MS = 1000;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 5000;
/** Pauses are longer or shorter by up to this part of them, so that many ports do not move in step. */
const JITTER = 0.25;
/** A port that stayed open for so long is tried again at once when it is lost. */
const STEADY_MS = 5000;
/** A port that is lost, and one that was never there, are one problem to be said once. */
const MISSING = 'missing';
const BUSY = 'busy';
/** A port that is lost so often in a row, each time within `STEADY_MS`, is said to be unsteady, and no more. */
const UNSTEADY_LOSSES = 3;
const UNSTEADY = 'unsteady';

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
  /** From 0 to 1, for the jitter. */
  readonly random?: () => number;
}

/**
 * Keeps one configured port open: waits for it, opens it, finds its rate, opens it again when it was lost, for as long as
 * the gateway runs. Never throws; says once what is wrong and once when it is right again.
 */
export class PortSupervisor {
  readonly #options: PortSupervisorOptions;
  readonly #config: SerialPortConfig;
  readonly #log: Logger;
  readonly #openPort: OpenPort;
  readonly #listPorts: ListPorts;
  /** What is counted of this port, and of all ports with it. */
  readonly #counters: Counters;
  readonly #complaints: Complaints;
  /** Remembers the rate that was right, also while the port is away. */
  readonly #search: RateSearch;
  #device: string | undefined;
  #backoff = FIRST_BACKOFF_MS;
  /** How often in a row the port was lost soon after it was opened. */
  #soonLost = 0;
  /** The rate that the log spoke of last. */
  #rateSaid: number | undefined;
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
    this.#complaints = new Complaints(this.#log, options.config.name);
    this.#search = new RateSearch(options.config.baud);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** The name that its links have. */
  get link(): string {
    return serialLinkName(this.#config.name);
  }

  get status(): PortStatus {
    const { problem } = this.#complaints;
    const closed = this.#stopped && this.#link === undefined;
    if (closed) return { state: 'closed' };
    const state = this.#device === undefined ? 'waiting' : 'open';
    return { state, ...(this.#device && { device: this.#device }), ...(problem && { problem }) };
  }

  get report(): PortReport {
    const { status } = this;
    const rate = status.state === 'open' && { baud: this.#search.rate };
    return { ...status, path: describeWanted(this.#config), ...rate, counters: this.#counters.snapshot() };
  }

  /** Writes out what is queued, closes the port and stops looking for it. Calling it again waits for the same. */
  async close(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#link?.close();
    await this.#running;
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
        this.#complaints.complain(`${taken.path} is already used by port ${claims.holder(taken.device)}`);
      } else if (free === undefined && !this.#complaints.stands(UNSTEADY)) {
        this.#complaints.complain(describeMissing(this.#config), MISSING);
      }
      return free;
    } catch (error) {
      this.#complaints.complain(`the serial ports of this machine cannot be listed: ${reasonOf(error)}`);
      return undefined;
    }
  }

  async #serve(found: FoundPort): Promise<void> {
    const { clock } = this.#options;
    const port = await this.#open(found);
    if (port === undefined) return;
    if (this.#stopped) return shut(port);
    const opened = clock.now();
    this.#device = found.device;
    this.#counters.add('serial.opened');
    const link = this.#listen(port, found);
    const stopWatching = watchDevice(found.device, POLL_MS, this.#listPorts, clock, {
      present: () => {
        if (clock.now() - opened >= STEADY_MS) this.#steady();
      },
      gone: () => link.lost('the device is gone'),
    });
    const reason = await link.gone;
    stopWatching();
    this.#link = undefined;
    this.#device = undefined;
    if (this.#stopped) return;
    this.#counters.add('serial.lost');
    this.#sayLost(found, reason, clock.now() - opened);
  }

  /** Puts a link on the open port, and somebody beside it who finds the rate and what is wrong with the line. */
  #listen(port: PortStream, found: FoundPort): SerialLink {
    const { clock, onLink } = this.#options;
    const { name, lines } = this.#config;
    const link: SerialLink = new SerialLink(port, {
      ...this.#options,
      name,
      counters: this.#counters,
      onBytes: (chunk) => monitor.bytes(chunk),
    });
    const monitor = new LineMonitor({
      search: this.#search,
      clock,
      mayBeSilent: lines?.emit !== undefined || lines?.listen !== undefined,
      rateChanged: () => this.#changeRate(port, link),
      understood: () => this.#understood(),
      fault: (fault) => this.#complaints.complain(sentence(diagnoseLine(fault, this.#config.baud)), fault),
      garbled: (line) => this.#counters.add('serial.noise.bytes', Buffer.byteLength(line)),
    });
    this.#link = link;
    this.#sayOpen(found);
    const events = monitor.between(onLink(link));
    link.start({
      ...events,
      closed: (reason) => {
        monitor.stop();
        events.closed(reason);
      },
    });
    return link;
  }

  #sayOpen({ path, device }: FoundPort): void {
    this.#rateSaid = this.#search.rate;
    if (this.#complaints.stands(UNSTEADY)) return;
    this.#complaints.settle();
    const { name } = this.#config;
    this.#log.info({ path, device, baud: this.#search.rate }, `port ${name} is open`);
  }

  #sayLost({ path }: FoundPort, reason: string, openMs: number): void {
    if (openMs >= STEADY_MS) {
      this.#backoff = FIRST_BACKOFF_MS;
      this.#soonLost = 0;
    } else if (++this.#soonLost >= UNSTEADY_LOSSES) {
      const mend = 'look at its plug, its cable and its power; it is tried again and again';
      return this.#complaints.complain(
        `${path} is lost each time within seconds (${reason}): ${mend}`,
        UNSTEADY,
      );
    }
    this.#complaints.complain(`${path} was lost (${reason}); waiting for it to come back`, MISSING);
  }

  #understood(): void {
    const { rate } = this.#search;
    const was = this.#complaints.settle();
    const news = this.#search.found && this.#rateSaid !== rate;
    this.#rateSaid = rate;
    const { name } = this.#config;
    if (was) this.#log.info({ baud: rate }, `port ${name}: the board is understood now, at ${rate} baud`);
    else if (news) this.#log.info({ baud: rate }, `port ${name}: the board speaks at ${rate} baud`);
  }

  /** Without closing the port, which would reset the board. */
  #changeRate(port: PortStream, link: SerialLink): void {
    link.rateChanged();
    const baudRate = this.#search.rate;
    this.#counters.add('serial.rate_changes');
    port.update({ baudRate }, (error) => {
      if (error) this.#log.debug({ baudRate }, `the port cannot run at ${baudRate} baud: ${error.message}`);
    });
  }

  async #open({ path, device }: FoundPort): Promise<PortStream | undefined> {
    const { clock } = this.#options;
    const { dtr, low_latency } = this.#config;
    const baudRate = this.#search.rate;
    try {
      const { port, lacks } = await openPrepared(
        this.#openPort,
        baudRate,
        { device, dtr, low_latency },
        clock,
      );
      if (lacks.length > 0) this.#log.debug({ lacks }, `port ${this.#config.name} lacks some lines`);
      return port;
    } catch (error) {
      this.#counters.add('serial.open_failed');
      await this.#sayOpenFailed(error, path, device, baudRate);
      return undefined;
    }
  }

  async #sayOpenFailed(error: unknown, path: string, device: string, baudRate: number): Promise<void> {
    const busy = isBusy(reasonOf(error));
    // Who it is takes a look at every process: once will do.
    if (busy && this.#complaints.stands(BUSY)) return;
    const problem = await explainOpenError(error, path, baudRate);
    if (problem.code === 'serial_baud' && this.#search.skip(this.#options.clock.now())) return;
    const now = this.#options.clock.wallTime();
    const early = problem.code === 'serial_permission' && (await isSettling(device, now));
    if (!early) this.#complaints.complain(problem.message, busy ? BUSY : problem.message);
  }

  #steady(): void {
    this.#soonLost = 0;
    if (!this.#complaints.stands(UNSTEADY)) return;
    this.#complaints.settle();
    this.#log.info({ device: this.#device }, `port ${this.#config.name} is open, and stays so`);
  }

  async #pause(ms: number): Promise<void> {
    if (this.#stopped) return;
    const { clock, random = Math.random } = this.#options;
    const jittered = ms * (1 + JITTER * (2 * random() - 1));
    await new Promise<void>((resolve) => {
      const cancel = clock.schedule(jittered, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
