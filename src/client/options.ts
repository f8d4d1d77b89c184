import type { Clock } from '../clock.js';
import { SlipwayError } from '../errors.js';
import { identityProblem } from '../wire/channels.js';
import { MAX_VARINT } from '../wire/limits.js';
import type { Qos } from '../wire/messages.js';
import { checkKeys, checkNumber, checkTls, checkWill } from './check.js';

export interface ConnectOptions {
  /** 127.0.0.1 unless given. */
  readonly host?: string;
  /** 7770 unless given. */
  readonly port?: number;
  /**
   * Who this program is (PROTOCOL.md §4.1); a random name unless given. Only one program at a time can have it. What the
   * gateway held for an earlier run under this name waits, 10 000 messages and 16 MiB at most, until this run subscribes
   * to it, or unsubscribes from anything.
   */
  readonly identity?: string;
  /** How long the gateway keeps the session after the connection is lost, s, at most 268 435 455; 60 unless given. */
  readonly expiry?: number;
  /** The longest silence on the connection, s, at most 65 535; 30 unless given. */
  readonly keepAlive?: number;
  /** How long `connect` waits for the connection, and then for the gateway's answer, ms; 5000 unless given. */
  readonly timeoutMs?: number;
  /** Emits of QoS 1 and 2 that may wait to be acknowledged; 10 000 unless given. */
  readonly maxQueue?: number;
  /** What the gateway is to emit when it loses this program; see `Client.setWill`. */
  readonly will?: LastWillOptions;
  /** For whom this program acts, 1 to 255 bytes, and that user's password. */
  readonly user?: string;
  readonly password?: string;
  /** A token, in the place of user and password. */
  readonly token?: string;
  /** The key of the identity (PROTOCOL.md §4.8), which is proved and not sent: 32 bytes, or 64 hexadecimal digits. */
  readonly key?: string | Uint8Array;
  /** Connects over TLS 1.2 or newer: true, or what proves the gateway and this program. Not encrypted unless given. */
  readonly tls?: boolean | TlsOptions;
  /** Sends the password or token though others on the network can read it. */
  readonly insecure?: boolean;
  readonly clock?: Clock;
}

/** What proves the gateway, and this program, over TLS; all PEM, the content and not the file's name. */
export interface TlsOptions {
  /** Who must have signed the gateway's certificate; those that Node trusts unless given. */
  readonly ca?: string | Uint8Array;
  /** This program's certificate, whose common name is a user, and its private key. */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /** The name that the gateway's certificate must have; that of `host` unless given. */
  readonly servername?: string;
}

export interface EmitOptions {
  /** 1 unless given. */
  readonly qos?: Qos;
  /** Keep it as the channel's last value; an empty payload clears that (PROTOCOL.md §6.5). */
  readonly retain?: boolean;
}

/** A message that the gateway emits in this program's place (PROTOCOL.md §4.7). */
export interface LastWillOptions extends EmitOptions {
  readonly channel: string;
  readonly payload: string | Uint8Array;
}

export const DEFAULT_HOST = '127.0.0.1';
export const DEFAULT_PORT = 7770;
export const DEFAULT_TIMEOUT_MS = 5000;
export const DEFAULT_MAX_QUEUE = 10_000;
/** The longest that the system's timers wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const CONNECT_KEYS = Object.keys({
  host: true,
  port: true,
  identity: true,
  expiry: true,
  keepAlive: true,
  timeoutMs: true,
  maxQueue: true,
  will: true,
  user: true,
  password: true,
  token: true,
  key: true,
  tls: true,
  insecure: true,
  clock: true,
} satisfies Record<keyof ConnectOptions, true>);

/**
 * Returns the options if they are good.
 * @throws SlipwayError `identity_invalid` when the identity breaks PROTOCOL.md §4.1; `invalid_option` for an option that is
 *   not known, a number out of range or a will that is none
 */
export function checkOptions(options: ConnectOptions): ConnectOptions {
  checkKeys('connect', options, CONNECT_KEYS);
  const { identity } = options;
  const problem = identity === undefined ? undefined : identityProblem(identity);
  if (problem !== undefined) throw new SlipwayError('identity_invalid', `identity "${identity}": ${problem}`);
  checkNumber('keepAlive', options.keepAlive ?? 0, 0, 65_535);
  checkNumber('expiry', options.expiry ?? 0, 0, MAX_VARINT);
  checkNumber('port', options.port ?? DEFAULT_PORT, 1, 65_535);
  checkNumber('timeoutMs', options.timeoutMs ?? DEFAULT_TIMEOUT_MS, 1, MAX_TIMEOUT_MS);
  checkNumber('maxQueue', options.maxQueue ?? DEFAULT_MAX_QUEUE, 1, Number.MAX_SAFE_INTEGER);
  if (options.will !== undefined) checkWill(options.will);
  if (options.tls !== undefined && typeof options.tls !== 'boolean') checkTls(options.tls);
  return options;
}
