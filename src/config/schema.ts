import { z } from 'zod';
import { DEFAULT_MAX_PACKET_BYTES, DEFAULT_WINDOW, MAX_VARINT, MAX_WINDOW } from '../wire/limits.js';
import { access, rulesForTheNetwork } from './access.js';
import { bridges, gateway, nameForBridges } from './bridges.js';
import { oneOrOff, section } from './forms.js';
import { listen, onePortEach } from './listen.js';
import { count, duration, size } from './quantities.js';
import { serial } from './serial.js';

const DAY_MS = 86_400_000;
const MANY_DAYS_MS = 3650 * DAY_MS;
/** The longest HELLO (104 bytes) must fit, PROTOCOL.md §3.2. */
const MIN_PACKET_BYTES = 128;
const MAX_DATAGRAM_BYTES = 65_507;
const MANY = 1_000_000_000;
const MUCH = Number.MAX_SAFE_INTEGER;

const version = z
  .literal(1, {
    error: ({ input }) =>
      input === undefined
        ? 'is missing: write "version: 1" as the first line'
        : 'must be 1, the only version of the config that this Slipway knows',
  })
  .describe('Version of the config format.');

const packet = section('Largest packet that is taken, in bytes before framing (PROTOCOL.md §9).', {
  serial: size(MIN_PACKET_BYTES, 65_535)
    .prefault(DEFAULT_MAX_PACKET_BYTES.serial)
    .describe('On serial ports.'),
  udp: size(MIN_PACKET_BYTES, MAX_DATAGRAM_BYTES).prefault(DEFAULT_MAX_PACKET_BYTES.udp).describe('On UDP.'),
  tcp: size(MIN_PACKET_BYTES, MAX_VARINT).prefault('1 MiB').describe('On TCP.'),
});

const window = section('Reliable messages that a peer may have unacknowledged at once (PROTOCOL.md §5.2).', {
  serial: count(1, MAX_WINDOW).prefault(DEFAULT_WINDOW.serial).describe('On serial ports.'),
  udp: count(1, MAX_WINDOW).prefault(DEFAULT_WINDOW.udp).describe('On UDP.'),
  tcp: count(1, MAX_WINDOW).prefault(DEFAULT_WINDOW.tcp).describe('On TCP.'),
});

const queue = section(
  'Reliable messages that wait for one session; beyond either bound an emit is refused (queue_full).',
  {
    messages: count(1, MANY).prefault(10_000).describe('How many.'),
    bytes: size(1024, MUCH).prefault('16 MiB').describe('How many bytes of payload.'),
    when_full: z
      .enum(['refuse', 'end_session'])
      .prefault('refuse')
      .describe(
        'refuse: an emit to a session whose queue is full is refused (queue_full) for everyone. end_session: the session is ended instead, at once if its peer is absent, after 10 s if it is slow; what waited for it is lost, counted and logged.',
      ),
    age: duration(1000, MANY_DAYS_MS)
      .prefault('7d')
      .describe(
        'What waited longer for a session that is absent or slow is dropped, counted and logged; 0 for no limit.',
      ),
  },
);

const allQueues = section(
  'The queues of all sessions together; beyond either bound an emit is refused (queue_full).',
  {
    messages: count(1, MANY).prefault(1_000_000).describe('How many messages.'),
    bytes: size(1024, MUCH).prefault('256 MiB').describe('How many bytes.'),
  },
);

const perAddress = section(
  'What one network address may have of what the gateway has for all, so that one peer cannot take everything. Of IPv6 a /64 counts as one.',
  {
    links: count(1, MANY)
      .prefault(500)
      .describe('Connections, and peers on UDP, of each listener; more are turned away.'),
    connections: count(1, MANY)
      .prefault(100)
      .describe(
        'New connections a second, of each listener but UDP, after bursts of ten times as many; more are closed at once and counted.',
      ),
    sessions: count(1, MANY)
      .prefault(1000)
      .describe(
        'Sessions, connected or not, that came from there; an absent one of its own makes room first.',
      ),
    ids: count(0, MANY)
      .prefault(20_000)
      .describe('Channel ids of these sessions together; beyond them names are used.'),
    last_values: count(0, MANY)
      .prefault(50_000)
      .describe('Last values that were set from there; more are refused (limit_reached).'),
    last_value_bytes: size(0, MUCH).prefault('32 MiB').describe('Bytes of these last values together.'),
    hellos: count(1, MANY)
      .prefault(100)
      .describe('New peers on UDP a second, after bursts of ten times as many; more are refused.'),
    one_shots: count(1, MANY)
      .prefault(100)
      .describe('One-shots a second, after bursts of ten times as many; more are dropped and counted.'),
  },
);

