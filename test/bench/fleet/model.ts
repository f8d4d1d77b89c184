import { CITED, FIGURES } from './figures.js';

/** A fleet, and what its devices do. */
export interface Fleet {
  readonly gateways: number;
  readonly devices: number;
  /** Readings of a device, an hour. */
  readonly readings: number;
  /** Commands to a device, an hour. */
  readonly commands: number;
  /** How often a device comes or goes, a day. */
  readonly changes: number;
  /** `keep_alive` of devices, s. */
  readonly keepAlive: number;
  /** `duplicate_window`, s. */
  readonly duplicateWindow: number;
  /** How long the upstream is away, s. */
  readonly outage: number;
}

export interface Line {
  readonly what: string;
  readonly grows: string;
  readonly value: string;
}

const HOUR = 3600;
const DAY = 86_400;
/** How often a gateway with presence says that it is alive, s. */
const BEACON = 10;
/** The most patterns that a gateway asks for (`src/bridges/interests.ts`). */
const MAX_PATTERNS = 1000;

const f = Object.fromEntries(Object.entries(FIGURES).map(([name, { value }]) => [name, value])) as Record<
  keyof typeof FIGURES,
  number
>;

/** What that fleet asks of a gateway and of its upstream. */
export function assess(fleet: Fleet): Line[] {
  const { gateways, devices } = fleet;
  const each = devices / gateways;
  const up = (devices * fleet.readings) / HOUR;
  const down = (devices * fleet.commands) / HOUR;
  const changes = (devices * fleet.changes) / DAY;
  const waiting = (up / gateways) * fleet.outage;
  const line = (what: string, grows: string, value: string): Line => ({ what, grows, value });
  return [
    line(
      '**a gateway**: memory, its sessions in a store',
      'its devices',
      bytes(f.gatewayBytes + f.bridgeBytes + each * (f.sessionBytes + f.storedSessionBytes)),
    ),
    line('messages a second up', 'its devices × readings', number(up / gateways)),
    line('of a core, all readings QoS 1', 'the same', percent(gatewayLoad(fleet, f.bridgeQos1Seconds))),
    line(
      `waits after ${duration(fleet.outage)} without upstream`,
      'the same × time',
      `${number(waiting)} messages`,
    ),
    line('and is upstream after', 'the same', duration(waiting / (f.drainRate - up / gateways))),
    line(
      '**NATS**: connections; their memory',
      'gateways',
      `${number(gateways)}; ${bytes(gateways * f.connectionBytes)}`,
    ),
    line('messages a second up, of all', 'devices × readings', number(up)),
    line('cores, all QoS 0', 'the same', number(up * f.natsMessageSeconds)),
    line('cores of all servers, all QoS 1, 3 replicas', 'the same', number(up * f.replicatedSeconds)),
    line(
      'streams, for the time of one core each',
      'the same',
      number(Math.max(1, Math.ceil(up * f.storedSeconds))),
    ),
    line(
      'memory of message ids, each replica',
      'messages a second × `duplicate_window`',
      bytes(up * fleet.duplicateWindow * f.messageIdBytes),
    ),
    line(
      'memory of names, a channel of its own for each device, each replica',
      'channels',
      bytes(devices * f.subjectBytes),
    ),
    line(
      'streams, for 10⁶ names each',
      'channels',
      number(Math.max(1, Math.ceil(devices / CITED.subjectsOfStream))),
    ),
    line(
      'interests where names begin with the site; memory on every server',
      'gateways × in-rules',
      `${number(gateways)}; ${bytes(gateways * f.interestBytes)}`,
    ),
    line(
      'the same where each gateway asks for as many as it may',
      'gateways × 1,000',
      `${number(gateways * MAX_PATTERNS)}; ${bytes(gateways * MAX_PATTERNS * f.interestBytes)}`,
    ),
    line(
      'until a server that was away knows the latter again',
      'the same',
      duration(gateways * MAX_PATTERNS * f.interestSeconds),
    ),
    line(
      'in-rules of QoS ≥ 1: memory of consumers; until all are there again',
      'gateways × streams',
      `${bytes(gateways * f.consumerBytes)}; ${duration(gateways / f.consumersPerSecond)}`,
    ),
    line(
      'commands a second; cores',
      'devices × commands',
      `${number(down)}; ${number(down * f.replicatedSeconds)}`,
    ),
    line(
      '**names not by site**, more than 1,000 at a gateway: commands that each gateway hears a second',
      'all devices × commands',
      number(down),
    ),
    line('of a core of each gateway', 'the same', percent(down * f.udpSeconds)),
    line(
      '**presence** out: changes a second; cores',
      'devices × changes',
      `${number(changes)}; ${number(changes * 2 * f.replicatedSeconds)}`,
    ),
    line(
      'presence in: memory of each gateway that hears it, at least',
      'all devices',
      bytes(devices * f.channelBytes),
    ),
    line(
      'beacons that it hears a second; cores of NATS if all hear them',
      'gateways; gateways²',
      `${number(gateways / BEACON)}; ${number(((gateways * gateways) / BEACON) * f.natsDeliverySeconds)}`,
    ),
    line(
      '**broadcast**: of NATS; of each gateway',
      'gateways; its devices',
      `${duration(gateways * f.natsDeliverySeconds)}; ${duration(each * f.deliverySeconds)}`,
    ),
    line('**EMQX**: connections', 'gateways', number(gateways)),
    line(
      'messages a second, of the 10⁶ in the test of its makers',
      'devices × readings',
      percent(up / CITED.emqxMessages),
    ),
  ];
}

/** The share of a core that a gateway needs, whose bridge spends so many seconds on a message. */
function gatewayLoad({ gateways, devices, readings, commands, keepAlive }: Fleet, bridge: number): number {
  const each = devices / gateways;
  const pings = each / keepAlive;
  const up = (each * readings) / HOUR;
  const down = (each * commands) / HOUR;
  return pings * f.pingSeconds + up * (f.udpSeconds + bridge) + down * (f.deliverySeconds + bridge);
}

function number(value: number): string {
  if (value > 0 && value < 0.001) return '< 0.001';
  return Number(value.toPrecision(2)).toLocaleString('en', { maximumFractionDigits: 3 });
}

const percent = (share: number): string => `${number(100 * share)} %`;

function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(Math.floor(Math.log2(Math.max(value, 1)) / 10), units.length - 1);
  return `${number(value / 2 ** (10 * power))} ${units[power]}`;
}

function duration(seconds: number): string {
  if (seconds < 1) return `${number(seconds * 1000)} ms`;
  if (seconds < HOUR) return `${number(seconds)} s`;
  return `${number(seconds / HOUR)} h`;
}
