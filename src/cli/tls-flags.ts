import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { TlsOptions } from '../client/options.js';
import { codeOf, reasonOf, SlipwayError } from '../errors.js';

/** How to connect over TLS, as a command or a profile is told; PEM files. Any of them asks for TLS. */
export interface TlsFlags {
  readonly tls?: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** Adds the options that `tlsOf` takes. */
export function withTlsOptions(command: Command): Command {
  return command
    .option('--tls', 'connect over TLS; each of the next four does, too')
    .option('--ca <file>', "who signed the gateway's certificate (PEM), if it is none that Node trusts")
    .option('--cert <file>', 'the certificate to show, which names a user')
    .option('--key <file>', 'its private key')
    .option('--servername <name>', "the name in the gateway's certificate, if it is not that of the host");
}

/**
 * What `connect` takes as `tls`: what flags say comes before what the profile says.
 * @param profileFile Where the profile was read from: relative paths in it start at its folder.
 * @throws SlipwayError `usage` when a file cannot be read
 */
export async function tlsOf(
  flags: TlsFlags,
  profile: TlsFlags,
  profileFile = '',
): Promise<boolean | TlsOptions | undefined> {
  const read = async (name: 'ca' | 'cert' | 'key'): Promise<string | undefined> => {
    const file = flags[name];
    if (file !== undefined) return readPem(`--${name}`, file);
    const kept = profile[name];
    return kept === undefined
      ? undefined
      : readPem(`${profileFile}: ${name}`, resolve(dirname(profileFile), kept));
  };
  const [ca, cert, key] = [await read('ca'), await read('cert'), await read('key')];
  const servername = flags.servername ?? profile.servername;
  if (ca === undefined && cert === undefined && key === undefined && servername === undefined)
    return flags.tls ?? profile.tls;
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(servername !== undefined && { servername }),
  };
}

async function readPem(what: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const problem =
      codeOf(error) === 'ENOENT' ? 'there is no such file' : `cannot be read: ${reasonOf(error)}`;
    throw new SlipwayError('usage', `${what} ${file}: ${problem}`, { cause: error });
  }
}