const limits = section(
  'Bounds on what peers can make the gateway hold. What goes beyond is refused or dropped, and counted.',
  {
    packet,
    window,
    sessions: count(1, MANY).prefault(10_000).describe('Sessions, connected or not.'),
    per_address: perAddress,
    subscriptions: count(1, MANY).prefault(1000).describe('Subscriptions of one session.'),
    ids: count(0, MAX_VARINT)
      .prefault(16_383)
      .describe('Channel ids that one session may declare; 0 for none.'),
    channels: count(1, MANY).prefault(100_000).describe('Channels whose routes are kept.'),
    last_values: count(0, MANY).prefault(100_000).describe('Channels that have a last value; 0 keeps none.'),
    last_value_bytes: size(0, MUCH).prefault('64 MiB').describe('Bytes of all last values together.'),
    store_backlog: size(1024, MUCH)
      .prefault('64 MiB')
      .describe(
        'Bytes that wait to be written to the store, as when its disk is stuck; beyond it emits that set or clear a last value are refused (not_stored).',
      ),
    will_bytes: size(0, MUCH)
      .prefault('16 MiB')
      .describe('Bytes of all wills together: what peers want emitted when they are lost.'),
    queue,
    all_queues: allQueues,
    tcp_stall: duration(1000, DAY_MS)
      .prefault('1m')
      .describe(
        'How long a peer on TCP may take to finish a packet, or to read anything of what waits for it; 0 for as long as it likes.',
      ),
    mqtt_keep_alive: duration(1000, 65_535_000)
      .prefault('1m')
      .describe(
        'The longest keep-alive of an MQTT 5 client: one that asks for a longer one, or none, is told this instead; 0 for any. Older versions cannot be told.',
      ),
    backlog: size(1024, MUCH)
      .prefault('4 MiB')
      .describe(
        'Bytes accepted for one link and not yet sent; beyond it messages of QoS 0 are dropped and counted.',
      ),
  },
);

const store = oneOrOff(
  'Where what was acknowledged is kept so that it survives a crash and a power cut; off, it is kept in memory only.',
  z.strictObject(
    {
      path: z
        .string({
          error: ({ input }) =>
            input === undefined ? 'is missing: name a folder for the store' : 'must be the path of a folder',
        })
        .min(1, { error: 'cannot be empty: name a folder for the store' })
        .describe('A folder of its own, made if need be; a relative path starts at the folder of this file.'),
    },
    {
      error: ({ code, input }) => {
        if (code !== 'invalid_type' || !['string', 'boolean'].includes(typeof input)) return undefined;
        const path = typeof input === 'string' ? shownPath(input) : '/var/lib/slipway';
        return `must say where: write "store: { path: ${path} }", or "store: false" for none`;
      },
    },
  ),
);

/** As it is written between braces in YAML. */
function shownPath(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "''")}'`;
}

const sessions = section('What the gateway remembers of a peer that is gone.', {
  expiry: duration(1000, MAX_VARINT * 1000)
    .prefault('1d')
    .describe(
      'The longest that a session outlives its link, and that its peer may sleep, whatever the peer asks for; 0 for not at all.',
    ),
});

const stats = section('Counters on the channel $slipway/stats.', {
  interval: duration(100, DAY_MS).prefault('10s').describe('How often they are emitted; 0 for never.'),
});

const log = section('What the daemon writes to its standard output.', {
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .prefault('info')
    .describe('The least serious lines that are written.'),
  format: z
    .enum(['auto', 'pretty', 'json'])
    .prefault('auto')
    .describe('pretty is for people, json for programs; auto is pretty on a terminal and json elsewhere.'),
});

const isRead = ({ value }: { value: unknown }) => typeof value === 'object' && value !== null;

/** The whole config file. Keys that it does not name are refused. */
export const configSchema = z
  .strictObject({ version, gateway, listen, access, serial, store, bridges, limits, sessions, stats, log })
  // Also when a setting elsewhere is wrong: all problems are reported at once.
  .superRefine(rulesForTheNetwork, { when: isRead })
  .superRefine(onePortEach, { when: isRead })
  .superRefine(nameForBridges, { when: isRead })
  .describe('The configuration of the Slipway gateway.');

/** A config with every default filled in. Durations are in ms, sizes in bytes. */
export type Config = z.output<typeof configSchema>;
export type TcpConfig = Config['listen']['tcp'][number];
export type MqttConfig = Config['listen']['mqtt'][number];
export type WsConfig = Config['listen']['ws'][number];
export type TlsConfig = Exclude<TcpConfig['tls'], false>;
export type UdpConfig = Config['listen']['udp'][number];
export type AccessConfig = Exclude<Config['access'], false>;
export type SerialConfig = Config['serial'][number];
export type BridgeConfig = Config['bridges'][number];
export type BridgeRuleConfig = BridgeConfig['rules'][number];
export type NatsConfig = NonNullable<BridgeConfig['nats']>;
export type MqttUpstreamConfig = NonNullable<BridgeConfig['mqtt']>;
