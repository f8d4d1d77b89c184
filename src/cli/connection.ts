import type { Command } from 'commander';
import type { ConnectOptions } from '../client/options.js';
import { SlipwayError } from '../errors.js';
import { portNumber } from './options.js';
import { type Profile, readProfile } from './profile.js';
import { type TlsFlags, tlsOf, withTlsOptions } from './tls-flags.js';

/** Where the gateway is and who asks, as a command is told. A password never is: everyone sees the arguments of a process. */
export interface ConnectionFlags extends TlsFlags {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly profile?: string;
  readonly insecure?: boolean;
}

/** What `connect` needs of them. */
export type Connection = Pick<
  ConnectOptions,
  'host' | 'port' | 'user' | 'password' | 'token' | 'tls' | 'insecure'
>;

/** Adds the options that `connectionOf` takes, in the help below those that the command has by then. */
export function withConnectionOptions(command: Command, { host = '127.0.0.1', port = '7770' } = {}): Command {
  command
    .optionsGroup('Where the gateway is, and who asks:')
    .option('--host <host>', `where the gateway is (default: ${host})`)
    .option('--port <port>', `its TCP port (default: ${port})`, portNumber)
    .option('--user <name>', 'who asks; the password is in SLIPWAY_PASSWORD or in the profile')
    .option('--profile <file>', 'a YAML file of your own with host, port, tls, user and password, or token')
    .option('--insecure', 'send a password or token though others on the network can read it');
  return withTlsOptions(command);
}

/**
 * Where to connect to, and as who: what flags say comes before the environment (SLIPWAY_USER, SLIPWAY_PASSWORD,
 * SLIPWAY_TOKEN), and that before the profile.
 * @throws ConfigError as `readProfile` does; SlipwayError `usage` when a user has no password, or a PEM file cannot be read
 */
export async function connectionOf(flags: ConnectionFlags, env = process.env): Promise<Connection> {
  const profile = flags.profile === undefined ? {} : await readProfile(flags.profile);
  const { host = profile.host, port = profile.port, insecure = profile.insecure } = flags;
  const tls = await tlsOf(flags, profile, flags.profile);
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(tls !== undefined && { tls }),
    ...(insecure !== undefined && { insecure }),
    ...credentialsIn(flags, env, profile),
  };
}

function credentialsIn(
  flags: ConnectionFlags,
  env: NodeJS.ProcessEnv,
  profile: Profile,
): Pick<Connection, 'user' | 'password' | 'token'> {
  const { SLIPWAY_USER, SLIPWAY_PASSWORD, SLIPWAY_TOKEN } = env;
  // An empty variable is none.
  const token = SLIPWAY_TOKEN || undefined;
  const user = flags.user ?? (SLIPWAY_USER || (token === undefined ? profile.user : undefined));
  if (user === undefined) {
    const either = token ?? profile.token;
    return either === undefined ? {} : { token: either };
  }
  const password = SLIPWAY_PASSWORD || (profile.user === user ? profile.password : undefined);
  if (password !== undefined) return { user, password };
  throw new SlipwayError(
    'usage',
    `there is no password for ${user}: set SLIPWAY_PASSWORD, or write user and password into a file that only you can read and name it with --profile`,
  );
}
