import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFailed, onTestFinished } from 'vitest';
import type { Client } from '../../../src/client/client.js';
import { openPty } from '../../../src/simulator/pty.js';
import { connectTo, freePort, until } from '../../support/gateways.js';
import { LossyUdp } from '../../support/lossy-udp.js';
import { type Program, slipway } from '../../support/programs.js';
import type { Random } from '../../support/random.js';
import { UdpDevice } from '../../support/udp-device.js';
import type { Ledger } from './ledger.js';
import { overTcp, overUdp, Sender, UnoSender } from './senders.js';

/** Of datagrams, each way, between the UDP devices and their gateway. */
const WEATHER = { loss: 0.05, duplicate: 0.02, late: 0.05 };
/** How many of what it logged is shown when the test fails. */
const SHOWN_LINES = 60;

export interface SiteOptions {
  /** The entries of `bridges` in its config. */
  readonly bridges?: readonly object[];
  /** Names of its serial ports, where boards can be plugged in. */
  readonly ports?: readonly string[];
  /** Default: it keeps all in one. */
  readonly store?: boolean;
  /** Other sections of its config. */
  readonly more?: object;
}

/** A gateway as people run it: `slipway run` with a config file and a store, which can be killed and started again. */
export class Site {
  readonly name: string;
  readonly #folder: string;
  readonly #tcp: number;
  readonly #udp: number;
  /** What it logged in the lives that are over. */
  readonly #past: string[] = [];
  #daemon: Program | undefined;

  /** It ends with the test. */
  static async start(name: string, options: SiteOptions = {}): Promise<Site> {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-site-'));
    const site = new Site(name, folder, await freePort(), await freePort());
    await writeFile(join(folder, 'slipway.yaml'), JSON.stringify(site.#config(options)));
    onTestFailed(() => console.log(`${name}:\n${site.log.slice(-SHOWN_LINES).join('\n')}`));
    onTestFinished(async () => {
      await site.kill();
      await rm(folder, { recursive: true, force: true });
    });
    await site.start();
    return site;
  }

  private constructor(name: string, folder: string, tcp: number, udp: number) {
    this.name = name;
    this.#folder = folder;
    this.#tcp = tcp;
    this.#udp = udp;
  }

  /** Everything that it logged, in all its lives. */
  get log(): string[] {
    const now = this.#daemon ? [...this.#daemon.lines, ...this.#daemon.stderr.split('\n')] : [];
    return [...this.#past, ...now].filter((line) => line !== '');
  }

  get pid(): number | undefined {
    return this.#daemon?.child.pid;
  }

  /** Starts it again; resolves when it listens. */
  async start(): Promise<void> {
    this.#daemon = slipway(['run', '-c', 'slipway.yaml'], this.#folder);
    await this.#daemon.prints(/listening on TCP/i);
  }

  /** `kill -9`. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** Its disk is lost, and with it the store; to be called while it does not run. */
  async loseStore(): Promise<void> {
    await rm(join(this.#folder, 'store'), { recursive: true });
  }

  /** A program at this gateway that comes back, for as long as the test runs, and so does its session. */
  client(identity: string): Promise<Client> {
    return connectTo({ host: '127.0.0.1', port: this.#tcp }, { identity, timeoutMs: 30_000, expiry: 3600 });
  }

  /** A program that sends on `load/NAME`. */
  async tcpSender(ledger: Ledger, name: string, qos: 1 | 2, rate?: number): Promise<Sender> {
    return new Sender(ledger.sender(name, qos), overTcp(await this.client(name), `load/${name}`, qos), rate);
  }

  /** A device behind a network that loses, repeats and reorders; it sends on `load/NAME`. */
  async udpSender(ledger: Ledger, name: string, qos: 1 | 2, random: Random, rate?: number): Promise<Sender> {
    const network = await LossyUdp.to({ host: '127.0.0.1', port: this.#udp }, WEATHER, random);
    const device = new UdpDevice(name);
    await device.connect(network.address);
    return new Sender(ledger.sender(name, qos), overUdp(device, `load/${name}`, qos), rate);
  }

  /** A virtual Uno on the port `name`, which must be one of its ports; it sends on `load/NAME`. */
  async unoSender(ledger: Ledger, name: string, qos: 1 | 2, everyMs: number): Promise<UnoSender> {
    const sender = await UnoSender.make(ledger, name, qos, everyMs);
    const pty = await openPty(sender.uno, this.#portPath(name));
    onTestFinished(() => pty.close());
    sender.power();
    await holds(
      () => this.log.some((line) => line.includes(`${name} is online`)),
      () => `the board ${name} does not come online`,
    );
    return sender;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const daemon = this.#daemon;
    if (!daemon) return;
    daemon.child.kill(signal);
    await daemon.ended;
    this.#past.push(...this.log.slice(this.#past.length), `--- ${signal} ---`);
    this.#daemon = undefined;
  }

  #portPath(name: string): string {
    return join(this.#folder, `tty-${name}`);
  }

  #config({ bridges, ports = [], store = true, more = {} }: SiteOptions): object {
    return {
      version: 1,
      ...(bridges && { gateway: this.name, bridges }),
      listen: { tcp: { port: this.#tcp }, udp: { port: this.#udp } },
      serial: ports.map((name) => ({ name, path: this.#portPath(name) })),
      ...(store && { store: { path: 'store' } }),
      log: { format: 'json' },
      ...more,
    };
  }
}

/** Waits until the condition holds. */
export function holds(condition: () => boolean, what: () => string): Promise<void> {
  return until(() => {
    if (!condition()) throw new Error(what());
  });
}
